// SeQura's own components with the look that the form has now, in a frame without our session.
"use strict";

const page = JSON.parse(document.getElementById("page").textContent);

window.SequraConfiguration = page.configuration;
window.SequraOnLoad = [() => window.Sequra.refreshComponents()];
window.Sequra = { onLoad: (work) => window.SequraOnLoad.push(work) };
for (const { product, campaign } of page.methods) {
  const node = document.createElement("div");
  node.className = "sequra-promotion-widget";
  for (const [name, value] of Object.entries(page.theme)) node.setAttribute(`data-${name}`, value);
  Object.assign(node.dataset, { product, amount: page.amount });
  if (campaign) node.dataset.campaign = campaign;
  document.body.append(node);
}
const script = document.createElement("script");
script.src = page.configuration.scriptUri;
document.head.append(script);
