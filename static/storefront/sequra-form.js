/*
 * The second file of sequra-checkout.js, which loads it with a hash of its own: what happens once a
 * shopper chose SeQura, or asks what it is. The first file hands over `page`, what it is used for.
 */
(() => {
  "use strict";

  const page = document.currentScript.sequra;
  const { app, bringUp, changed, chosenMethod, idOf, locale, make, pause } = page;
  const { readCheckout, request, runScript, say, termsBox, text } = page;
  const FORM_POLL = 100; // ms
  const FORM_LIMIT = 10000; // ms
  const PATIENCE = 12000; // ms for SeQura's script

  const TEXTS = {
    en: {
      opening: "Opening SeQura…",
      form: "SeQura payment form",
      terms: "Please agree to the terms and conditions to continue.",
      cart_changed: "Your cart has changed. Please check the amount and continue again.",
      total_changed: "The amount to pay is now {amount}. Please check it and continue again.",
      gone: "SeQura is no longer available for this order.",
      retry: "You have not been charged. Try again in a moment or choose another payment method.",
      offline: "You seem to be offline. Check your connection and try again.",
    },
    es: {
      opening: "Abriendo SeQura…",
      form: "Formulario de pago de SeQura",
      terms: "Acepta los términos y condiciones para continuar.",
      cart_changed: "Tu carrito ha cambiado. Revisa el importe y vuelve a continuar.",
      total_changed: "El importe a pagar es ahora {amount}. Revísalo y vuelve a continuar.",
      gone: "SeQura ya no está disponible para este pedido.",
      retry: "No se te ha cobrado nada. Inténtalo de nuevo en un momento o elige otro método de pago.",
      offline: "Parece que no tienes conexión. Compruébala e inténtalo de nuevo.",
    },
    fr: {
      opening: "Ouverture de SeQura…",
      form: "Formulaire de paiement SeQura",
      terms: "Veuillez accepter les conditions générales pour continuer.",
      cart_changed: "Votre panier a changé. Vérifiez le montant, puis continuez.",
      total_changed: "Le montant à payer est maintenant de {amount}. Vérifiez-le, puis continuez.",
      gone: "SeQura n’est plus disponible pour cette commande.",
      retry: "Vous n’avez pas été débité. Réessayez dans un instant ou choisissez un autre moyen de paiement.",
      offline: "Vous semblez être hors ligne. Vérifiez votre connexion et réessayez.",
    },
    it: {
      opening: "Apertura di SeQura…",
      form: "Modulo di pagamento SeQura",
      terms: "Accetta i termini e le condizioni per continuare.",
      cart_changed: "Il carrello è cambiato. Controlla l’importo e continua di nuovo.",
      total_changed: "L’importo da pagare ora è {amount}. Controllalo e continua di nuovo.",
      gone: "SeQura non è più disponibile per questo ordine.",
      retry: "Non ti è stato addebitato nulla. Riprova tra poco o scegli un altro metodo di pagamento.",
      offline: "Sembra che tu sia offline. Controlla la connessione e riprova.",
    },
    pt: {
      opening: "A abrir a SeQura…",
      form: "Formulário de pagamento da SeQura",
      terms: "Aceita os termos e condições para continuar.",
      cart_changed: "O teu carrinho mudou. Verifica o valor e continua novamente.",
      total_changed: "O valor a pagar é agora {amount}. Verifica-o e continua novamente.",
      gone: "A SeQura já não está disponível para esta encomenda.",
      retry: "Nada te foi cobrado. Tenta novamente daqui a pouco ou escolhe outro método de pagamento.",
      offline: "Parece que não tens ligação à Internet. Verifica-a e tenta novamente.",
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
    if (!method) return say(message || text("gone"));
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
      say(text(chosenMethod() ? "cart_changed" : "gone"));
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

  /** An entry of the history stands for the open form: the back button closes it, and no more. */
  function enterHistory() {
    history.pushState({ ...history.state, sequra: true }, "");
    let left;
    const back = new Promise((done) => {
      left = done;
      window.addEventListener("popstate", left);
    });
    const leave = () => {
      window.removeEventListener("popstate", left);
      if (!page.leaving && history.state && history.state.sequra) history.back();
    };
    return { back, leave };
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
      await Promise.race([closed, paid, gone(frame, () => open), entry.back]);
    } finally {
      open = false;
      if (entry) entry.leave();
      if (!page.leaving) removeForm();
    }
    if (!page.leaving) await afterClosing(statusUrl);
  }

  /** Resolves when the form vanished without telling us. */
  async function gone(frame, stillOpen) {
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
      await pause(4000);
      if (!stillOpen()) return;
      const outcome = await statusOf(url).catch(() => null);
      if (!stillOpen()) return;
      if (outcome && outcome.status === "confirmed" && outcome.redirect) return go(outcome.redirect);
    }
  }

  /** The shopper closed the form: perhaps the payment is through all the same. */
  async function afterClosing(url) {
    const outcome = await statusOf(url).catch(() => null);
    if (outcome && outcome.redirect) return go(outcome.redirect);
    if (outcome && outcome.status === "refused") {
      statusUrl = "";
      if (page.offer()) page.offer().key = null;
      changed();
      say(outcome.message);
    }
  }

  // --- SeQura's own explanation of a method ------------------------------------------------------

  const POPUP = "sequra-educational-popup"; // the class that SeQura's script listens to

  /** The first click fetches SeQura's script; that opens the popup, at this click and the next. */
  async function explainMethod(more, info) {
    if (more.classList.contains(POPUP)) return lookAfter(more, document.body.children);
    try {
      await loadExplanations(info.configuration);
    } catch (error) {
      return say(text("unavailable"));
    }
    more.classList.add(POPUP);
    window.Sequra.refreshComponents();
    await pause(0); // a click within a click is none
    return more.click();
  }

  function loadExplanations(configuration) {
    if (window.Sequra && window.Sequra.refreshComponents) return undefined;
    return new Promise((done, failed) => {
      window.SequraConfiguration = configuration;
      window.SequraOnLoad = [done];
      window.Sequra = { onLoad: (work) => window.SequraOnLoad.push(work) };
      runScript(configuration.scriptUri, document.head).catch(failed);
      setTimeout(failed, PATIENCE);
    });
  }

  const seen = (node) => node.getClientRects().length > 0;

  /** The popup is SeQura's; where the keyboard and the screen reader are is ours. */
  async function lookAfter(more, children) {
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
    if (statusUrl) afterClosing(statusUrl);
  }

  page.use({ TEXTS, begin, comeBack, explainMethod, forgetTerms, keepQuiet, termsAgreed });
})();
