// The page a shopper returns to: asks how far the payment is, and moves on when it is known.
"use strict";

(function () {
  const POLL_MS = 1000;
  const SLOW_MS = 20000;
  const progress = document.getElementById("progress");
  const since = Date.now();

  async function ask() {
    try {
      const answer = await fetch(progress.dataset.statusUrl, { cache: "no-store" });
      const state = await answer.json();
      if (state.status !== "waiting") {
        window.location.reload();
        return;
      }
    } catch (error) {
      console.debug("not reachable, asking again", error);
    }
    if (Date.now() - since > SLOW_MS) {
      document.getElementById("slow").hidden = false;
    }
    window.setTimeout(ask, POLL_MS);
  }

  window.setTimeout(ask, POLL_MS);
})();
