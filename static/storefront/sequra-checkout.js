/*
 * SeQura on BigCommerce's checkout page: a radio per payment method, and the identification form.
 *
 * The Scripts API puts this file on the payment step with an SRI hash, the same bytes for every
 * store; its own address says which store (?store=) and where the app answers (the origin).
 * React owns the page: its nodes are looked up each time, hidden but never moved or removed, and
 * ours are put back after every re-render. Nothing is thrown into the page; when anything is
 * missing, BigCommerce's checkout stays as it was. What follows a choice is in sequra-form.js, so
 * that shoppers who pay in another way do not load it.
 */
(() => {
  "use strict";

  const script = document.currentScript;
  if (!script || !script.src || window.sequraCheckout) return;
  const address = new URL(script.src);
  const store = address.searchParams.get("store");
  // An embedded checkout: SeQura's form and our return page do not work in somebody's frame.
  if (!store || window !== window.top) return;
  window.sequraCheckout = true;

  const API = `${address.origin}/storefront/${encodeURIComponent(store)}`;
  // Readable only now; under a nonce policy the form's scripts need it.
  const NONCE = script.nonce || "";
  const DEBOUNCE = 150; // ms; a re-render is a burst of mutations
  const PATIENCE = 12000; // ms for one request
  const RETRIES = [3000, 10000, 30000]; // ms, for options that could not be asked for
  const FORM = ["sequra-form.js", ""]; // the second file, and its hash: collectstatic names both
  const PUTS = 30; // of our nodes into the page in one go
  const MOVES = 5; // of our options in one list, then its order is somebody else's
  const ROWS = 3; // that room is kept for while it is not known how many options come
  const NARROW = 600; // px; in such a list a name has two lines, and the costs stand below it

  const TEXTS = {
    en: {
      pay: "Continue with SeQura",
      unavailable: "SeQura is not answering right now.",
    },
    es: {
      pay: "Continuar con SeQura",
      unavailable: "SeQura no responde en este momento.",
    },
    fr: {
      pay: "Continuer avec SeQura",
      unavailable: "SeQura ne répond pas pour le moment.",
    },
    it: {
      pay: "Continua con SeQura",
      unavailable: "SeQura al momento non risponde.",
    },
    pt: {
      pay: "Continuar com a SeQura",
      unavailable: "A SeQura não está a responder neste momento.",
    },
  };

  // Native rules reach our markup too: what they do to it for natives' sake is undone here.
  const STYLES = `
    .sequra-item .paymentProviderHeader-container{flex-wrap:wrap;gap:.1em .75em;padding:.4em 0;line-height:1.4}
    .sequra-item .paymentProviderHeader-nameContainer{display:flex;flex-wrap:nowrap;gap:.5em;min-width:0}
    li.sequra-item .paymentProviderHeader-name{display:block;margin-left:0;white-space:normal;overflow-wrap:anywhere}
    .sequra-item .paymentProviderHeader-img{height:1.4em;width:auto;max-width:6rem;flex:none;align-self:flex-start;margin:0}
    .sequra-cost{font-weight:400}
    ul.sequra-list{margin-bottom:1.25rem}
    .sequra-room{display:flex;align-items:center;box-sizing:border-box;padding:0 3rem}
    .sequra-room::before{content:"";width:10rem;height:.75em;background:currentColor;opacity:.1}
    .sequra-item .form-field{position:relative}
    .sequra-item .form-label:not(:last-child){padding-right:4.5rem}
    .sequra-more{position:absolute;right:1rem;top:.8125rem;margin:0;padding:0;border:0;background:none;color:inherit;font:inherit;font-size:.875em;line-height:2.5;text-decoration:underline;white-space:nowrap;cursor:pointer}
    .sequra-item[aria-busy="true"]{opacity:.6}
    .sequra-description{margin:0;padding:.25rem 0 1rem}
    .sequra-note{padding:1rem}
    .sequra-alert:not(:empty),.sequra-error{display:block;margin:.5rem 0 1rem;color:#ad0000;font-size:1rem;line-height:1.4}
    .sequra-status{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}
    .sequra-own[hidden]{display:none!important}
    #sequra-continue.sequra-own{margin-left:0;margin-right:0}
    [data-sequra="chosen"] .form-actions>:not(.sequra-own),[data-sequra="chosen"] [role=status]:not(.sequra-own){display:none!important}
    [data-sequra="chosen"] .form-checklist-item:not(.sequra-item)>.form-checklist-body{display:none!important}
    [data-sequra="chosen"] .form-checklist-item--selected:not(.sequra-item){background-color:transparent!important}
    [data-sequra="chosen"] .form-checklist-item:not(.sequra-item) .form-label{font-weight:inherit}
    @media (prefers-reduced-motion:reduce){.sequra-own,.sequra-own::before{animation:none!important}}
  `;

  /** The page's language, as es-ES; the browser's when the page does not say. */
  const locale = () =>
    [document.documentElement.lang, navigator.language].find((tag) =>
      /^[a-z]{2,3}([-_][a-z0-9]{2,8})*$/i.test(tag || "")
    ) || "en";
  /** In es-419 as in es; who reads Catalan, Galician or Basque reads Spanish. */
  function text(name) {
    const named = locale().split(/[-_]/)[0].toLowerCase();
    const language = /^(ca|gl|eu)$/.test(named) ? "es" : TEXTS[named] ? named : "en";
    return TEXTS[language][name] || received[name] || (form && form.TEXTS[language][name]) || "";
  }

  let received = {}; // texts that come with the options: they are here when the second file is not

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  // --- Failures: ours stay ours ------------------------------------------------------------------

  /** An answer that is not 2xx (`status`), or no answer at all (`status` 0). */
  class Failure extends Error {
    constructor(status, body, after) {
      super(`answer ${status}`);
      this.status = status;
      this.body = body || {};
      this.after = Math.min(after * 1000 || 0, 300000); // ms until the next request
    }
  }

  let reports = 0;

  /** Tell the app what went wrong, nothing about the shopper. */
  function report(where, error) {
    if (reports++ > 4) return;
    app("errors", { where, message: String(error).slice(0, 300) }).catch(() => {});
  }

  /** A function whose errors never reach the page. */
  const safely = (where, work) => async (...args) => {
    try {
      await work(...args);
    } catch (error) {
      report(where, error);
    }
  };

  async function request(url, options) {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(), options.patience || PATIENCE);
    try {
      const answer = await fetch(url, { ...options, signal: stop.signal });
      const body = await answer.json().catch(() => null);
      if (!answer.ok) throw new Failure(answer.status, body, answer.headers.get("Retry-After"));
      if (body === null) throw new Failure(502);
      return body;
    } catch (error) {
      throw error instanceof Failure ? error : new Failure(0);
    } finally {
      clearTimeout(timer);
    }
  }

  /** BigCommerce's storefront API; absolute, because the page has a <base>. */
  const shop = (path) =>
    request(`${location.origin}/api/storefront/${path}`, {
      credentials: "same-origin",
      cache: "no-store",
      headers: { Accept: "application/json" },
    });

  const app = (path, body) =>
    request(`${API}/${path}`, {
      method: "POST",
      credentials: "omit",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify(body),
    });

  // --- The checkout ------------------------------------------------------------------------------

  let checkoutId = null;

  async function findCheckoutId() {
    const inPath = location.pathname.match(/\/checkout\/([0-9a-f-]{32,36})(?:\/|$)/i);
    const configured = (window.checkoutConfig || {}).checkoutId;
    if (inPath || configured) return inPath ? inPath[1] : configured;
    const [cart] = await shop("carts");
    return cart ? cart.id : null;
  }

  async function readCheckout() {
    checkoutId = checkoutId || (await findCheckoutId());
    if (!checkoutId) throw new Failure(404);
    try {
      return await shop(`checkouts/${encodeURIComponent(checkoutId)}`);
    } catch (error) {
      if (error.status === 404) checkoutId = null;
      throw error;
    }
  }

  /** What is left to pay; null when not told. */
  const owed = (checkout) =>
    typeof checkout.outstandingBalance === "number"
      ? Number(checkout.outstandingBalance.toFixed(4))
      : null;

  /** Everything SeQura's answer depends on: the same key needs no new question. */
  const keyOf = (checkout) =>
    JSON.stringify([
      checkout.id,
      checkout.version,
      checkout.cart.lineItems,
      checkout.cart.email,
      (checkout.customer || {}).id,
      owed(checkout),
      checkout.grandTotal,
      Boolean(checkout.isStoreCreditApplied),
      checkout.billingAddress, // whole: a corrected surname or flat number counts too
      (checkout.consignments || []).map((one) => [
        one.address || one.shippingAddress,
        (one.selectedShippingOption || {}).id,
      ]),
      locale(),
    ]);

  // --- What SeQura offers for it -----------------------------------------------------------------

  let offer = null; // {key, balance, solicitation, methods, message, items}
  let dirty = true; // the page changed since the checkout was last read
  let running = null; // the refresh in flight
  let asking = null; // the question in flight
  let timer = 0;
  let failures = 0;
  let failed = false; // and perhaps said so
  let unanswered = false; // the last question: no room is kept for options any more
  let opened = false; // the payment step
  let quietUntil = 0; // the app asked for this

  async function ask(checkout, key) {
    const balance = owed(checkout);
    const nothing = { key, balance, solicitation: null, methods: [], message: "" };
    if (balance !== null && balance <= 0) return nothing;
    const answer = await app("payment-methods", {
      checkout_id: checkout.id,
      outstanding_balance: balance,
      store_credit_applied: Boolean(checkout.isStoreCreditApplied),
      layout: matchMedia("(max-width:800px)").matches ? "smartphone" : "desktop",
      locale: locale(),
    });
    // Away for a moment: asked again, like a failed request.
    if (/_unavailable/.test(answer.reasons)) throw new Failure(503);
    const methods = answer.solicitation && Array.isArray(answer.methods) ? answer.methods : [];
    const { solicitation, message, info, terms, texts } = answer;
    received = texts || received;
    return { ...nothing, solicitation, methods, message: message || "", info, terms };
  }

  /** Bring the offer up to this checkout; without an answer nothing is offered. */
  async function bringUp(checkout, anew) {
    // One question at a time: the app refuses a second one of the same checkout meanwhile.
    while (asking) await asking;
    // Nothing is known of it yet, and so nothing is remembered.
    if (checkout.shouldExecuteSpamCheck) return setOffer(null, "");
    if (covered()) return undefined; // noticed again when it is not
    const key = keyOf(checkout);
    if (offer && offer.key === key && !anew) return undefined;
    let over;
    asking = new Promise((done) => (over = done));
    wait(true);
    try {
      const next = await ask(checkout, key);
      next.items = itemsOf(next);
      await Promise.race([pictured(next.items), pause(DEBOUNCE)]);
      setOffer(next);
      if (failed) say("");
      failed = false;
      failures = 0;
    } catch (error) {
      failed = true;
      setOffer(null, explain(error));
      throw error;
    } finally {
      wait(false);
      asking = null;
      over();
    }
  }

  /** Before the payment step opens: does the checkout have all that SeQura asks for? */
  const isComplete = (checkout) =>
    (checkout.billingAddress || {}).countryCode &&
    (checkout.consignments || []).every((one) => one.selectedShippingOption);

  /** Unused store credit is applied by the page itself when the step opens: another amount. */
  const isReady = (checkout) =>
    (opened && (offer || !step().querySelector(LOADING))) ||
    (!((checkout.customer || {}).storeCredit > 0 && !checkout.isStoreCreditApplied) && (opened || isComplete(checkout)));

  /** One refresh at a time; what changes meanwhile is read again before it ends. */
  function refresh() {
    clearTimeout(timer);
    timer = 0;
    if (!running) {
      running = (async () => {
        try {
          do {
            dirty = false;
            const checkout = await readCheckout();
            if (isReady(checkout)) await bringUp(checkout);
            else if (opened) schedule(RETRIES[0]);
          } while (dirty);
        } finally {
          running = null;
        }
      })();
    }
    return running;
  }

  const refreshQuietly = safely("refresh", async () => {
    if (covered()) return; // noticed again when it is not
    try {
      await refresh();
      unanswered = false;
    } catch (error) {
      unanswered = true;
      if (!(error instanceof Failure)) throw error;
      quietUntil = performance.now() + error.after;
      if (/^(0|408|42[359]|5..)$/.test(error.status) && failures < RETRIES.length) {
        schedule(RETRIES[failures++]);
      }
    } finally {
      if (room.length) glide(draw); // no room is kept any more
      else draw();
    }
  });

  function schedule(delay) {
    clearTimeout(timer);
    timer = setTimeout(refreshQuietly, Math.max(delay, quietUntil - performance.now()));
  }

  function changed() {
    dirty = true;
    failures = 0;
    // At once the first time: options that come with the list push nothing away.
    if (!running) schedule(offer ? DEBOUNCE : 0);
  }

  // --- The page, as it is now --------------------------------------------------------------------

  const PAYMENT = ".checkout-step--payment";
  const NATIVE_RADIO = 'input[name="paymentProviderRadio"]';
  const PAYMENT_FORM = `${PAYMENT} form[data-test="payment-form"],${PAYMENT} form.checkout-form`;
  const GIVEN = "[data-sequra-methods]"; // a list that a custom checkout made for us
  const CONTENT = `${PAYMENT} .checkout-view-content`;
  const PLACES = `${CONTENT},${PAYMENT_FORM},${GIVEN}`; // there while the step is open
  const CHOSEN = '[data-sequra="chosen"]';
  const OUR_LIST = "sequra-list";
  const LIST = ".form-checklist,ul,ol";
  const COVERED = '.storeCreditOverlay,[data-test="payment-store-credit-overlay"],.spamProtection-container';
  const LOADING = '[class*="-skeleton"]:not(.loading-skeleton)';
  const SUBMIT = 'button#checkout-payment-continue,button[data-test="payment-submit-button"]';
  const PLACES_ORDER = `${SUBMIT},.form-actions [type="submit"],.form-actions button:not([type])`;

  const step = () => document.querySelector(PAYMENT) || document;
  const covered = () => document.prerendering || step().querySelector(COVERED);
  /** BigCommerce is placing an order: nothing may come between. */
  const ordering = () => [...step().querySelectorAll(SUBMIT)].some((one) => one.classList.contains("is-loading"));

  /** The list for our options and the form around it, or null while there is none. */
  function place() {
    if (covered() || lacksTerms()) return null;
    const given = document.querySelector(GIVEN);
    if (given) {
      const actions = document.querySelector("[data-sequra-actions]");
      return { list: given, form: given.closest("form"), actions };
    }
    const radio = step().querySelector(NATIVE_RADIO);
    const native = radio && radio.closest(LIST);
    const form = native ? native.closest("form") : document.querySelector(PAYMENT_FORM);
    const list = native || ownList(form || document.querySelector(CONTENT));
    return list ? { list, form, actions: form && form.querySelector(".form-actions") } : null;
  }

  /** A list of our own in a step without native methods; none while those still load. */
  function ownList(home) {
    const native = home && home.querySelector(`.form-checklist:not(.${OUR_LIST})`);
    if (native || !home) return native;
    if (home.querySelector(LOADING)) return null;
    const existing = home.querySelector(`.${OUR_LIST}`);
    if (existing || !((offer && offer.items.length) || alertBox.textContent)) return existing;
    const list = make("ul", `form-checklist optimizedCheckout-form-checklist ${OUR_LIST}`);
    home.insertBefore(list, home.querySelector(".form-actions"));
    return list;
  }

  function make(tag, className, words) {
    const node = document.createElement(tag);
    if (className) node.className = className;
    if (words) node.textContent = words;
    return node;
  }

  /** Our own words, written once: a translator of the browser may change them after us. */
  function put(node, words) {
    if (node.sequraWords === words) return;
    node.sequraWords = words;
    node.textContent = words;
  }

  const known = new WeakSet(); // nodes of the payment step seen before
  let lastTotal = "";

  /** Perhaps another checkout: step, form or list are new, or the total is another. */
  function noticeChanges() {
    if (covered()) {
      lastTotal = null; // whatever comes from under it is looked at
      return;
    }
    const radio = document.querySelector(NATIVE_RADIO);
    const nodes = [...document.querySelectorAll(PLACES)];
    if (radio) nodes.push(radio.closest(LIST) || radio);
    if (!nodes.length) return;
    const total = document.querySelector('[data-test="cart-total"],.cartDrawer-total');
    const words = total ? total.textContent : "";
    if (nodes.every((node) => known.has(node)) && words === lastTotal) return;
    nodes.forEach((node) => known.add(node));
    lastTotal = words;
    opened = true;
    changed();
  }

  // --- Our options -------------------------------------------------------------------------------

  let chosen = null; // id of the chosen method's radio
  let pulse = 0; // while a method is chosen
  let busy = false;
  let focused = null; // id of the node of ours that holds the focus

  const slug = (words) => String(words || "").replace(/[^a-z0-9]+/gi, "-");
  const idOf = (method) =>
    `radio-sequra-${slug(method.product)}${method.campaign ? `-${slug(method.campaign)}` : ""}`;
  const chosenMethod = () =>
    (offer && offer.methods.find((method) => idOf(method) === chosen)) || null;

  const alertBox = make("div", "sequra-own sequra-alert");
  alertBox.setAttribute("role", "alert");
  const status = make("span", "sequra-own sequra-status");
  status.setAttribute("role", "status");
  const button = make("button", "sequra-own");
  button.type = "button";
  button.id = "sequra-continue";
  button.addEventListener("click", safely("continue", () => start()));

  /** An icon as a picture: its markup never becomes part of the page. */
  function picture(icon) {
    if (!icon || !/<svg[\s>]/i.test(icon)) return null;
    const named = /<svg[^>]*\sxmlns=/i.test(icon)
      ? icon
      : icon.replace(/<svg/i, '<svg xmlns="http://www.w3.org/2000/svg"');
    const image = make("img", "paymentProviderHeader-img");
    image.alt = "";
    image.addEventListener("error", () => image.remove());
    image.src = `data:image/svg+xml,${encodeURIComponent(named)}`;
    return image;
  }

  /** One option with the classes BigCommerce gives its own. */
  function option(method, info) {
    const id = idOf(method);
    const item = make("li", "form-checklist-item optimizedCheckout-form-checklist-item sequra-item");
    item.dataset.sequraProduct = method.product;
    item.dataset.sequraCampaign = method.campaign || "";

    const radio = make("input", "form-checklist-checkbox optimizedCheckout-form-checklist-checkbox");
    radio.type = "radio";
    radio.id = id;
    radio.name = "sequraPayment";
    radio.value = id.slice("radio-".length);
    radio.addEventListener("change", safely("choose", () => choose(id)));

    const name = make("div", "paymentProviderHeader-nameContainer");
    name.dataset.test = `payment-method-${radio.value}`;
    const image = picture(method.icon);
    if (image) name.append(image);
    // The last class counts in the current theme alone, which is often not drawn yet.
    name.append(make("div", "paymentProviderHeader-name sub-header", method.title));
    name.lastChild.id = `${id}-name`;
    const line = make("div", "paymentProviderHeader-container");
    line.append(name);
    if (method.cost_description) {
      line.append(make("div", "paymentProviderHeader-cc sequra-cost", method.cost_description));
    }

    const label = make("label", "form-label optimizedCheckout-form-label");
    label.htmlFor = id;
    label.append(line);
    const field = make("div", "form-field");
    field.append(radio, label);
    if (info && info.configuration.products.includes(method.product)) {
      field.append(moreButton(method, info));
    }
    const header = make("div", "form-checklist-header");
    header.append(field);
    item.append(header);
    if (method.description) item.append(body(method, radio));
    return item;
  }

  function body(method, radio) {
    const below = make("div", "form-checklist-body");
    below.hidden = true;
    const words = make("p", "sequra-description", method.description);
    words.id = `${radio.id}-description`;
    radio.setAttribute("aria-describedby", words.id);
    below.append(words);
    return below;
  }

  /** A sentence where the options would be, when the app says why there are none. */
  function note(words) {
    const item = make("li", "form-checklist-item optimizedCheckout-form-checklist-item sequra-item");
    const header = make("div", "form-checklist-header");
    header.append(make("p", "sequra-description sequra-note", words));
    item.append(header);
    return item;
  }

  function itemsOf(next) {
    if (!next.methods.length && next.message) return [note(next.message)];
    return next.methods.map((method) => option(method, next.info));
  }

  /** An icon that comes later than its row makes the row higher. */
  const pictured = (items) =>
    Promise.all(
      items.flatMap((item) => [...item.querySelectorAll("img")].map((image) => image.decode().catch(() => {})))
    );

  function setOffer(next, why) {
    const focusedBefore = focused;
    const before = chosen;
    glide(() => {
      if (offer) offer.items.forEach((item) => item.remove());
      offer = next;
      if (before && !chosenMethod()) leave();
      draw();
    });
    if (offer && !offer.items.length) remember();
    giveFocusBack(focusedBefore);
    const paid = offer && offer.balance !== null && offer.balance <= 0;
    if (!before || chosen || paid || why === "") return;
    say(why || (offer && offer.message) || text("gone") || text("unavailable"));
  }

  const moved = new WeakMap(); // list → how often our options were brought to its end

  /** Make the page show the offer; changes nothing when it does already. */
  function draw() {
    if (chosen && lacksTerms() && document.querySelector(NATIVE_RADIO)) leave();
    const spot = place();
    const list = spot && spot.list;
    if (!spot || !list.classList.contains(OUR_LIST)) removeOwnLists();
    if (list && !offer && !unanswered && (running || timer)) keepRoom(list);
    else if (!offer || !offer.items.length) leaveRoom(); // the checkout as it was
    if (!spot || !offer || !offer.items.length) return clear(spot);
    const missing = offer.items.some((item) => item.parentNode !== list);
    if (missing ? mayPut() : overtaken(list)) {
      leaveRoom();
      list.append(...offer.items);
      giveFocusBack(focused);
      if (missing && offer.drawn) changed(); // React drew the list anew, for a reason
      if (!offer.drawn) requestAnimationFrame(() => setTimeout(remember)); // measured for nothing
      offer.drawn = true;
    }
    drawControls(spot);
    if (chosen) mark(spot);
  }

  // --- Room for options that are asked for -------------------------------------------------------

  const MEMORY = "sequra-rows"; // heights of the options shown last in this tab
  const room = []; // empty rows

  /** While the question is out: what stands below the list shall not move when the answer comes. */
  function keepRoom(list) {
    if (!room.length) room.push(...heights(list).map(emptyRow));
    if (room.some((row) => row.parentNode !== list) && mayPut()) list.append(...room);
  }

  const top = (node) => node.getBoundingClientRect().top; // with fractions of a pixel

  /**
   * Change the list; what stands below glides to its new place: nothing jumps from under a finger.
   * First everything is measured, then everything is moved: a measurement after a move is a layout.
   */
  function glide(work) {
    const below = [];
    const still = matchMedia("(prefers-reduced-motion:reduce)").matches;
    for (let node = !still && (place() || {}).list; node; node = node.parentNode) {
      for (let next = node; (next = next.nextElementSibling); ) below.push([next, top(next)]);
    }
    work();
    below
      .flatMap(([node, before]) => sliding(node, before - top(node)))
      .forEach(([node, by]) => node.animate({ transform: [`translateY(${by}px)`, "none"] }, 200));
  }

  const isFixed = (node) => getComputedStyle(node).position === "fixed";

  /** Nodes to move, around what is fixed, such as the order's drawer: a transform would unfix it. */
  function sliding(node, by) {
    if (!by || !node.offsetHeight || isFixed(node)) return [];
    return [...node.querySelectorAll("*")].some(isFixed)
      ? [...node.children].flatMap((one) => sliding(one, by))
      : [[node, by]];
  }

  const leaveRoom = () => room.splice(0).forEach((row) => row.remove());

  function emptyRow(height) {
    const row = make("li", "form-checklist-item optimizedCheckout-form-checklist-item sequra-room");
    row.setAttribute("aria-hidden", "true");
    row.style.height = `${height}px`;
    return row;
  }

  function heights(list) {
    try {
      return JSON.parse(sessionStorage.getItem(MEMORY)).slice(0);
    } catch (error) {
      // Nothing is remembered, or nothing may be: as high as a native row.
      const native = list.querySelector(".form-checklist-header");
      if (!native) return [];
      const below = list.offsetWidth < NARROW ? 2.5 : 0.25;
      return Array(ROWS).fill(native.offsetHeight + below * parseFloat(getComputedStyle(native).fontSize));
    }
  }

  /** Also that there was nothing: then no room is kept the next time. */
  function remember() {
    const height = (item) =>
      item.firstChild.getBoundingClientRect().height + item.offsetHeight - item.clientHeight;
    try {
      sessionStorage.setItem(MEMORY, JSON.stringify(offer.items.map(height)));
    } catch (error) {
      // A browser that stores nothing: the next page starts with the usual room.
    }
  }

  let puts = 0;
  let putsUntil = 0;
  let rest = 1000; // ms

  /**
   * React redraws now and then; a script that takes our options away would do it for ever: then we
   * put them back less and less often.
   */
  function mayPut() {
    const now = performance.now();
    if (now > putsUntil) {
      rest = puts > PUTS ? 2 * rest : 1000;
      putsUntil = now + rest;
      puts = 0;
      setTimeout(safely("look", look), rest + 1);
    }
    puts += 1;
    return puts <= PUTS;
  }

  /** Others come after us. Who puts them there again and again may keep them there. */
  function overtaken(list) {
    if (!list.querySelector(`.sequra-item~li ${NATIVE_RADIO}`)) return false;
    const times = moved.get(list) || 0;
    moved.set(list, times + 1);
    return times < MOVES;
  }

  function drawControls(spot) {
    const { actions, list } = spot;
    drawAlert(spot);
    // Not first, so that the native button stays where its theme puts a first one.
    const first = button.nextElementSibling && !status.previousElementSibling;
    const away = !(actions || list.parentNode).contains(button);
    if ((first || away) && mayPut()) {
      if (actions) actions.append(status, button);
      else alertBox.after(status, button);
    }
    dressButton(spot);
  }

  function drawAlert({ actions, list }) {
    const home = (actions || list).parentNode;
    if (alertBox.parentNode !== home) home.insertBefore(alertBox, actions || list.nextSibling);
  }

  const removeOwnLists = () =>
    document.querySelectorAll(`.${OUR_LIST}`).forEach((list) => list.remove());

  /** Look like BigCommerce's button, whatever its theme made of that. */
  function dressButton(spot) {
    const native = spot.form && spot.form.querySelector(SUBMIT);
    const look = native
      ? [...native.classList].filter((name) => name !== "is-loading").join(" ")
      : "button button--action button--large button--slab optimizedCheckout-buttonPrimary";
    const className = `${look} sequra-own${busy ? " is-loading" : ""}`;
    const opening = busy && text("opening");
    put(status, opening || (chosenMethod() || { title: "" }).title);
    if (button.className !== className) button.className = className;
    put(button, opening || text("pay"));
    button.toggleAttribute("hidden", !chosen);
    button.disabled = busy;
  }

  /** Take our options away. The choice is kept for when React brings the list back. */
  function clear(spot) {
    if (offer) offer.items.forEach((item) => item.remove());
    // While the list is drawn anew, the native button must not come back.
    if (!chosen || !offer || covered()) unmark();
    button.remove();
    status.remove();
    if (!alertBox.textContent) alertBox.remove();
    else if (spot) drawAlert(spot);
  }

  function wait(waiting) {
    if (offer) offer.items.forEach((item) => item.setAttribute("aria-busy", String(waiting)));
  }

  function giveFocusBack(id) {
    if (!id || (document.activeElement && document.activeElement !== document.body)) return;
    const node = document.getElementById(id);
    if (node) node.focus({ preventScroll: true });
  }

  // --- The second file ---------------------------------------------------------------------------

  let form = null; // what the second file does
  let loading = null;
  // What it uses of this one.
  const page = {
    leaving: false, // the browser is on its way to another page
    offer: () => offer,
    chosen: () => chosen,
    running: () => running,
    unsettled: () => Boolean(dirty || timer || running),
    use(found) {
      form = form || found;
      draw();
    },
    ...{ app, bringUp, changed, chosenMethod, idOf, locale, make, ordering, pause },
    ...{ readCheckout, request, runScript, say, termsBox, text },
  };

  /** For those who choose SeQura, or ask what it is. */
  async function loadForm() {
    const [name, integrity] = FORM;
    const more = { crossOrigin: "anonymous", integrity, sequra: page };
    loading = form || loading || runScript(new URL(name, address), document.head, more);
    try {
      await loading;
    } catch (error) {
      loading = null;
      throw error;
    }
  }

  /** Inserted markup never runs its scripts. */
  function runScript(url, into, more) {
    return new Promise((loaded, failed) => {
      const copy = Object.assign(make("script"), more);
      const late = setTimeout(() => failed(new Error("a script is late")), PATIENCE);
      if (NONCE) copy.nonce = NONCE;
      copy.async = false;
      copy.addEventListener("load", () => loaded(clearTimeout(late)));
      copy.addEventListener("error", () => failed(new Error("a script was refused")));
      copy.src = url;
      into.append(copy);
    });
  }

  function moreButton(method, info) {
    const more = make("button", "sequra-more", "+ info");
    more.type = "button";
    more.id = `${idOf(method)}-info`;
    more.setAttribute("aria-describedby", `${idOf(method)}-name`);
    more.setAttribute("aria-haspopup", "dialog");
    Object.assign(more.dataset, { product: method.product, campaign: method.campaign || "" });
    more.dataset.amount = info.amount;
    const failed = () => say(text("unavailable"));
    more.addEventListener(
      "click",
      safely("info", async () => {
        if (!form) await loadForm().catch(failed);
        if (form) await form.explainMethod(more, info);
      })
    );
    return more;
  }

  // --- Choosing ----------------------------------------------------------------------------------

  /** For custom checkouts, whose own choice is theirs to give up. */
  function tell() {
    const method = chosenMethod();
    const detail = method && { product: method.product, campaign: method.campaign };
    window.dispatchEvent(new CustomEvent("sequra:change", { detail }));
  }

  function choose(id) {
    if (chosen !== id) say("");
    if (!chosen) pulse = setInterval(safely("look", look), 250); // what no event tells
    chosen = id;
    draw();
    tell();
    loadForm().catch(() => {}); // tried again, and then reported, when the shopper continues
  }

  /** Show our choice as the only one: React's stays as it is, underneath. */
  function mark(spot) {
    const host = spot.form || spot.list.parentNode;
    if (!host.matches(CHOSEN)) host.dataset.sequra = "chosen";
    rivals(spot.list).forEach(unpick);
    offer.items.forEach((item) => markItem(item, item.querySelector("input").id === chosen));
  }

  /** The other radios of the list, native or another script's; not the cards stored inside one. */
  const rivals = (list) =>
    [...list.querySelectorAll('input[type="radio"]')].filter(
      (radio) => !isOurs(radio) && !radio.closest(".form-checklist-body")
    );

  const watched = new WeakSet();

  /** React sets `checked` whenever it renders, unseen: taken back at once while ours is chosen. */
  function unpick(radio) {
    if (radio.checked) radio.checked = false;
    if (watched.has(radio)) return;
    watched.add(radio);
    const name = "checked";
    const { get, set } =
      Object.getOwnPropertyDescriptor(radio, name) ||
      Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, name);
    Object.defineProperty(radio, name, {
      configurable: true,
      get,
      set(value) {
        set.call(radio, value);
        if (value && radio.closest(CHOSEN)) set.call(radio, false);
      },
    });
  }

  function markItem(item, selected) {
    const radio = item.querySelector("input");
    if (!radio) return;
    radio.checked = selected;
    item.classList.toggle("form-checklist-item--selected", selected);
    item.classList.toggle("optimizedCheckout-form-checklist-item--selected", selected);
    item.firstChild.classList.toggle("form-checklist-header--selected", selected);
    const below = item.querySelector(".form-checklist-body");
    if (below) below.toggleAttribute("hidden", !selected);
  }

  /** Give the choice back to BigCommerce. */
  function leave() {
    clearInterval(pulse);
    chosen = null;
    unmark();
    if (offer) offer.items.forEach((item) => markItem(item, false));
    button.hidden = true;
    if (form) form.forgetTerms();
    tell();
  }

  function unmark() {
    document.querySelectorAll(CHOSEN).forEach((host) => {
      host.removeAttribute("data-sequra");
      const selected = host.querySelector(`.form-checklist-item--selected ${NATIVE_RADIO}`);
      if (selected && !rivals(host).some((radio) => radio.checked)) {
        selected.checked = true;
      }
    });
  }

  const isOurs = (node) => node instanceof Element && Boolean(node.closest(".sequra-item,.sequra-own"));

  /** Any other radio of the list, native or another app's, takes the choice from us. */
  function onRadio(event) {
    const spot = chosen && place();
    if (!spot || !rivals(spot.list).includes(event.target)) return;
    leave();
    say("");
  }

  /** While ours is chosen, whatever would place the order natively continues with SeQura. */
  function guard(event) {
    const { target, type } = event;
    const places = () => type === "submit" || target.closest(PLACES_ORDER);
    const instead = chosen && target instanceof Element && target.closest(`form${CHOSEN}`) && places();
    if (!instead && !(isOurs(target) && ordering())) return undefined;
    event.preventDefault();
    event.stopImmediatePropagation();
    // Enter in the coupon box applies the coupon, which is up to the page.
    return event.isTrusted && document.activeElement.type === "text" ? undefined : start();
  }

  // --- Terms and conditions ----------------------------------------------------------------------

  function termsBox() {
    return document.querySelector(`${PAYMENT} #terms,${PAYMENT} input[type="checkbox"][name="terms"]`);
  }

  /** Terms are required here, and the page (without a native method, say) asks for none. */
  const lacksTerms = () => Boolean(offer && offer.terms && !termsBox());

  // --- Continuing with SeQura --------------------------------------------------------------------

  function say(words) {
    put(alertBox, words);
    draw();
    // In the middle: a drawer may lie over the end of the page.
    if (words && alertBox.isConnected) alertBox.scrollIntoView({ block: "center" });
  }

  function setBusy(now) {
    busy = now;
    draw();
  }

  /** What a shopper understands of a failure. */
  function explain(error) {
    const { code, message } = error.body || {};
    const said = error.status < 500 && code !== "sequra_unavailable" && message;
    const offline = navigator.onLine === false && text("offline");
    return offline || said || `${text("unavailable")} ${text("retry")}`;
  }

  async function start() {
    if (busy || !chosenMethod() || ordering()) return;
    say("");
    if (form && !form.termsAgreed()) return;
    const before = isOurs(document.activeElement) ? document.activeElement.id : button.id;
    setBusy(true);
    try {
      await loadForm();
      await form.begin();
    } catch (error) {
      say(explain(error));
      if (!(error instanceof Failure)) report("continue", error);
      if (!offer) schedule(RETRIES[0]);
    } finally {
      if (!page.leaving) {
        setBusy(false);
        giveFocusBack(before);
      }
    }
  }

  // --- Listening to the page ---------------------------------------------------------------------

  function addStyles() {
    try {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLES);
      document.adoptedStyleSheets = [...document.adoptedStyleSheets, sheet];
    } catch (error) {
      const style = document.createElement("style");
      if (NONCE) style.nonce = NONCE;
      style.textContent = STYLES;
      document.head.append(style);
    }
  }

  function look() {
    if (form) form.keepQuiet();
    noticeChanges();
    draw();
  }

  function listen() {
    const lookSafely = safely("look", look);
    const onInput = safely("input", (event) => {
      onRadio(event);
      if (event.type === "change") onChange(event);
      setTimeout(() => {
        lookSafely(); // React sets its own radio again whenever it renders
      });
    });
    const seen = { childList: true, subtree: true, characterData: true, attributeFilter: ["class"] };
    new MutationObserver(lookSafely).observe(document.body, seen);
    for (const type of ["click", "submit"]) window.addEventListener(type, safely(type, guard), true);
    for (const type of ["click", "change"]) window.addEventListener(type, onInput, true);
    window.addEventListener("focusin", (event) => {
      focused = isOurs(event.target) ? event.target.id : null;
    });
    window.addEventListener("focusout", () => setTimeout(lookSafely));
    document.addEventListener("prerenderingchange", lookSafely);
    document.addEventListener("visibilitychange", backHere);
    window.addEventListener("online", backHere);
    window.addEventListener("sequra:leave", safely("leave", () => chosen && leave()));
    window.addEventListener("sequra:refresh", changed);
    window.addEventListener("pageshow", safely("pageshow", comeBack));
  }

  function backHere() {
    if (!document.hidden && document.querySelector(PLACES)) changed();
  }

  function onChange(event) {
    if (!(event.target instanceof Element)) return;
    if (event.target.id === "useStoreCredit") changed();
    if (event.target === termsBox() && event.target.checked && form) form.forgetTerms();
  }

  /** The browser's back button may show the page as it was when it was left. */
  function comeBack(event) {
    if (!event.persisted) return;
    page.leaving = false;
    setBusy(false);
    changed();
    if (form) form.comeBack();
  }

  const begun = safely("begin", () => {
    addStyles();
    listen();
    look();
    // Reloaded while the form was open: what steps over its entry in the history is in there.
    if ((history.state || {}).sequra) loadForm().catch(() => {});
    // Before the step is there: options that come with the native list push nothing away.
    if (!opened) refreshQuietly();
  });
  if (document.body) begun();
  else document.addEventListener("DOMContentLoaded", begun);
})();
