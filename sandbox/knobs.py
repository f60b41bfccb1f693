"""The knobs: how the pretend systems behave where the real ones leave it open.

`POST /_control/knobs {"name": value, …}` turns them, `GET` reads them, a reset restores them.
"""

import threading
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Knobs:
    """Every knob with its usual position."""

    # BigCommerce's API
    quota: int = 100_000  # requests per store in 30 s; the real ones: 150 (Plus), 450 (Pro)
    lookup_lag: float = 0.0  # seconds until an order is found by GET /v2/orders?cart_id=
    read_lag: float = 0.0  # seconds during which GET /v2/orders/{id}… may show the old state
    conversion_fails: int = 0  # the next n conversions answer 409, as after a checkout change
    store_credit_carried: bool = False  # does the conversion debit applied store credit itself?
    pending_payable: bool = True  # may a second payment complete a Pending order?
    # The storefront's GraphQL API: what an installation grants besides, what a balance holds, and
    # whether a token that impersonates nobody sees the checkout of somebody who signed in.
    more_scopes: str = ""
    balance_without_credit: bool = False
    balance_without_certificates: bool = False
    signed_in_hidden: bool = False
    tax_inclusive: bool = True  # do catalogue prices and checkouts include tax?
    edit_renumbers_lines: bool = False  # does an edit in the control panel give lines new ids?
    include_ignored: bool = False  # does GET /v2/orders/{id} ignore `include`?
    fees_wrapped: bool = False  # does GET /v2/orders/{id}/fees answer {"fees": […]}?
    terms_required: bool = False  # must the shopper accept terms on the payment step?
    empty_as_204: bool = True  # empty V2 lists answer 204 (some answer 200 [])
    # Webhooks
    webhook_delay: float = 0.05  # seconds between a change and its webhook events
    webhook_duplicates: int = 0  # extra copies of every event
    webhook_shuffle: float = 0.0  # up to this many seconds more, by chance: events overtake others
    webhook_drop: float = 0.0  # the share of events that never leave
    webhook_hold: bool = False  # keep them until released
    webhook_signed: bool = True  # Standard Webhooks headers
    webhook_timeout: float = 10.0
    webhook_retries: list[float] = field(default_factory=lambda: [1, 3, 5, 10, 15, 30, 60, 120])
    blocked_domains: list[str] = field(default_factory=list)
    seed: int = 1  # of the chance above


knobs = Knobs()
_lock = threading.Lock()


def turn(values: dict[str, Any]) -> dict[str, Any]:
    """Set the named knobs; KeyError for an unknown name, TypeError for a value of another kind."""
    with _lock:
        known = asdict(knobs)
        for name, value in values.items():
            usual = known[name]
            fits = type(value) is type(usual) or (type(usual), type(value)) == (float, int)
            if not fits:
                raise TypeError(f"{name} is a {type(usual).__name__}")
        for name, value in values.items():
            setattr(knobs, name, type(known[name])(value))
        return asdict(knobs)


def reset() -> None:
    """Every knob in its usual position."""
    fresh = Knobs()
    with _lock:
        for knob in fields(Knobs):
            setattr(knobs, knob.name, getattr(fresh, knob.name))
