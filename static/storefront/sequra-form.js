/*
 * The second file of sequra-checkout.js, which loads it with a hash of its own: what happens once a
 * shopper chose SeQura, or asks what it is. The first file hands over `page`, what it is used for.
 */
(() => {
  "use strict";

  const page = document.currentScript.sequra;
  const { app, bringUp, changed, chosenMethod, idOf, locale, make, pause } = page;
  const { ordering, readCheckout, request, runScript, say, termsBox, text } = page;
  const gone = () => text("gone") || text("unavailable");
  const FORM_POLL = 100; // ms
  const FORM_LIMIT = 10000; // ms
  const PATIENCE = 12000; // ms for SeQura's script
  const LOOK = 4000; // ms until the payment is looked at again
  const LATE_LOOKS = 15; // at the payment of a form that was closed

  const TEXTS = {
    en: {
      form: "SeQura payment form",
      terms: "Please agree to the terms and conditions to continue.",
      cart_changed: "Your cart has changed. Please check the amount and continue again.",
      total_changed: "The amount to pay is now {amount}. Please check it and continue again.",
    },
    es: {
      form: "Formulario de pago de SeQura",
      terms: "Acepta los términos y condiciones para continuar.",
      cart_changed: "Tu carrito ha cambiado. Revisa el importe y vuelve a continuar.",
      total_changed: "El importe a pagar es ahora {amount}. Revísalo y vuelve a continuar.",
    },
    fr: {
      form: "Formulaire de paiement SeQura",
      terms: "Veuillez accepter les conditions générales pour continuer.",
      cart_changed: "Votre panier a changé. Vérifiez le montant, puis continuez.",
      total_changed: "Le montant à payer est maintenant de {amount}. Vérifiez-le, puis continuez.",
    },
    it: {
      form: "Modulo di pagamento SeQura",
      terms: "Accetta i termini e le condizioni per continuare.",
      cart_changed: "Il carrello è cambiato. Controlla l’importo e continua di nuovo.",
      total_changed: "L’importo da pagare ora è {amount}. Controllalo e continua di nuovo.",
    },
    pt: {
      form: "Formulário de pagamento da SeQura",
      terms: "Aceita os termos e condições para continuar.",
      cart_changed: "O teu carrinho mudou. Verifica o valor e continua novamente.",
      total_changed: "O valor a pagar é agora {amount}. Verifica-o e continua novamente.",
    },
  };

  // --- Terms and conditions ----------------------------------------------------------------------

  const TERMS_ERROR = "sequra-terms-error";
  const fieldOf = (terms) => terms.closest(".form-field") || terms.parentNode;

  function forgetTerms() {
    const error = document.getElementById(TERMS_ERROR);
    const terms = termsBox();
    if (error) error.remove();
    if (!error || !terms) return;
    fieldOf(terms).classList.remove("form-field--error");
    terms.removeAttribute("aria-describedby");
    terms.removeAttribute("aria-invalid");
  }

  /** True when the shopper may continue; otherwise says why and goes to the checkbox. */
  function termsAgreed() {
    const terms = termsBox();
    forgetTerms();
    if (!terms || terms.checked) return true;
    showTermsError(terms);
    return false;
  }

  function showTermsError(terms) {
    const native = document.getElementById("terms-field-error-message");
    if (!native || !native.textContent) {
      const error = make("span", "form-inlineMessage sequra-own sequra-error");
      error.id = TERMS_ERROR;
      error.setAttribute("role", "alert");
      fieldOf(terms).append(error);
      fieldOf(terms).classList.add("form-field--error");
      error.textContent = text("terms");
      terms.setAttribute("aria-describedby", TERMS_ERROR);
      terms.setAttribute("aria-invalid", "true");
    }
    terms.focus({ preventScroll: true });
    terms.scrollIntoView({ block: "center" });
  }

  // --- Continuing with SeQura --------------------------------------------------------------------

  /** An amount as the shopper reads it, such as 110,89 €. */
  function money(amount, checkout) {
    const tag = locale().replace(/_/g, "-").replace(/^pt$/i, "pt-PT"); // ours, and not Brazil's
    return amount.toLocaleString(tag, { style: "currency", currency: checkout.cart.currency.code });
  }

  /** A fresh look at the checkout, then the form. */
  async function begin() {
    if (!termsAgreed()) return undefined;
    const expected = page.unsettled();
    await page.running();
    const checkout = await readCheckout();
    const { balance: before = null } = page.offer() || {};
    await bringUp(checkout);
    const method = chosenMethod();
    const { balance = null, message } = page.offer() || {};
    if (!method) return say(message || gone());
    if (!expected && before !== null && balance !== null && before !== balance) {
      return say(text("total_changed").replace("{amount}", money(balance, checkout)));
    }
    const form = await fetchForm(method);
    return form && page.chosen() === idOf(method) ? showForm(form) : undefined;
  }

  async function fetchForm(method) {
    const terms = termsBox();
    try {
      return await app("form", {
        solicitation: page.offer().solicitation,
        product: method.product,
        campaign: method.campaign,
        terms_accepted: terms ? terms.checked : null, // null: there is no checkbox
      });
    } catch (error) {
      const code = error.status === 409 ? error.body.code : "";
      if (code === "terms_not_accepted" && terms) return void showTermsError(terms);
      if (code === "terms_not_accepted") return void say(text("terms"));
      if (code !== "cart_changed" && code !== "unknown_method") throw error;
      await bringUp(await readCheckout(), true);
      say(chosenMethod() ? text("cart_changed") : gone());
      return null;
    }
  }

  // --- The identification form -------------------------------------------------------------------

  let dialog = null;
  let statusUrl; // of the form shown last

  const allowed = (url, origins) => {
    try {
      const target = new URL(url, location.href);
      return /^https?:$/.test(target.protocol) && origins.includes(target.origin);
    } catch (error) {
      return false;
    }
  };

  /** A frame without inline code: the style by CSSOM, of the named origins only. */
  function copyOf(frame, origins) {
    if (!allowed(frame.getAttribute("src"), origins)) throw new Error("a frame of another origin");
    const copy = make("iframe");
    for (const { name, value } of frame.attributes) {
      if (name === "data-style") copy.style.cssText = value;
      else if (!/^on|^srcdoc$/i.test(name)) copy.setAttribute(name, value);
    }
    if (!copy.title) copy.title = text("form");
    return copy;
  }

  async function formInstance() {
    for (let waited = 0; waited < FORM_LIMIT; waited += FORM_POLL) {
      if (window.SequraFormInstance) return window.SequraFormInstance;
      await pause(FORM_POLL);
    }
    throw new Error("the identification form did not load in time");
  }

  function insertForm(form) {
    const origins = form.origins || [];
    // A style attribute would count as inline code while it is parsed; copyOf() applies it.
    const html = form.html.replace(/\sstyle\s*=/gi, " data-style=");
    const parsed = new DOMParser().parseFromString(html, "text/html");
    const frames = [...parsed.querySelectorAll("iframe")].map((one) => copyOf(one, origins));
    const scripts = [...parsed.querySelectorAll("script[src]")]
      .map((one) => one.getAttribute("src"))
      .filter((url) => allowed(url, origins));
    if (!frames.length || !scripts.length) throw new Error("no identification form");
    dialog = make("div", "sequra-dialog");
    dialog.setAttribute("role", "dialog");
    dialog.setAttribute("aria-modal", "true");
    dialog.setAttribute("aria-label", text("form"));
    dialog.append(...frames);
    // Focus that arrives while a frame changes from empty to its page leaves the keyboard dead.
    const ready = new Promise((done) => frames[0].addEventListener("load", done, { once: true }));
    document.body.append(dialog);
    window.SequraFormInstance = undefined;
    // All that the form's inline script says; a nonce policy would block it.
    window.SequraFormElement = frames[0].id;
    const loaded = Promise.all(scripts.map((url) => runScript(url, dialog)));
    return { frame: frames[0], loaded, ready };
  }

  function removeForm() {
    window.SequraFormInstance = window.SequraFormElement = undefined;
    if (dialog) dialog.remove();
    dialog = null;
    unquiet();
  }

  let quieted = []; // what we made inert
  const SEQURAS = '[id^="sq-"],[class*="sequra"]';

  /** Behind an open form nothing can be reached by keyboard or screen reader. */
  function quiet(nodes) {
    [...nodes].forEach((node) => {
      if (node.inert || node.matches(SEQURAS)) return;
      node.inert = true;
      quieted.push(node);
    });
  }

  function unquiet() {
    quieted.forEach((node) => {
      node.inert = false;
    });
    quieted = [];
  }

  // An entry of the history stands for the open form: the back button closes it, and no more. It
  // names the entry below: SeQura's frame adds entries of its own, which one step would not pass.
  const { navigation } = window;
  const marked = () => (history.state || {}).sequra;

  function enterHistory() {
    const below = navigation ? navigation.currentEntry.key : `${Math.random()}`;
    history.pushState({ ...history.state, sequra: below }, "");
    let look; // other scripts step back and forth above our entry
    const back = new Promise((left) => {
      look = () => marked() === below || left();
      window.addEventListener("popstate", look);
    });
    const leave = () => {
      window.removeEventListener("popstate", look);
      leaveEntry();
    };
    return { back, leave };
  }

  /** Step back below the form's entry, wherever the shopper came to it without the form. */
  function leaveEntry() {
    const below = marked();
    if (page.leaving || !below) return;
    if (!navigation) return void history.back();
    // Interrupted by another step, or the entry is gone: then there is nothing to do.
    Object.values(navigation.traverseTo(below)).forEach((end) => end.catch(() => {}));
  }

  /** Show the form and wait until it is closed or the payment is through. */
  async function showForm(form) {
    let open = true;
    let entry = null;
    statusUrl = form.status_url;
    try {
      const { frame, loaded, ready } = insertForm(form);
      const instance = await Promise.race([
        formInstance(),
        loaded.then(() => new Promise(() => {})),
      ]);
      const closed = new Promise((close) => {
        instance.setCloseCallback(() => {
          try {
            if (instance.defaultCloseCallback) instance.defaultCloseCallback();
          } finally {
            close();
          }
        });
      });
      instance.show();
      entry = enterHistory();
      quiet(document.body.children);
      ready.then(() => open && frame.focus());
      const paid = watch(statusUrl, () => open);
      await Promise.race([closed, paid, vanished(frame, () => open), entry.back]);
    } finally {
      open = false;
      if (entry) entry.leave();
      if (!page.leaving) removeForm();
    }
    if (!page.leaving) await afterClosing(statusUrl);
  }

  /** Resolves when the form vanished without telling us. */
  async function vanished(frame, stillOpen) {
    while (stillOpen() && frame.isConnected) await pause(500);
  }

  const statusOf = (url) => request(url, { credentials: "omit", cache: "no-store", patience: 5000 });

  function go(url) {
    const target = new URL(url, location.href);
    if (!/^https?:$/.test(target.protocol)) return;
    page.leaving = true;
    location.replace(target.href);
  }

  /** For when SeQura's form does not bring the shopper back by itself. */
  async function watch(url, stillOpen) {
    for (;;) {
      await pause(LOOK);
      if (!stillOpen()) return;
      const outcome = await statusOf(url).catch(() => null);
      if (!stillOpen()) return;
      if (outcome && outcome.status === "confirmed" && outcome.redirect) return go(outcome.redirect);
    }
  }

  /** The shopper closed the form: perhaps the payment is through all the same, or is in a moment. */
  async function afterClosing(url) {
    if (await isOver(url)) return;
    (async () => {
      for (let looks = 0; looks < LATE_LOOKS; looks += 1) {
        await pause(LOOK);
        if (dialog || statusUrl !== url || (!ordering() && (await isOver(url)))) return;
      }
    })().catch(() => {});
  }

  /** True when nothing more is to be expected of the form that was closed. */
  async function isOver(url) {
    const outcome = (await statusOf(url).catch(() => null)) || {};
    if (dialog || page.leaving) return true; // a form was opened meanwhile: it looks for itself
    if (outcome.redirect) {
      go(outcome.redirect);
      return true;
    }
    if (outcome.status !== "refused") return false;
    statusUrl = "";
    if (page.offer()) page.offer().key = null;
    changed();
    say(outcome.message);
    return true;
  }

  // --- SeQura's own explanation of a method ------------------------------------------------------

  const POPUP = "sequra-educational-popup"; // the class that SeQura's script listens to

  let explaining = null; // the first click, while it is at work

  /** The first click fetches SeQura's script; that opens the popup, at this click and the next. */
  function explainMethod(more, info) {
    if (!explaining && more.classList.contains(POPUP)) return lookAfter(more);
    explaining = explaining || explain(more, info).finally(() => (explaining = null));
    return explaining;
  }

  async function explain(more, info) {
    try {
      await loadExplanations(info.configuration);
    } catch (error) {
      return say(text("unavailable"));
    }
    more.classList.add(POPUP);
    window.Sequra.refreshComponents();
    await pause(0); // a click within a click is none
    const looked = lookAfter(more);
    more.click();
    return looked;
  }

  async function loadExplanations(configuration) {
    if (window.Sequra && window.Sequra.refreshComponents) return;
    const ready = new Promise((done) => (window.SequraOnLoad = [done]));
    window.SequraConfiguration = configuration;
    window.Sequra = { onLoad: (work) => window.SequraOnLoad.push(work) };
    const late = pause(PATIENCE).then(() => Promise.reject(new Error("SeQura's script is late")));
    await Promise.race([Promise.all([runScript(configuration.scriptUri, document.head), ready]), late]);
  }

  const seen = (node) => node.getClientRects().length > 0;

  /** The popup is SeQura's; where the keyboard and the screen reader are is ours. */
  async function lookAfter(more) {
    const { children } = document.body;
    const before = [...children].filter(seen);
    const news = () => [...children].filter((node) => !before.includes(node) && seen(node));
    for (let waited = 0; !news().length && waited < FORM_LIMIT; waited += FORM_POLL) {
      await pause(FORM_POLL);
    }
    const popup = news().find((node) => node.matches("iframe") || node.querySelector("iframe,button,a"));
    if (!popup) return;
    quiet(before);
    if (!popup.contains(document.activeElement)) {
      if (!popup.matches("iframe")) popup.tabIndex = -1;
      popup.focus();
    }
    while (seen(popup)) await pause(FORM_POLL);
    unquiet();
    more.focus();
  }

  // --- For the first file ------------------------------------------------------------------------

  /** A chat that comes while the form is open. */
  function keepQuiet() {
    if (dialog && quieted.length) quiet(document.body.children);
  }

  /** The browser's back button showed the page again. */
  function comeBack() {
    removeForm();
    leaveEntry();
    if (statusUrl) afterClosing(statusUrl);
  }

  window.addEventListener("popstate", () => dialog || leaveEntry()); // forward, to no form
  if (!dialog) leaveEntry();
  page.use({ TEXTS, begin, comeBack, explainMethod, forgetTerms, keepQuiet, termsAgreed });
})();
