// Progressive enhancement only: every page works without this file.
"use strict";

// A form is sent once: its button shows that work is under way.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.dataset.sent) {
    event.preventDefault();
    return;
  }
  form.dataset.sent = "yes";
  const button = event.submitter;
  if (button) {
    button.setAttribute("aria-busy", "true");
  }
});

// A notice is about what was just done: a reload, or coming back later, does not repeat it.
const address = new URL(location.href);
if (address.searchParams.has("done")) {
  address.searchParams.delete("done");
  address.searchParams.delete("about");
  history.replaceState(history.state, "", address);
}

// On a narrow screen the tabs scroll: show the one we are on.
for (const tab of document.querySelectorAll(".tab[aria-current], .side-tab[aria-current]")) {
  tab.scrollIntoView({ block: "nearest", inline: "center" });
}

// Coming back with the browser's back button must not leave a form locked.
window.addEventListener("pageshow", () => {
  for (const form of document.forms) {
    delete form.dataset.sent;
  }
  for (const button of document.querySelectorAll("[aria-busy]")) {
    button.removeAttribute("aria-busy");
  }
});

// On a narrow screen an unused filter would fill it before the first row.
if (window.matchMedia("(max-width: 719px)").matches) {
  for (const fold of document.querySelectorAll(".fold:not([data-used])")) {
    fold.open = false;
  }
}
