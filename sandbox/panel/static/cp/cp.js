/* The demo control panel: menus, dialogs, expanded rows and the side panel of app extensions. */
(() => {
  "use strict";

  const side = document.getElementById("side");
  const frame = side.querySelector("iframe");
  const title = side.querySelector("h2");
  const expand = side.querySelector(".side-expand");
  let opener = null;

  function openSide(url, label, from) {
    opener = from;
    title.textContent = label;
    frame.title = label;
    frame.src = url;
    setWide(false);
    side.hidden = false;
    side.querySelector(".side-close").focus();
  }

  function closeSide() {
    side.hidden = true;
    frame.src = "about:blank"; // a fresh /load each time it is opened
    if (opener) opener.focus();
  }

  function setWide(wide) {
    side.classList.toggle("is-wide", wide);
    expand.setAttribute("aria-pressed", String(wide));
    expand.setAttribute("aria-label", wide ? "Part of the width" : "Full width");
    expand.textContent = wide ? "⇥" : "⇤";
  }

  function closeMenus(except) {
    document.querySelectorAll("details.dots[open]").forEach((menu) => {
      if (menu !== except) menu.open = false;
    });
  }

  function toggleRow(button) {
    const open = button.getAttribute("aria-expanded") !== "true";
    button.setAttribute("aria-expanded", String(open));
    document.getElementById(button.getAttribute("aria-controls")).hidden = !open;
  }

  function openDialog(id) {
    const dialog = document.getElementById(id);
    if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
  }

  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-panel],[data-open],[data-dismiss],[data-close],.expand,.side-expand");
    closeMenus(event.target.closest("details.dots"));
    if (!target) return;
    if (target.dataset.panel !== undefined) {
      event.preventDefault();
      const menu = target.closest("details.dots");
      closeMenus(null);
      openSide(target.dataset.panelUrl || target.href, target.dataset.panel, menu ? menu.querySelector("summary") : target);
    } else if (target.dataset.open) openDialog(target.dataset.open);
    else if (target.dataset.dismiss !== undefined) target.closest("dialog").close();
    else if (target.dataset.close !== undefined) closeSide();
    else if (target.matches(".expand")) toggleRow(target);
    else setWide(!side.classList.contains("is-wide"));
  });

  document.addEventListener("submit", (event) => {
    const asked = event.submitter && event.submitter.dataset.confirm;
    if (asked && !window.confirm(asked)) event.preventDefault();
  });

  document.addEventListener("change", (event) => {
    if (event.target.matches("[data-submit]")) event.target.form.requestSubmit();
  });

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    closeMenus(null);
    if (!side.hidden) closeSide();
  });

  const fromHash = () => openDialog(location.hash.slice(1));
  window.addEventListener("hashchange", fromHash);
  fromHash();
})();
