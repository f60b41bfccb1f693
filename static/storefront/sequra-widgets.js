/*
 * SeQura's instalments on product, cart and listing pages.
 *
 * The Scripts API puts this file on the shop's pages, deferred and with an SRI hash, the same bytes
 * for every store; its own address says which store and channel (?store=&channel=), in which places
 * widgets are on (&places=), and what a product in a list is where no usual class says so (&cards=).
 * The app answers once per page what may be shown; SeQura's own script draws it, and is loaded only
 * where something is shown. A page may be drawn anew at any time (variants, filters, client-side
 * navigation): it is looked at again after every change. Nothing is thrown into the page.
 */
(() => {
  "use strict";

  const script = document.currentScript || document.querySelector('script[src*="/sequra-widgets."]');
  if (!script || window.sequraWidgets) return;
  window.sequraWidgets = true;
  const address = new URL(script.src);
  const given = (name) => address.searchParams.get(name) || "";
  const PLACES = given("places").split(",");
  const API = `${address.origin}/storefront/${encodeURIComponent(given("store"))}`;
  const NONCE = script.nonce || ""; // readable only now; SeQura's script needs it under a nonce policy
  const PAUSE = 100; // ms; a page is drawn in bursts of changes
  const MOST = 100; // products of a list

  // Cornerstone and themes made from it; then microdata; then what looks like it.
  const PRODUCT = '.productView,[itemtype$="schema.org/Product"]';
  const CARDS =
    '.productGrid .card,.productList .card,.productCarousel .card,.listItem,[data-product-card],article[data-entity-id]';
  const WITH_TAX = "[data-product-price-with-tax]";
  const WITHOUT_TAX = "[data-product-price-without-tax]";
  const QUANTITY = 'input[name="qty[]"],input[name="quantity"],select[name="quantity"]';
  const TO_CHECKOUT = 'a[href*="/checkout"],form[action*="/checkout"],[data-test*="checkout"]';
  const GIVEN = "[data-sequra-widget]"; // a place that a theme made for us
  const OURS = ".sequra-widget";
  const NOT_A_PRICE = `s,del,strike,script,style,noscript,template,label,option,${OURS},[class*="rrp" i],[class*="non-sale" i],[class*="nonSale" i],[class*="saved" i]`;
  const EUROS = /(?:€|EUR)\s*(\d[\d.,'\s]*)|(\d[\d.,'\s]*)\s*(?:€|EUR)/;

  const all = (selector, root) => {
    try {
      return [...(root || document).querySelectorAll(selector)];
    } catch (error) {
      return []; // a merchant's selector that is none
    }
  };
  const seen = (node) => Boolean(node && node.getClientRects().length);
  const first = (selector, root) => (selector ? all(selector, root).find(seen) : undefined);
  const main = () => document.querySelector('main,[role="main"],.body') || document.body;
  // Language, script, region, one variant: what Intl takes of any page; themes write es_ES too.
  const locale = () =>
    [document.documentElement.lang, navigator.language]
      .map((tag) => (tag || "").replace(/_/g, "-"))
      .find((tag) => /^[a-z]{2,3}(-[a-z]{4})?(-([a-z]{2}|\d{3}))?(-[a-z0-9]{5,8})?$/i.test(tag)) || "es";

  let reports = 0;

  /** Tell the app what went wrong, nothing about the shopper. */
  function report(error) {
    if (reports++ > 2) return;
    const body = JSON.stringify({ where: "widgets", message: String(error).slice(0, 300) });
    const headers = { "Content-Type": "application/json" };
    fetch(`${API}/errors`, { method: "POST", credentials: "omit", headers, body }).catch(() => {});
  }

  // --- Prices, in cents --------------------------------------------------------------------------

  /** 1.234,56 and 1,234.56; of a range the lower end. NaN for no price in euros. */
  function cents(text, inEuros) {
    const found = EUROS.exec(text) || (inEuros && !/[$£¥]/.test(text) && /(\d[\d.,'\s]*)/.exec(text));
    if (!found) return NaN;
    const digits = (found[1] || found[2]).replace(/[\s']/g, "").replace(/[.,]$/, "");
    const parts = /^(.*?)(?:[.,](\d{1,2}))?$/.exec(digits);
    return Number(parts[1].replace(/[.,]/g, "")) * 100 + Number((parts[2] || "0").padEnd(2, "0"));
  }

  const isStruck = (node) => getComputedStyle(node).textDecorationLine.includes("line-through");

  /** Prices that somebody can see in a part of the page: {node, amount}. */
  function prices(root, after, before) {
    const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
    const found = [];
    while (walker.nextNode()) {
      const { data, parentElement: parent } = walker.currentNode;
      const follows = (node, it) => node.compareDocumentPosition(it) & Node.DOCUMENT_POSITION_FOLLOWING;
      const isSigned = EUROS.test(data);
      if (data.length > 60 || !(isSigned || /^\s*\d[\d.,'\s]*$/.test(data))) continue;
      if ((after && !follows(after, parent)) || (before && !follows(parent, before))) continue;
      // The sign may be in an element of its own.
      const whole = isSigned ? parent : parent.parentElement;
      if (!(whole.textContent.length < 60 && EUROS.test(whole.textContent))) continue;
      if (parent.closest(NOT_A_PRICE) || !seen(parent) || isStruck(parent)) continue;
      const amount = cents(data, true);
      if (amount > 0) found.push({ node: parent, amount });
    }
    return found;
  }

  /** What the page says about its product to machines: Cornerstone, then search engines. */
  function productData() {
    const attributes = (window.BCData || {}).product_attributes;
    if (attributes && attributes.price) {
      const { currency, value } = attributes.price.with_tax || attributes.price.without_tax || {};
      return { currency, value, sku: attributes.sku };
    }
    for (const one of all('script[type="application/ld+json"]')) {
      try {
        const found = JSON.parse(one.textContent);
        const product = [found["@graph"] || found].flat().find((item) => item["@type"] === "Product");
        if (!product) continue;
        const offer = [product.offers || {}].flat()[0];
        const price = offer.price || offer.lowPrice || (offer.priceSpecification || {}).price;
        return { currency: offer.priceCurrency, value: price, sku: product.sku };
      } catch (error) {
        // Not ours to mend.
      }
    }
    const meta = (name) => (document.querySelector(`meta[property="${name}"]`) || {}).content;
    const isProduct = meta("og:type") === "product" || all(PRODUCT).some((one) => !one.closest(".modal"));
    return isProduct ? { currency: meta("product:price:currency"), value: meta("product:price:amount") } : null;
  }

  const idIn = (root) => {
    const marked = 'input[name="product_id"],form[action*="cart"] input[name="id"],input[type="hidden"][name="id"]';
    const held = root.querySelector(marked);
    const { entityId, productId } = root.dataset || {};
    const below = root.querySelector("[data-product-id],[data-entity-id]");
    const found = entityId || productId || (held && held.value);
    return Number(found || (below && (below.dataset.productId || below.dataset.entityId))) || 0;
  };

  /** The element after which a widget stands: the first of these that can be seen. */
  const anchor = (...nodes) => nodes.find(seen);

  /** The line that a price is on: what follows that is below it. */
  function lineOf(price, root) {
    let node = price;
    const others = (one, selector) => all(selector, one).filter((inner) => !inner.closest(OURS)).length;
    const length = (one) => all(OURS, one).reduce((sum, own) => sum - own.textContent.length, one.textContent.length);
    const alone = (one) => length(one) < 90 && !others(one, "h1,h2,h3,h4,form,a,img,button,input");
    while (node && node.parentElement !== root && node.parentElement && alone(node.parentElement)) {
      node = node.parentElement;
    }
    return node;
  }

  // --- What may be shown -------------------------------------------------------------------------

  const answers = new Map(); // by address

  /** The app's answer for a page; null where there is none, and nothing is shown. */
  function ask(place, more) {
    const query = new URLSearchParams({ place, channel: given("channel") || 1, currency: "EUR", locale: locale() });
    for (const name of ["product", "sku"]) {
      [...new Set(more[name] || [])].filter(Boolean).slice(0, MOST).sort().forEach((one) => query.append(name, one));
    }
    const url = `${API}/widgets?${query}`;
    if (!answers.has(url)) {
      const answer = fetch(url, { credentials: "omit", headers: { Accept: "application/json" } });
      answers.set(url, answer.then((one) => (one.ok ? one.json() : null)).catch(() => null));
    }
    return answers.get(url);
  }

  const finances = (method, amount) =>
    (method.min === null || amount >= method.min) && (method.max === null || amount <= method.max);

  // --- SeQura's own script -----------------------------------------------------------------------

  let loading = null;

  /** Load it, once and only for somebody who sees something of it. */
  function sequra(configuration) {
    if (!loading) {
      loading = new Promise((done, failed) => {
        if (!(window.Sequra && window.Sequra.onLoad)) {
          window.SequraConfiguration = configuration;
          window.SequraOnLoad = [];
          window.Sequra = { onLoad: (work) => window.SequraOnLoad.push(work) };
          const copy = document.createElement("script");
          if (NONCE) copy.nonce = NONCE;
          copy.async = true;
          copy.addEventListener("error", () => failed(new Error("SeQura's script was refused")));
          copy.src = configuration.scriptUri;
          document.head.append(copy);
        }
        window.Sequra.onLoad(done);
      });
    }
    return loading;
  }

  // --- Drawing without a jump --------------------------------------------------------------------

  const top = (node) => node.getBoundingClientRect().top;
  let gliding = [];
  const isFixed = (node) => getComputedStyle(node).position === "fixed";

  /**
   * Change the page near these nodes; whatever moves glides to its new place instead of jumping.
   * First everything is measured, then everything is moved: a measurement after a move is a layout.
   */
  function glide(nodes, work) {
    const path = new Set();
    for (const one of nodes) {
      for (let node = one; node && node !== document.body; node = node.parentElement) path.add(node);
    }
    const before = new Map();
    const measure = (parent) => {
      for (const child of parent.children) {
        before.set(child, top(child));
        if (path.has(child)) measure(child);
      }
    };
    measure(document.body);
    gliding.forEach((one) => one.cancel()); // what still moves goes on from where it is seen
    work();
    const moves = [];
    const compare = (parent, inherited) => {
      for (const child of parent.children) {
        if (!before.has(child)) continue;
        const by = before.get(child) - top(child) - inherited;
        // A transform would unfix what is fixed inside.
        const free = !isFixed(child) && ![...child.querySelectorAll("*")].some(isFixed);
        if (Math.abs(by) > 0.1 && free) moves.push([child, by]);
        if (path.has(child)) compare(child, free ? inherited + by : inherited);
      }
    };
    if (!matchMedia("(prefers-reduced-motion:reduce)").matches) compare(document.body, 0);
    gliding = moves.map(([node, by]) => node.animate({ transform: [`translateY(${by}px)`, "none"] }, 200));
  }

  const isBehind = (node, after) => after.nextElementSibling === node || after.lastElementChild === node;

  /** Put a node behind another, or at its end where what is behind would stand beside it. */
  function putBehind(node, after) {
    const { display, flexDirection } = getComputedStyle(after.parentElement);
    const isRow = /flex/.test(display) && /^row/.test(flexDirection);
    if (isRow) after.append(node);
    else after.after(node);
  }

  /** An empty place of ours; it is as high as what SeQura draws in it, once that is there. */
  function box() {
    const outer = document.createElement("div");
    const inner = document.createElement("div");
    outer.className = OURS.slice(1);
    Object.assign(outer.style, { height: 0, overflow: "hidden", flex: "none", minWidth: 0 });
    Object.assign(inner.style, { display: "flow-root", padding: "8px 0" });
    outer.append(inner);
    const follow = () => {
      const isEmpty = [...inner.children].every((one) => !one.offsetHeight);
      const height = `${isEmpty ? 0 : inner.offsetHeight}px`;
      if (outer.isConnected && outer.style.height !== height) {
        glide([outer], () => (outer.style.height = height));
      }
    };
    // Not within the frame: its animations have begun, and another one would miss it.
    new ResizeObserver(() => setTimeout(follow)).observe(inner);
    return outer;
  }

  /** SeQura's component for a method; the theme's names are its own. */
  function component(method, theme) {
    const node = document.createElement("div");
    node.className = "sequra-promotion-widget";
    for (const [name, value] of Object.entries(theme)) node.setAttribute(`data-${name}`, value);
    node.dataset.product = method.product;
    if (method.campaign) node.dataset.campaign = method.campaign;
    return node;
  }

  let shown = null; // {outer, key}: the components of a product or cart

  /** SeQura's components for this amount, behind this node. */
  async function drawComponents(answer, amount, after) {
    const key = JSON.stringify([answer.methods, answer.theme]);
    const possible = answer.methods.filter((method) => finances(method, amount));
    if (!shown || shown.key !== key) {
      clear();
      if (!possible.length) return;
      shown = { key, outer: box(), nodes: answer.methods.map((method) => component(method, answer.theme)) };
      shown.outer.firstChild.append(...shown.nodes);
    }
    const { outer, nodes } = shown;
    nodes.forEach((node, at) => {
      node.style.display = possible.includes(answer.methods[at]) ? "" : "none";
      if (node.dataset.amount !== String(amount)) node.dataset.amount = amount;
    });
    if (!isBehind(outer, after)) glide([outer, after], () => putBehind(outer, after));
    if (!possible.length) return;
    await sequra(answer.configuration);
    if (outer.sequraAmount === amount) return;
    outer.sequraAmount = amount;
    window.Sequra.refreshComponents();
  }

  function clear() {
    all(OURS).forEach((node) => node.remove());
    shown = null;
  }

  // --- Product pages -----------------------------------------------------------------------------

  function productPrice(data, root, selector) {
    const inEuros = data.currency === "EUR";
    const priced = [selector, WITH_TAX, WITHOUT_TAX].map((one) => first(one, root));
    const node = priced.find((one) => one && !isNaN(cents(one.textContent, inEuros)));
    if (node) return { node, amount: cents(node.textContent, inEuros) };
    const [found] = prices(root, root.querySelector("h1"));
    return found || { amount: inEuros ? Math.round(Number(data.value) * 100) : NaN };
  }

  async function drawProduct(data) {
    const view = all(PRODUCT).find((one) => !one.closest(".modal") && seen(one));
    const root = view || main();
    if (data.currency && data.currency !== "EUR") return clear();
    const id = idIn(root);
    const skuNode = first("[data-product-sku]", root);
    const sku = (skuNode && skuNode.textContent.trim()) || data.sku;
    let answer = await ask("product", { product: [id] });
    if (answer && answer.by_sku && sku) answer = await ask("product", { product: [id], sku: [sku] });
    if (!answer || !answer.methods.length) return clear();
    const { node, amount } = productPrice(data, root, answer.price_selector);
    const field = first(QUANTITY, root);
    const count = Math.max(1, parseInt(field && field.value, 10) || 1);
    if (isNaN(amount)) return clear();
    const line = node && lineOf(node, root);
    const price = all(".productView-price", root).filter(seen).pop();
    const usual = [first(GIVEN, root), price, line, first("h1", root), first("h1")];
    return drawComponents(answer, amount * count, anchor(first(answer.selector), ...usual) || root.lastElementChild);
  }

  // --- The cart ----------------------------------------------------------------------------------

  const isHeadless = () => Boolean(self.__next_f || document.querySelector("#__next"));
  let cart = null; // {total, lines}: read again when the page shows another total

  /** What is in it; a shop of another kind has no such address. */
  async function readCart(total) {
    if (cart && cart.total === total) return cart.found;
    const url = `${location.origin}/api/storefront/carts`;
    const headers = { Accept: "application/json" };
    const carts = isHeadless()
      ? []
      : await fetch(url, { credentials: "same-origin", cache: "no-store", headers })
          .then((answer) => (answer.ok ? answer.json() : []))
          .catch(() => []);
    cart = { total, found: carts[0] };
    return cart.found;
  }

  function cartTotal(selector) {
    const node = first(selector) || first(".cart-total-grandTotal .cart-total-value,.cart-total-grandTotal");
    const exit = all(TO_CHECKOUT, main()).filter(seen).pop();
    const found = node ? { node, amount: cents(node.textContent, true) } : exit && prices(main(), null, exit).pop();
    return { amount: NaN, ...found, exit };
  }

  async function drawCart() {
    const total = cartTotal().node;
    const found = await readCart(total && total.textContent);
    if (!total && !found) return clear(); // an empty cart
    if (found && found.currency.code !== "EUR") return clear();
    const lines = found ? Object.values(found.lineItems).flat() : [];
    const answer = await ask("cart", {
      product: lines.map((line) => line.productId),
      sku: lines.map((line) => line.sku),
    });
    if (!answer || !answer.methods.length) return clear();
    const { node, exit, ...shownTotal } = cartTotal(answer.price_selector);
    const amount = shownTotal.amount || (found && Math.round(found.cartAmount * 100));
    if (!amount) return clear();
    const totals = first("[data-cart-totals],.cart-totals");
    const line = node && lineOf(node, main());
    return drawComponents(answer, amount, anchor(first(answer.selector), first(GIVEN), totals, line, exit) || main().lastElementChild);
  }

  // --- Lists of products -------------------------------------------------------------------------

  /** Products in a list: by the merchant's selector, by usual classes, else by what they hold. */
  function cards() {
    const named = all(given("cards") || CARDS).filter(seen);
    if (named.length || given("cards")) return named;
    const found = prices(main()).map(({ node }) => node.closest('li,article,[class*="card" i],[class*="product" i]'));
    const whole = found.filter((one) => one && one !== main() && one.querySelector("a[href]") && one.querySelector("img"));
    return new Set(whole).size > 1 ? [...new Set(whole)] : [];
  }

  function cardPrice(card, selector) {
    const usual = [selector, WITH_TAX, ".price--withTax", WITHOUT_TAX, ".price--withoutTax"];
    const node = usual.map((one) => first(one, card)).find((one) => one && cents(one.textContent) >= 0);
    return node ? { node, amount: cents(node.textContent) } : prices(card)[0] || { amount: NaN };
  }

  /** A line like "From 12.24 €/month", computed by SeQura. */
  function instalment(answer, amount) {
    const [method] = answer.methods;
    const [message, below] = answer.texts;
    if (method.min !== null && amount < method.min) {
      const money = { style: "currency", currency: "EUR" };
      return below.replace("%s", new Intl.NumberFormat(locale(), money).format(method.min / 100));
    }
    const { product } = method;
    const agreements = window.Sequra.computeCreditAgreements({ amount: String(amount), product })[product] || [];
    const chosen = agreements.find((one) => one.default) || agreements.pop();
    return chosen ? message.replace("%s", chosen.instalment_total.string) : "";
  }

  async function drawList(found) {
    const ids = found.map(idIn);
    const answer = await ask("listing", { product: ids });
    if (!answer || !answer.methods.length) return clear();
    const [method] = answer.methods;
    const lines = [];
    found.forEach((card, at) => {
      const { node: price, amount } = cardPrice(card, answer.price_selector);
      const allowed = answer.only === null || answer.only.includes(ids[at]);
      const most = method.max === null || amount <= method.max;
      const own = first(OURS, card) || card.querySelector(OURS);
      if (!(allowed && most && amount > 0)) own && own.remove();
      else if (!own || own.sequraAmount !== amount) lines.push({ card, price, amount, own });
    });
    if (!lines.length) return undefined;
    if (lines.some(({ amount }) => finances(method, amount))) await sequra(answer.configuration);
    const texts = lines.map(({ amount }) => instalment(answer, amount));
    const after = lines.map(({ card, price }) => lineOf(price, card));
    glide(after, () => lines.forEach(({ own, amount }, at) => putLine(own, texts[at], amount, after[at])));
  }

  function putLine(own, text, amount, after) {
    const node = own || document.createElement("div");
    node.className = OURS.slice(1);
    node.style.fontSize = ".875em";
    node.textContent = text;
    node.sequraAmount = amount;
    if (!own) putBehind(node, after);
  }

  // --- Looking at the page -----------------------------------------------------------------------

  let running = false;
  let again = false;
  let here = location.href;

  async function draw() {
    if (here !== location.href) clear();
    here = location.href;
    const place = (name) => PLACES.includes(name);
    if (/(^|\/)cart(\.php)?\/?$/.test(location.pathname)) return place("cart") ? drawCart() : clear();
    const data = productData();
    if (data) return place("product") ? drawProduct(data) : clear();
    const found = place("listing") ? cards() : [];
    return found.length ? drawList(found.slice(0, MOST)) : clear();
  }

  /** One look at a time; what changes meanwhile is looked at before it ends. */
  async function look() {
    again = true;
    if (running) return;
    running = true;
    while (again) {
      again = false;
      await draw().catch(report);
    }
    running = false;
  }

  let timer = 0;

  function soon() {
    if (!timer) timer = setTimeout(() => ((timer = 0), look()), PAUSE);
  }

  const isOurs = (node) => Boolean((node.closest ? node : node.parentElement || document.body).closest(OURS));
  const byUs = ({ target, addedNodes, removedNodes }) => {
    const changed = [...addedNodes, ...removedNodes];
    return isOurs(target) || (changed.length > 0 && changed.every((node) => node.closest && isOurs(node)));
  };

  function begin() {
    look();
    const seenChanges = { childList: true, subtree: true, characterData: true };
    new MutationObserver((changes) => changes.every(byUs) || soon()).observe(document.body, seenChanges);
    for (const type of ["change", "input", "click"]) document.addEventListener(type, soon);
    window.addEventListener("popstate", soon);
  }

  // React takes over markup that nobody has changed: it is left alone until then.
  if (!isHeadless()) begin();
  else if (document.readyState === "complete") setTimeout(begin);
  else window.addEventListener("load", () => setTimeout(begin));
})();
