/*
 * The demo shop's checkout page. It draws the same elements, classes and ids on the payment step as
 * BigCommerce's own one-page checkout, and treats them as React does:
 *  - another total throws the payment form away and draws a new one, on the default method, so
 *    whatever another script put into it is gone;
 *  - every other render changes no node and yet sets the native radios again: after a blur, after
 *    a change, after every load of the checkout, always a moment later.
 *
 * Knobs of the query: `theme=v2` (BigCommerce's current theme), `methods=none` (the shop has no
 * method of its own), `wallet=1` (a method with a button of its own in place of the submit button).
 */
(() => {
  "use strict";

  const root = document.getElementById("checkout-app");
  const { checkoutId, terms: termsOn, spam: spamOn, locale } = root.dataset;
  const WARES = JSON.parse(root.dataset.wares || "{}"); // what the shop sells, in the page's language
  const ware = (name) => WARES[name] || name;
  const LOADING = 250; // ms that the skeleton of the payment methods is seen
  const RENDER = 15; // ms; validation is asynchronous, and a render follows it
  const OPENING = 200; // ms that a step takes to open on a wide screen
  const PHONE = "(max-width: 968px)";
  const knobs = new URLSearchParams(location.search);

  const TEXTS = {
    en: {
      customer: "Customer", shipping: "Shipping", payment: "Payment", edit: "Edit", save: "Continue",
      guest: "Guest", methods: "Payment method", place: "Place order", summary: "Order summary",
      subtotal: "Subtotal", discount: "Discount", coupon: "Coupon", shippingCost: "Shipping",
      handling: "Handling", tax: "Tax included", credit: "Store credit", certificate: "Gift certificate",
      total: "Total", free: "Free", code: "Coupon or gift certificate", apply: "Apply",
      remove: "Remove", badCode: "This code is not valid.", useCredit: "Apply {amount} store credit to this order",
      covered: "Payment is not required for this order.", terms: "Yes, I agree with the",
      termsLink: "terms and conditions", termsTitle: "Terms and conditions",
      termsError: "Please agree to the terms and conditions.", verify: "I am not a robot: continue to payment",
      transfer: "Bank transfer", cash: "Cash on delivery", wallet: "Wallet", items: "{count} items",
      item: "1 item", details: "Show details", first: "First name", last: "Last name", email: "E-mail",
      phone: "Phone", street: "Address", city: "City", zip: "Postcode", country: "Country",
      failed: "Something went wrong. Please try again.", option: "Shipping option", missing: "Please choose how we should send your order.",
    },
    es: {
      customer: "Cliente", shipping: "Envío", payment: "Pago", edit: "Editar", save: "Continuar",
      guest: "Invitado", methods: "Método de pago", place: "Realizar pedido", summary: "Resumen del pedido",
      subtotal: "Subtotal", discount: "Descuento", coupon: "Cupón", shippingCost: "Envío",
      handling: "Gestión", tax: "IVA incluido", credit: "Crédito de la tienda", certificate: "Tarjeta regalo",
      total: "Total", free: "Gratis", code: "Cupón o tarjeta regalo", apply: "Aplicar",
      remove: "Quitar", badCode: "Este código no es válido.", useCredit: "Usar {amount} de crédito de la tienda en este pedido",
      covered: "Este pedido no necesita pago.", terms: "Sí, acepto los",
      termsLink: "términos y condiciones", termsTitle: "Términos y condiciones",
      termsError: "Debes aceptar los términos y condiciones.", verify: "No soy un robot: continuar al pago",
      transfer: "Transferencia bancaria", cash: "Contra reembolso", wallet: "Monedero", items: "{count} artículos",
      item: "1 artículo", details: "Ver detalles", first: "Nombre", last: "Apellidos", email: "Correo electrónico",
      phone: "Teléfono", street: "Dirección", city: "Ciudad", zip: "Código postal", country: "País",
      failed: "Algo ha ido mal. Inténtalo de nuevo.", option: "Forma de envío", missing: "Elige cómo quieres recibir el pedido.",
    },
    fr: {
      customer: "Client", shipping: "Livraison", payment: "Paiement", edit: "Modifier", save: "Continuer",
      guest: "Invité", methods: "Mode de paiement", place: "Passer la commande", summary: "Récapitulatif",
      subtotal: "Sous-total", discount: "Remise", coupon: "Code promo", shippingCost: "Livraison",
      handling: "Manutention", tax: "TVA incluse", credit: "Avoir", certificate: "Carte cadeau",
      total: "Total", free: "Gratuit", code: "Code promo ou carte cadeau", apply: "Appliquer",
      remove: "Retirer", badCode: "Ce code n’est pas valable.", useCredit: "Utiliser {amount} d’avoir pour cette commande",
      covered: "Cette commande ne nécessite aucun paiement.", terms: "Oui, j’accepte les",
      termsLink: "conditions générales", termsTitle: "Conditions générales",
      termsError: "Veuillez accepter les conditions générales.", verify: "Je ne suis pas un robot : continuer",
      transfer: "Virement bancaire", cash: "Paiement à la livraison", wallet: "Portefeuille", items: "{count} articles",
      item: "1 article", details: "Voir le détail", first: "Prénom", last: "Nom", email: "E-mail",
      phone: "Téléphone", street: "Adresse", city: "Ville", zip: "Code postal", country: "Pays",
      failed: "Une erreur est survenue. Réessayez.", option: "Mode de livraison", missing: "Choisissez comment recevoir la commande.",
    },
    it: {
      customer: "Cliente", shipping: "Spedizione", payment: "Pagamento", edit: "Modifica", save: "Continua",
      guest: "Ospite", methods: "Metodo di pagamento", place: "Effettua l’ordine", summary: "Riepilogo dell’ordine",
      subtotal: "Subtotale", discount: "Sconto", coupon: "Coupon", shippingCost: "Spedizione",
      handling: "Gestione", tax: "IVA inclusa", credit: "Credito del negozio", certificate: "Buono regalo",
      total: "Totale", free: "Gratis", code: "Coupon o buono regalo", apply: "Applica",
      remove: "Rimuovi", badCode: "Questo codice non è valido.", useCredit: "Usa {amount} di credito per questo ordine",
      covered: "Questo ordine non richiede pagamento.", terms: "Sì, accetto i",
      termsLink: "termini e condizioni", termsTitle: "Termini e condizioni",
      termsError: "Accetta i termini e condizioni.", verify: "Non sono un robot: continua al pagamento",
      transfer: "Bonifico bancario", cash: "Contrassegno", wallet: "Portafoglio", items: "{count} articoli",
      item: "1 articolo", details: "Vedi i dettagli", first: "Nome", last: "Cognome", email: "E-mail",
      phone: "Telefono", street: "Indirizzo", city: "Città", zip: "CAP", country: "Paese",
      failed: "Qualcosa è andato storto. Riprova.", option: "Metodo di spedizione", missing: "Scegli come ricevere l’ordine.",
    },
    pt: {
      customer: "Cliente", shipping: "Envio", payment: "Pagamento", edit: "Editar", save: "Continuar",
      guest: "Convidado", methods: "Método de pagamento", place: "Fazer a encomenda", summary: "Resumo da encomenda",
      subtotal: "Subtotal", discount: "Desconto", coupon: "Cupão", shippingCost: "Envio",
      handling: "Manuseamento", tax: "IVA incluído", credit: "Crédito da loja", certificate: "Cartão-presente",
      total: "Total", free: "Grátis", code: "Cupão ou cartão-presente", apply: "Aplicar",
      remove: "Remover", badCode: "Este código não é válido.", useCredit: "Usar {amount} de crédito nesta encomenda",
      covered: "Esta encomenda não precisa de pagamento.", terms: "Sim, aceito os",
      termsLink: "termos e condições", termsTitle: "Termos e condições",
      termsError: "Aceite os termos e condições.", verify: "Não sou um robô: continuar para o pagamento",
      transfer: "Transferência bancária", cash: "Pagamento na entrega", wallet: "Carteira", items: "{count} artigos",
      item: "1 artigo", details: "Ver detalhes", first: "Nome", last: "Apelido", email: "E-mail",
      phone: "Telefone", street: "Morada", city: "Cidade", zip: "Código postal", country: "País",
      failed: "Algo correu mal. Tente de novo.", option: "Forma de envio", missing: "Escolha como quer receber a encomenda.",
    },
  };
  const text = (name) => (TEXTS[locale.slice(0, 2)] || TEXTS.en)[name];
  const COUNTRIES = { ES: "España", FR: "France", IT: "Italia", PT: "Portugal", DE: "Deutschland", US: "United States" };
  const METHODS = [
    { id: "bankdeposit", name: text("transfer") },
    { id: "cod", name: text("cash") },
    { id: "wallet", name: text("wallet"), ownButton: true },
  ].filter((method) => knobs.get("methods") !== "none" && (method.id !== "wallet" || knobs.has("wallet")));
  const V2 = knobs.get("theme") === "v2";
  const DEFAULT = METHODS.length ? METHODS[0].id : null;

  const state = {
    checkout: null,
    step: "payment", // the open step: customer, shipping, payment
    method: DEFAULT,
    ordering: false,
    drawnFor: "", // grandTotal and outstandingBalance that the payment form was drawn for
    accepted: false, // terms
    verified: !spamOn,
    creditTouched: false,
    drawerOpen: false,
  };

  // --- Small tools -------------------------------------------------------------------------------

  /** h("p.note#id", {attribute: value, onclick: …}, ...children) */
  function h(selector, attributes, ...children) {
    const [, tag, rest] = selector.match(/^([a-z0-9]+)(.*)$/);
    const node = document.createElement(tag);
    for (const part of rest.match(/[.#][^.#]+/g) || []) {
      if (part[0] === "#") node.id = part.slice(1);
      else node.classList.add(part.slice(1));
    }
    for (const [name, value] of Object.entries(attributes || {})) {
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (name === "checked" || name === "selected" || name === "disabled") node[name] = value;
      else if (value !== null && value !== undefined && value !== false) node.setAttribute(name, value);
    }
    node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
    return node;
  }

  const cookie = (name) =>
    (document.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`)) || "").slice(name.length + 1);

  async function api(method, path, body) {
    const answer = await fetch(`/api/storefront/${path}`, {
      method,
      credentials: "include",
      headers: {
        Accept: "application/json",
        "Content-Type": "application/json",
        "X-XSRF-TOKEN": decodeURIComponent(cookie("XSRF-TOKEN")),
      },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const document_ = answer.status === 204 ? null : await answer.json().catch(() => null);
    if (!answer.ok) throw Object.assign(new Error(`answer ${answer.status}`), { body: document_ });
    return document_;
  }

  const money = (amount) =>
    new Intl.NumberFormat(locale.replace("_", "-"), { style: "currency", currency: state.checkout.cart.currency.code }).format(amount);

  const pause = (ms) => new Promise((done) => setTimeout(done, ms));

  // --- The steps above payment -------------------------------------------------------------------

  function stepNode(name, title, summary, content) {
    const open = state.step === name;
    const node = h(
      `li.checkout-step.optimizedCheckout-checkoutStep.checkout-step--${name}${open ? ".is-open" : ""}`, {},
      h("div.checkout-view-header", {},
        h("div.stepHeader", {},
          h("div.stepHeader-figure", {}, h("h2.stepHeader-title.optimizedCheckout-headingPrimary", {}, title)),
          h("div.stepHeader-body.optimizedCheckout-contentPrimary", {}, open ? null : summary),
          open || name === "payment" || state.ordering ? null : h("div.stepHeader-actions", {},
            h("button.button.button--tertiary.button--small.optimizedCheckout-buttonSecondary",
              { type: "button", "data-test": `step-edit-button-${name}`, onclick: () => openStep(name) }, text("edit"))))),
    );
    // Mounted only while the step is the open one, as BigCommerce does.
    if (open) node.append(h("div.checkout-view-content", { "aria-busy": "false" }, content()));
    return node;
  }

  function openStep(name) {
    state.step = name;
    render();
  }

  function customerSummary() {
    const { customer, cart } = state.checkout;
    const email = customer.isGuest ? cart.email : customer.email;
    return h("div", { "data-test": "step-info" }, h("div", {}, email || text("guest")));
  }

  function shippingSummary() {
    const [consignment] = state.checkout.consignments;
    if (!consignment) return null;
    const { address, shippingAddress, selectedShippingOption: option } = consignment;
    const to = address || shippingAddress;
    return h("div", {},
      h("div", {}, `${to.firstName} ${to.lastName}`),
      h("div", {}, `${to.address1}, ${to.postalCode} ${to.city}`),
      h("div", {}, COUNTRIES[to.countryCode] || to.country),
      option ? h("div.muted", {}, `${ware(option.description)} · ${option.cost ? money(option.cost) : text("free")}`) : null);
  }

  function field(name, label, value, attributes) {
    return h("div.form-field", {},
      h("label.form-label.optimizedCheckout-form-label", { for: `field-${name}` }, label),
      h(`input.form-input.optimizedCheckout-form-input#field-${name}`, { name, value: value || "", required: "", ...attributes }));
  }

  function addressForm() {
    const [consignment] = state.checkout.consignments;
    const now = (consignment && (consignment.address || consignment.shippingAddress)) || state.checkout.billingAddress || {};
    return h("form.address-form", { onsubmit: saveAddress },
      field("first_name", text("first"), now.firstName, { autocomplete: "given-name" }),
      field("last_name", text("last"), now.lastName, { autocomplete: "family-name" }),
      field("email", text("email"), (state.checkout.billingAddress || {}).email || state.checkout.cart.email, { type: "email", autocomplete: "email" }),
      field("phone", text("phone"), now.phone, { type: "tel", autocomplete: "tel" }),
      field("address1", text("street"), now.address1, { autocomplete: "address-line1" }),
      field("postal_code", text("zip"), now.postalCode, { autocomplete: "postal-code" }),
      field("city", text("city"), now.city, { autocomplete: "address-level2" }),
      h("div.form-field", {},
        h("label.form-label.optimizedCheckout-form-label", { for: "field-country" }, text("country")),
        h("select.form-select.optimizedCheckout-form-select#field-country", { name: "country_code" },
          Object.entries(COUNTRIES).map(([code, name]) => h("option", { value: code, selected: code === (now.countryCode || "ES") }, name)))),
      h("div.form-actions", {},
        h("button.button.button--primary.optimizedCheckout-buttonPrimary", { type: "submit" }, text("save"))));
  }

  async function saveAddress(event) {
    event.preventDefault();
    const address = Object.fromEntries(new FormData(event.target));
    const answer = await fetch(`/checkout/${checkoutId}/address`, {
      method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(address),
    });
    if (!answer.ok) return;
    await load();
    state.step = state.checkout.consignments.every((one) => one.selectedShippingOption) ? "payment" : "shipping";
    render();
  }

  function shippingContent() {
    const [consignment] = state.checkout.consignments;
    const options = (consignment && consignment.availableShippingOptions) || [];
    const chosen = consignment && consignment.selectedShippingOption;
    return [
      addressForm(),
      h("fieldset.form-fieldset.shipping-options", {},
        h("legend.form-legend.optimizedCheckout-headingSecondary", {}, text("option")),
        h("ul.form-checklist.optimizedCheckout-form-checklist", {}, options.map((option) =>
          h("li.form-checklist-item.optimizedCheckout-form-checklist-item", {},
            h("div.form-checklist-header", {}, h("div.form-field", {},
              h(`input.form-checklist-checkbox.optimizedCheckout-form-checklist-checkbox#shipping-${option.id}`, {
                type: "radio", name: "shippingOption", value: option.id,
                checked: Boolean(chosen && chosen.id === option.id),
                onchange: () => chooseShipping(consignment, option),
              }),
              h("label.form-label.optimizedCheckout-form-label", { for: `shipping-${option.id}` },
                h("span.spread", {}, h("span", {}, ware(option.description)), h("strong", {}, option.cost ? money(option.cost) : text("free")))))))))),
      h("div.form-actions", {},
        h("button.button.button--primary.optimizedCheckout-buttonPrimary",
          { type: "button", "data-test": "shipping-continue", disabled: !chosen, onclick: () => openStep("payment") }, text("save"))),
    ];
  }

  async function chooseShipping(consignment, option) {
    await api("PUT", `checkouts/${checkoutId}/consignments/${consignment.id}`, { shippingOptionId: option.id });
    await load();
    render();
  }

  // --- The payment step --------------------------------------------------------------------------

  const paymentContent = () => document.querySelector(".checkout-step--payment > .checkout-view-content");

  function skeleton() {
    return h("div.checklist-skeleton", {}, [1, 2, 3].map(() => h("div", {})));
  }

  /** The wrapper keeps its class after loading. */
  const loaded = (content) => h("div.loading-skeleton", {}, h("div", {}, content));

  /** Draw the payment form anew: nothing of the old one survives, Formik starts on the default. */
  async function remountPayment() {
    const content = paymentContent();
    if (!content) return;
    state.method = DEFAULT;
    state.accepted = false;
    state.drawnFor = totals();
    content.replaceChildren(skeleton());
    await pause(LOADING);
    if (!content.isConnected) return;
    if (mustVerify()) content.replaceChildren(loaded(spamCheck()));
    else if (METHODS.length) content.replaceChildren(loaded(paymentForm()));
    else content.replaceChildren(); // without methods BigCommerce draws nothing at all
    renderLater();
  }

  const totals = () => `${state.checkout.grandTotal} ${state.checkout.outstandingBalance}`;

  /** After a load: another total draws the step anew, the same one only renders. */
  async function updatePayment() {
    if (totals() === state.drawnFor) renderLater();
    else await remountPayment();
  }

  /** As BigCommerce: the first input of the step, once it is open. */
  function focusFirst() {
    const opened = paymentContent();
    setTimeout(() => {
      const input = opened && opened.querySelector("input");
      if (input) input.focus();
    }, matchMedia(PHONE).matches ? 0 : OPENING);
  }

  const mustVerify = () => !state.verified || state.checkout.shouldExecuteSpamCheck;

  async function verify() {
    await api("POST", `checkouts/${checkoutId}/spam-protection`, { token: "solved" });
    state.verified = true;
    await load();
    await remountPayment();
  }

  function spamCheck() {
    return h("div.spamProtection-container", {},
      h("div.spamProtection-panel.optimizedCheckout-overlay", {},
        h("a.spamProtection-panel-message.optimizedCheckout-primaryContent", {
          href: "#", "data-test": "spam-protection-verify-button",
          onclick: (event) => { event.preventDefault(); verify(); },
        }, text("verify"))));
  }

  function paymentForm() {
    const covered = state.checkout.outstandingBalance <= 0;
    const chosen = METHODS.find((method) => method.id === state.method);
    return h("form.checkout-form", { action: "#", "data-test": "payment-form", novalidate: "" },
      creditField(),
      h("fieldset.form-fieldset", {},
        h("legend.form-legend.optimizedCheckout-headingSecondary.is-srOnly", {}, text("methods")),
        h("div.form-body", {},
          covered ? h("div.storeCreditOverlay", { "data-test": "payment-store-credit-overlay" },
            h("p.storeCreditOverlay-text", {}, text("covered"))) : null,
          h("div.is-srOnly", { "aria-live": "assertive", role: "status" }, chosen.name),
          h("ul.form-checklist.optimizedCheckout-form-checklist", {}, METHODS.map(methodItem)))),
      h("fieldset.form-fieldset.redeemable-payments", {},
        h("legend.form-legend.is-srOnly", {}, text("code")),
        codeBox("payment")),
      termsOn ? termsFieldset() : null,
      h("div.form-actions", {}, submitNode(chosen)));
  }

  /** Methods with a button of their own get a container of the same id. */
  function submitNode(method) {
    if (method.ownButton) return h("div.submitButtonContainer#checkout-payment-continue", {});
    return h("button.button.button--action.button--large.button--slab.optimizedCheckout-buttonPrimary#checkout-payment-continue",
      { type: "submit" }, text("place"));
  }

  function creditField() {
    const { customer, isStoreCreditApplied, grandTotal } = state.checkout;
    if (customer.isGuest || !(customer.storeCredit > 0)) return null;
    const usable = money(Math.min(customer.storeCredit, grandTotal));
    return h("div.form-field.store-credit", {},
      h("input.form-checkbox.optimizedCheckout-form-checkbox#useStoreCredit", {
        type: "checkbox", name: "useStoreCredit", value: "useStoreCredit", checked: isStoreCreditApplied,
        onchange: (event) => { state.creditTouched = true; toggleCredit(event.target.checked); },
      }),
      h("label.form-label.optimizedCheckout-form-label", { for: "useStoreCredit" }, text("useCredit").replace("{amount}", usable)));
  }

  async function toggleCredit(applied) {
    await api(applied ? "POST" : "DELETE", `checkouts/${checkoutId}/store-credit`);
    await load();
    drawSummary();
    await updatePayment();
  }

  function methodItem(method) {
    const selected = state.method === method.id;
    const on = selected ? "--selected" : null;
    return h(
      `li.form-checklist-item.optimizedCheckout-form-checklist-item${on ? ".form-checklist-item--selected.optimizedCheckout-form-checklist-item--selected" : ""}`,
      { "data-method": method.id },
      h(`div.form-checklist-header${on ? ".form-checklist-header--selected" : ""}`, {}, h("div.form-field", {},
        h(`input.form-checklist-checkbox.optimizedCheckout-form-checklist-checkbox#radio-${method.id}`, {
          type: "radio", name: "paymentProviderRadio", value: method.id, checked: selected,
          onchange: () => selectMethod(method.id),
        }),
        h("label.form-label.optimizedCheckout-form-label", { for: `radio-${method.id}` },
          h("div.paymentProviderHeader-container", {},
            h("div.paymentProviderHeader-nameContainer", { "data-test": `payment-method-${method.id}` },
              h(`div.paymentProviderHeader-name${V2 ? ".sub-header" : ""}`, { "data-test": "payment-method-name" }, method.name)),
            h("div.paymentProviderHeader-cc", {}, h("div", {})))))),
      selected ? methodBody() : null);
  }

  /** Another native method: React keeps the nodes and changes what differs. */
  function selectMethod(id) {
    state.method = id;
    document.querySelectorAll(".checkout-step--payment li[data-method]").forEach((item) => {
      const selected = item.dataset.method === id;
      item.classList.toggle("form-checklist-item--selected", selected);
      item.classList.toggle("optimizedCheckout-form-checklist-item--selected", selected);
      item.firstChild.classList.toggle("form-checklist-header--selected", selected);
      const body = item.querySelector(".form-checklist-body");
      if (body && !selected) body.remove();
      if (!body && selected) item.append(methodBody());
    });
    const method = METHODS.find((one) => one.id === id);
    document.querySelector(".checkout-step--payment [role=status]").textContent = method.name;
    const submit = document.getElementById("checkout-payment-continue");
    const next = submitNode(method);
    if (submit.tagName === next.tagName) return;
    submit.parentNode.append(next); // React appends: behind whatever others put there
    submit.remove();
  }

  /** Offline methods say nothing: their body is empty, and there only while they are chosen. */
  const methodBody = () => h("div.form-checklist-body", {});

  function termsFieldset() {
    return h("fieldset.form-fieldset.checkout-terms", {},
      h("legend.form-legend.optimizedCheckout-headingSecondary", {}, text("termsTitle")),
      h("div.form-body", {}, h("div.form-field", {},
        h("input.form-checkbox.optimizedCheckout-form-checkbox#terms", {
          type: "checkbox", name: "terms", checked: state.accepted,
          onchange: (event) => { state.accepted = event.target.checked; if (state.accepted) termsError(false); },
        }),
        h("label.form-label.optimizedCheckout-form-label", { for: "terms" },
          `${text("terms")} `, h("a", { href: "/terms", target: "_blank" }, text("termsLink")), "."),
        h("ul.form-field-errors", { "data-test": "terms-field-error-message" },
          h("li.form-field-error", {}, noTermsError())))));
  }

  const noTermsError = () => h("span.is-srOnly#terms-field-error-message", { "aria-hidden": "true" });


  /** The list is always there; its hidden span gives way to a label of the same id. */
  function termsError(shown) {
    document.querySelector(".checkout-terms .form-field").classList.toggle("form-field--error", shown);
    document.getElementById("terms-field-error-message").replaceWith(!shown ? noTermsError()
      : h("label.form-inlineMessage#terms-field-error-message", { for: "terms", role: "alert", "aria-live": "polite" }, text("termsError")));
  }

  async function placeOrder(event) {
    if (!event.target.matches('form[data-test="payment-form"]')) return;
    event.preventDefault();
    if (state.ordering) return;
    if (termsOn && !state.accepted) { termsError(true); renderLater(); return; }
    ordering(true);
    const answer = await fetch(`/checkout/${checkoutId}/order`, {
      method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ method: METHODS.find((method) => method.id === state.method).name }),
    });
    if (answer.ok) location.replace(`${location.pathname.replace(/\/$/, "")}/order-confirmation`);
    else ordering(false);
  }

  /** While the order is placed the button turns, and no other step can be opened. */
  function ordering(now) {
    state.ordering = now;
    const button = document.getElementById("checkout-payment-continue");
    button.classList.toggle("is-loading", now);
    button.disabled = now;
    document.querySelectorAll(".stepHeader-actions").forEach((actions) => { actions.hidden = now; });
  }

  // --- The order summary -------------------------------------------------------------------------

  const lines = () => {
    const { physicalItems, digitalItems, customItems, giftCertificates } = state.checkout.cart.lineItems;
    return [...physicalItems, ...digitalItems, ...(customItems || []), ...(giftCertificates || [])];
  };

  function row(label, amount, name, extra) {
    return h("div.cart-priceItem.optimizedCheckout-contentPrimary", name ? { "data-test": name } : {},
      h("span.cart-priceItem-label", {}, label, extra || null),
      h("span.cart-priceItem-value", { "data-test": "cart-price-value" }, amount));
  }

  function removal(path) {
    return h("button.link", { type: "button", onclick: () => redeem("DELETE", path) }, text("remove"));
  }

  function priceRows() {
    const { checkout } = state;
    const rows = [row(text("subtotal"), money(checkout.subtotal), "cart-subtotal")];
    if (checkout.cart.discountAmount > 0) rows.push(row(text("discount"), `−${money(checkout.cart.discountAmount)}`, "cart-discount"));
    (checkout.coupons || []).forEach((coupon) => rows.push(
      row(`${text("coupon")} ${coupon.code}`, `−${money(coupon.discountedAmount)}`, "cart-coupon", removal(`coupons/${encodeURIComponent(coupon.code)}`))));
    rows.push(row(text("shippingCost"), checkout.shippingCostTotal ? money(checkout.shippingCostTotal) : text("free"), "cart-shipping"));
    if (checkout.handlingCostTotal) rows.push(row(text("handling"), money(checkout.handlingCostTotal), "cart-handling"));
    (checkout.fees || []).forEach((fee) => rows.push(row(fee.displayName || fee.name, money(fee.cost), "cart-fee")));
    if (checkout.taxTotal) rows.push(row(text("tax"), money(checkout.taxTotal), "cart-taxes"));
    (checkout.giftCertificates || []).forEach((one) => rows.push(
      row(`${text("certificate")} ${one.code}`, `−${money(one.used)}`, "cart-gift-certificate", removal(`gift-certificates/${encodeURIComponent(one.code)}`))));
    if (checkout.isStoreCreditApplied) {
      const used = checkout.grandTotal - checkout.outstandingBalance
        - (checkout.giftCertificates || []).reduce((sum, one) => sum + one.used, 0);
      if (used > 0) rows.push(row(text("credit"), `−${money(used)}`, "cart-store-credit"));
    }
    return rows;
  }

  /** There are two: in the summary, and in the payment form, where Enter must not place the order. */
  function codeBox(where) {
    const id = where === "payment" ? "redeemableCode-payment" : "redeemableCode";
    const input = h(`input.form-input.optimizedCheckout-form-input#${id}`, {
      name: "redeemableCode", autocomplete: "off",
      onkeydown: (event) => { if (event.key === "Enter") { event.preventDefault(); applyCode(input, error); } },
    });
    const error = h("p.form-inlineMessage", { role: "alert" });
    return h("div.redeemable", {},
      h("label.form-label.optimizedCheckout-form-label", { for: id }, text("code")),
      h("div.redeemable-row", {}, input,
        h("button.button.button--tertiary.optimizedCheckout-buttonSecondary", {
          type: "button", "data-test": where === "payment" ? "redeemablePayment-submit" : "redeemableEntry-submit",
          onclick: () => applyCode(input, error),
        }, text("apply"))),
      error);
  }

  async function applyCode(input, error) {
    const code = input.value.trim();
    if (!code) return;
    try {
      await redeem("POST", "coupons", { couponCode: code });
    } catch (refused) {
      try {
        await redeem("POST", "gift-certificates", { giftCertificateCode: code });
      } catch (other) {
        error.textContent = text("badCode");
      }
    }
  }

  async function redeem(method, path, body) {
    await api(method, `checkouts/${checkoutId}/${path}`, body);
    await load();
    drawSummary();
    await updatePayment();
  }

  function drawSummary() {
    const count = lines().reduce((sum, line) => sum + line.quantity, 0);
    const counted = count === 1 ? text("item") : text("items").replace("{count}", count);
    const article = h("article.cart.optimizedCheckout-orderSummary", { "data-test": "cart" },
      h("header.cart-header", {}, h("h3.cart-title.optimizedCheckout-headingSecondary", {}, text("summary")),
        h("a", { href: "/cart", target: "_top" }, text("edit"))),
      h("section.cart-section", {},
        h("h4.cart-section-heading", {}, counted),
        h("ul.productList", {}, lines().map((line) =>
          h("li.productList-item", {},
            line.imageUrl ? h("img.product-image", { src: line.imageUrl, alt: "" }) : h("span.product-image", {}),
            h("span.product-title", {}, `${line.quantity} × ${ware(line.name)}`),
            h("span.product-price", {}, money(line.extendedSalePrice || line.amount || 0)))))),
      h("section.cart-section.optimizedCheckout-orderSummary-cartSection", {}, priceRows(), codeBox("summary")),
      h("section.cart-section.optimizedCheckout-orderSummary-cartSection", { "data-test": "cart-total" },
        h("div.cart-priceItem.cart-priceItem--total", {},
          h("span.cart-priceItem-label", {}, `${text("total")} (${state.checkout.cart.currency.code})`),
          h("span.cart-priceItem-value", { "data-test": "cart-price-value" }, money(state.checkout.outstandingBalance)))));
    const drawer = h("div.cartDrawer.optimizedCheckout-orderSummary", {},
      h("div", {}, h("strong", {}, counted), h("div", {},
        h("button.link", { type: "button", "aria-expanded": String(state.drawerOpen), onclick: toggleDrawer }, text("details")))),
      h("strong.cartDrawer-total", {}, money(state.checkout.outstandingBalance)));
    const aside = document.querySelector(".layout-cart");
    aside.replaceChildren(drawer, article);
    aside.classList.toggle("is-open", state.drawerOpen);
  }

  function toggleDrawer() {
    state.drawerOpen = !state.drawerOpen;
    drawSummary();
  }

  // --- The page ----------------------------------------------------------------------------------

  async function load() {
    const include = "cart.lineItems.physicalItems.options,cart.lineItems.digitalItems.options,customer,customer.customerGroup,payments,promotions,consignments.availableShippingOptions";
    state.checkout = await api("GET", `checkouts/${checkoutId}?include=${include}`);
    renderLater();
  }

  function render() {
    const steps = h("ol.checkout-steps", {},
      stepNode("customer", text("customer"), customerSummary(), () => customerSummary()),
      stepNode("shipping", text("shipping"), shippingSummary(), shippingContent),
      stepNode("payment", text("payment"), null, skeleton));
    root.replaceChildren(h(V2 ? "div.themeV2" : "div", {}, h("div.layout.optimizedCheckout-contentPrimary", {},
      h("div.layout-main", {}, steps), h("aside.layout-cart", {}))));
    steps.querySelector('[data-test="step-edit-button-customer"]')?.remove();
    drawSummary();
    if (state.step === "payment") mountPayment();
  }

  /** BigCommerce applies usable store credit by itself when the payment step opens. */
  async function mountPayment() {
    const { customer, isStoreCreditApplied } = state.checkout;
    if (!customer.isGuest && customer.storeCredit > 0 && !isStoreCreditApplied && !state.creditTouched) {
      state.creditTouched = true;
      await toggleCredit(true);
    } else {
      await remountPayment();
    }
    focusFirst();
  }

  /** React sets a controlled radio again on every render, whatever others did to it. */
  function renderLater() {
    setTimeout(() => {
      document.querySelectorAll('input[name="paymentProviderRadio"]').forEach((radio) => {
        radio.checked = radio.value === state.method;
      });
    }, RENDER);
  }

  const inForm = (node) => node.closest('[data-test="payment-form"]');

  root.addEventListener("submit", placeOrder);
  // Formik knows its own fields alone, but renders after a blur or a focus of any.
  root.addEventListener("change", (event) => {
    if (inForm(event.target) && !event.target.matches('[name="sequraPayment"]')) renderLater();
  });
  for (const type of ["focusin", "focusout"]) {
    root.addEventListener(type, (event) => { if (inForm(event.target)) renderLater(); });
  }
  load().then(() => {
    if (state.checkout.consignments.some((one) => !one.selectedShippingOption)) state.step = "shipping";
    render();
  }).catch((error) => {
    root.replaceChildren(h("p.empty", {}, text("failed")));
    throw error;
  });
})();
