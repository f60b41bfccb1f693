// Speaks with BigCommerce's control panel around our frame, as its app SDK does: messages are JSON
// texts such as {"method": "bc::logout"}. https://developer.bigcommerce.com/docs/integrations/apps
//
// We hear that somebody logged out, and say that somebody is here, so that he is not.
(() => {
  "use strict";

  const panel = window.parent;
  const page = document.body;
  const IDLE_MS = 5 * 60 * 1000;
  if (panel === window || !page.dataset.logout) {
    return;
  }

  // Only the control panel may frame us (frame-ancestors), so that is who listens.
  function tell(method, params) {
    panel.postMessage(JSON.stringify({ method: `bc::${method}`, params }), "*");
  }

  // The session ends on the server first; then the page must not show anybody's orders.
  async function logOut() {
    const body = new URLSearchParams({ csrf: page.dataset.csrf });
    let text = "";
    try {
      const answer = await fetch(page.dataset.logout, { method: "POST", body });
      text = await answer.text();
    } catch {
      // The server ends the session by itself after an hour.
    }
    const told = new DOMParser().parseFromString(text, "text/html");
    document.title = told.title || "SeQura";
    page.replaceChildren(...told.querySelectorAll("main"));
    delete page.dataset.logout;
  }

  function hear(event) {
    if (event.source !== panel || typeof event.data !== "string") {
      return;
    }
    let message;
    try {
      message = JSON.parse(event.data);
    } catch {
      return;
    }
    const kind = message?.params?.type ?? message?.params;
    if (message?.method === "bc::__ready" && kind === "ping") {
      tell("__ready", "pong");
    } else if (message?.method === "bc::logout" && page.dataset.logout) {
      logOut();
    }
  }

  // Once in five minutes at most, and only when somebody moves.
  function waitForSomebody() {
    const somebody = () => {
      for (const kind of ["mousemove", "keydown"]) {
        document.removeEventListener(kind, somebody);
      }
      tell("iAmNotIdle");
      setTimeout(waitForSomebody, IDLE_MS);
    };
    for (const kind of ["mousemove", "keydown"]) {
      document.addEventListener(kind, somebody);
    }
  }

  window.addEventListener("message", hear);
  tell("__ready", "ping");
  setTimeout(waitForSomebody, IDLE_MS);
})();
