/*
 * SeQura in a storefront of your own (headless): an ES module without a page of its own.
 * docs/api.md has an example, docs/api/openapi.yaml every field. It runs on an origin of the shop.
 */

const POLL = 2000; // ms between two looks at the payment
const PATIENCE = 15000; // ms for SeQura's form to load

/** An answer that is no success: `status`, `code` and `message` of the app, `retryAfter` seconds. */
export class Failure extends Error {
  constructor(status, body, retryAfter) {
    super((body && body.message) || `SeQura: ${status}`);
    Object.assign(this, { status, code: (body && body.code) || "", retryAfter: Number(retryAfter) || 0 });
  }
}

export class Sequra {
  /** `app` is the app's origin; `store` the id in the address of the registered checkout script. */
  constructor(app, store) {
    this.base = `${app}/storefront/${store}`;
  }

  /** `{solicitation, methods, reasons, message, …}` for a BigCommerce checkout. */
  methods(checkoutId, { locale = navigator.language, layout = "desktop", ...more } = {}) {
    return this.post("payment-methods", { checkout_id: checkoutId, locale, layout, ...more });
  }

  /** The identification form for one of these methods. `terms`: were they accepted? */
  form(solicitation, { product, campaign }, terms) {
    return this.post("form", { solicitation, product, campaign, terms_accepted: terms });
  }

  /** Show the form inside an element; resolves with the payment's progress once that is decided. */
  async pay(form, element) {
    const frames = insert(form, element);
    try {
      const instance = await loaded();
      const closed = new Promise((close) => instance.setCloseCallback(close));
      instance.show();
      return await Promise.race([decided(form.status_url), closed.then(() => ask(form.status_url))]);
    } finally {
      frames.forEach((frame) => frame.remove());
      window.SequraFormInstance = window.SequraFormElement = undefined;
    }
  }

  post(path, body) {
    return ask(`${this.base}/${path}`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
  }
}

async function ask(url, options = {}) {
  const answer = await fetch(url, { credentials: "omit", cache: "no-store", ...options });
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Failure(answer.status, body, answer.headers.get("Retry-After"));
  return body;
}

/** Frames and scripts of SeQura's form, from the origins that the app trusts and no others. */
function insert(form, element) {
  const parsed = new DOMParser().parseFromString(form.html, "text/html");
  const isTrusted = (url) => form.origins.includes(new URL(url, location.href).origin);
  const sources = (name) => [...parsed.querySelectorAll(`${name}[src]`)].filter((one) => isTrusted(one.src));
  const nodes = [...sources("iframe"), ...sources("script")].map((one) => {
    const copy = document.createElement(one.localName);
    for (const { name, value } of one.attributes) {
      if (!/^(on|srcdoc|style)/i.test(name)) copy.setAttribute(name, value);
    }
    if (one.localName === "iframe") copy.style.cssText = one.style.cssText;
    return copy;
  });
  const [frame] = nodes;
  if (!frame || frame.localName !== "iframe") throw new Error("SeQura: no identification form");
  window.SequraFormInstance = undefined;
  window.SequraFormElement = frame.id; // what the form's inline script would set
  element.append(...nodes);
  return nodes;
}

async function loaded() {
  for (let waited = 0; waited < PATIENCE; waited += 100) {
    if (window.SequraFormInstance) return window.SequraFormInstance;
    await pause(100);
  }
  throw new Error("SeQura: the form did not load");
}

/** A failed look says nothing about the payment: look again. */
async function decided(url) {
  for (;;) {
    const progress = await ask(url).catch(() => ({ status: "waiting" }));
    if (progress.status !== "waiting") return progress;
    await pause(POLL);
  }
}

const pause = (ms) => new Promise((done) => setTimeout(done, ms));
