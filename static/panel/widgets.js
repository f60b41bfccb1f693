// Progressive enhancement only: what selectors match on a page of the store, and how the widget looks.
"use strict";

const preview = document.getElementById("preview");
const fields = document.querySelectorAll('[name^="at-"]');
const frame = preview.querySelector("iframe");
const status = preview.querySelector('[role="status"]');
const EUROS = /(?:€|EUR)\s*(\d[\d.,\s]*)|(\d[\d.,\s]*)\s*(?:€|EUR)/;
// As static/storefront/sequra-widgets.js looks for it.
const PRICES = ["[data-product-price-with-tax]", "[data-product-price-without-tax]"];
const SECONDS = 240; // an address of the frame is valid for a little longer
let found = null; // the page of the store, parsed: nothing in it runs
let framed = { address: "", at: 0 };

/** 1.234,56 and 1,234.56 in cents; NaN for no price in euros. */
function cents(text) {
  const price = EUROS.exec(text);
  const digits = price ? (price[1] || price[2]).replace(/\s/g, "").replace(/[.,]$/, "") : "x";
  const [, whole, rest] = /^(.*?)(?:[.,](\d{1,2}))?$/.exec(digits);
  return Number(whole.replace(/[.,]/g, "")) * 100 + Number((rest || "0").padEnd(2, "0"));
}

/** How many elements a selector matches; null for no selector. */
function count(selector) {
  try {
    return found.querySelectorAll(selector).length;
  } catch {
    return null;
  }
}

function describe(field) {
  const hint = document.getElementById(`${field.id}-matches`);
  const selector = field.value.trim();
  const matches = found && selector ? count(selector) : undefined;
  const { invalid, none, one, many } = preview.dataset;
  const texts = { null: invalid, 0: none, 1: one, undefined: "" };
  hint.textContent = matches in texts ? texts[matches] : many.replace("%s", matches);
  hint.classList.toggle("error", matches === null);
}

/** The price that the page's visitors read, in cents. */
function priceOf(page) {
  const own = document.getElementById("at-product_price").value.trim();
  for (const selector of [...(own && count(own) ? [own] : []), ...PRICES]) {
    for (const node of page.querySelectorAll(selector)) {
      if (!isNaN(cents(node.textContent))) return cents(node.textContent);
    }
  }
  const meta = page.querySelector('meta[property="product:price:amount"]');
  if (meta) return Math.round(Number(meta.content) * 100);
  for (const one of page.querySelectorAll('script[type="application/ld+json"]')) {
    const price = /"price"\s*:\s*"?(\d+(?:\.\d+)?)/.exec(one.textContent);
    if (price) return Math.round(Number(price[1]) * 100);
  }
  return NaN;
}

/** SeQura's component for that price, with what the form says now. */
function show() {
  if (!found) return;
  fields.forEach(describe);
  const amount = priceOf(found);
  const money = new Intl.NumberFormat(document.documentElement.lang, { style: "currency", currency: "EUR" });
  const { price, noPrice } = preview.dataset;
  status.textContent = isNaN(amount) ? noPrice : price.replace("%s", money.format(amount / 100));
  const query = new URLSearchParams({ amount: isNaN(amount) ? 10000 : amount });
  for (const [name, value] of new FormData(document.getElementById("widgets"))) {
    if (/^(theme-|product$)/.test(name)) query.append(name, value);
  }
  const address = `${framed.address}&${query}`;
  if (frame.getAttribute("src") !== address) frame.src = address;
  frame.hidden = false;
}

async function read() {
  status.textContent = preview.dataset.reading;
  const address = document.getElementById("preview-address").value.trim();
  const reply = await fetch(`${preview.dataset.page}?${new URLSearchParams({ address })}`).catch(() => null);
  const body = reply && reply.ok ? await reply.json() : {};
  found = body.html === undefined ? null : new DOMParser().parseFromString(body.html, "text/html");
  framed = { address: body.frame, at: Date.now() };
  if (found) return show();
  fields.forEach(describe);
  frame.hidden = true;
  status.textContent = preview.dataset.unreadable;
  return undefined;
}

let timer = 0;

preview.hidden = false;
preview.querySelector("button").addEventListener("click", read);
document.getElementById("widgets").addEventListener("input", () => {
  clearTimeout(timer);
  const isOld = found && Date.now() - framed.at > SECONDS * 1000;
  timer = setTimeout(isOld ? read : show, 300);
});
