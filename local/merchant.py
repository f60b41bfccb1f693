"""The demo's merchant: ships, refunds and edits in BigCommerce, and reads the transaction log."""

import html
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from local.sandbox_control import SandboxControl, plain_session
from local.shopper import Stuck

# A change is at SeQura within seconds; the contract calls 25 a failure.
PATIENCE = 25.0


@dataclass
class Merchant:
    """A merchant and the order that the demo's shopper has paid, by its BigCommerce number."""

    sandbox: SandboxControl
    number: int

    def does(self, action: str, **details: Any) -> Any:
        """Perform one of BigCommerce's own actions on the order."""
        body = {"order_id": self.number, **details}
        return self.sandbox.control("POST", f"merchant/{action}", body)

    def order(self) -> dict[str, Any]:
        """Return what BigCommerce holds of the order."""
        found = self.sandbox.held("bigcommerce_orders")
        return next(dict(one) for one in found if one["order"]["id"] == self.number)

    def at_sequra(self) -> dict[str, Any]:
        """Return what SeQura holds of the order."""
        found = self.sandbox.held("sequra_orders")
        return next(dict(one) for one in found if one["order_ref_1"] == str(self.number))

    def totals(self) -> tuple[int, int]:
        """Return the totals of SeQura's unshipped and shipped cart, in cents."""
        held = self.at_sequra()
        carts = (held["unshipped_cart"], held["shipped_cart"])
        unshipped, shipped = (cart["order_total_with_tax"] if cart else 0 for cart in carts)
        return unshipped, shipped

    def wait_for_change(self, before: tuple[int, int]) -> tuple[tuple[int, int], float]:
        """Return SeQura's totals once they differ from `before`, and the seconds that took."""
        since = time.monotonic()
        after = until(lambda: now if (now := self.totals()) != before else None)
        return after, time.monotonic() - since

    def rejection_message(self, app_port: int) -> str:
        """Return SeQura's message, as the transaction log's page shows it."""
        address = self.sandbox.control("POST", "load_url", {})["url"]
        path = urlsplit(address)._replace(scheme="http", netloc=f"127.0.0.1:{app_port}")
        host = {"Host": urlsplit(address).netloc}
        with plain_session() as session:
            opened = session.get(urlunsplit(path), headers=host, allow_redirects=False, timeout=10)
            panel = urlsplit(opened.headers["Location"]).path
            page = f"http://127.0.0.1:{app_port}{panel}log/?q={self.number}"
            words: str = until(lambda: rejected(session.get(page, headers=host, timeout=10).text))
        return words


def rejected(page: str) -> str | None:
    """Return SeQura's message on the log's page, once there is one."""
    text = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page)).split())
    found = re.search(r"Invalid data:[^“”]*?\.", text)
    return found[0] if found else None


def until(look: Callable[[], Any]) -> Any:
    """Call `look` until it returns something. Raise Stuck."""
    deadline = time.monotonic() + PATIENCE
    while not (found := look()):
        if time.monotonic() > deadline:
            raise Stuck(f"nothing changed within {PATIENCE:.0f} s")
        time.sleep(0.2)
    return found
