"""The whole system as a journey finds it: installed, connected, and what both sides hold."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from local.demo import registered
from local.sandbox_control import SandboxControl
from local.stack import Stack
from stores.install import _REQUIRED_SCOPES

STORE = "demo123"
SETTINGS: dict[str, Any] = {
    "connection": {
        "environment": "sandbox",
        "deployments": {"sequra": {"username": "demo", "password": "demo-secret"}},
        "send_statistics": False,
    },
    "order_statuses": {"approved": 11, "needs_review": 12, "cancelled": 5},
}
LUCIA, MARC, CHIARA = 11, 12, 13  # customers: 50 € of store credit, none, 2500 €
CREDIT = {LUCIA: "50.00", MARC: "0", CHIARA: "2500.00"}
PATIENCE = 90  # seconds, where nothing but a busy machine is in the way

# The narrowest spelling of each.
NEEDED = [spellings[0] for spellings in _REQUIRED_SCOPES.values()]

Value = TypeVar("Value")


def eventually(look: Callable[[], Value], seconds: float = PATIENCE) -> Value:
    """What `look` returns as soon as it is truthy, or at last."""
    deadline = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return found


def cents(amount: str) -> int:
    """BigCommerce's text for an amount, in cents."""
    return round(float(amount) * 100)


@dataclass
class System:
    """One stack with its sandbox. Tests share it: each makes its own checkout and looks at that."""

    stack: Stack
    sandbox: SandboxControl = field(init=False)

    def __post_init__(self) -> None:
        self.sandbox = SandboxControl(self.stack.sandbox_port, self.stack.app_port)
        self._knobs = self.sandbox.knobs()
        self._sequra_knobs = self.sandbox.control("GET", "sequra/knobs")

    def install(self) -> None:
        """The merchant's part by HTTP: the app is installed, connected and registered.

        It gets the scopes it needs and no others: a call that needs more is refused.
        """
        self.sandbox.control("POST", "install", {"scope": " ".join(NEEDED)})
        self.configure(SETTINGS)
        assert eventually(lambda: registered(self.sandbox.world()))

    def configure(self, settings: dict[str, Any]) -> None:
        self.stack.manage("store_settings", STORE, "--import", "-", text=json.dumps(settings))

    def calm_down(self) -> None:
        """No faults, knobs in their usual position, credit as on the first day."""
        self.sandbox.clear_faults()
        self.sandbox.knobs(**self._knobs)
        self.sandbox.control("POST", "sequra/knobs", self._sequra_knobs)
        for customer, credit in CREDIT.items():
            self.sandbox.control("POST", "customers", {"id": customer, "store_credit": credit})

    def sequra_knobs(self, **values: Any) -> None:
        self.sandbox.control("POST", "sequra/knobs", values)

    def shopper_does(self, action: str, checkout_id: str, **given: Any) -> None:
        """Something happens to the checkout elsewhere, as in another tab."""
        body = {"checkout_id": checkout_id, **given}
        self.sandbox.control("POST", f"shopper/{action}", body)

    # --- What both systems hold ------------------------------------------------------------------

    def orders(self, checkout_id: str) -> list[dict[str, Any]]:
        """The BigCommerce orders made of a checkout, as `GET /v2/orders/{id}` shows them."""
        found = (one["order"] for one in self.sandbox.held("bigcommerce_orders"))
        return [order for order in found if order.get("cart_id") == checkout_id]

    def order(self, checkout_id: str) -> dict[str, Any]:
        """The one order of a checkout, as soon as it is placed."""
        eventually(lambda: any(order["status_id"] for order in self.orders(checkout_id)))
        (order,) = self.orders(checkout_id)
        return order

    def sequra_orders(self, checkout_id: str) -> list[dict[str, Any]]:
        """What SeQura was solicited for a checkout, oldest first."""
        found = self.sandbox.held("sequra_orders")
        return [order for order in found if order["solicited"]["cart"]["cart_ref"] == checkout_id]

    def sequra_order(self, number: int) -> dict[str, Any]:
        """SeQura's order of a BigCommerce order, as soon as it knows the number."""
        path = f"sequra/orders?order_ref_1={number}"
        eventually(lambda: self.sandbox.control("GET", path))
        (order,) = self.sandbox.control("GET", path)
        return dict(order)

    def store_credit(self, customer: int) -> str:
        rows = self.sandbox.held("customers")
        return next(str(row["store_credit"]) for row in rows if row["id"] == customer)
