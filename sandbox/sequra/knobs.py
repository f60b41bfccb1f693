"""How the pretend SeQura behaves where the real one leaves it open.

`POST /_control/sequra/knobs {"name": value, …}` turns them, `GET` reads them, a reset restores
them. Seconds are seconds.
"""

import threading
from copy import deepcopy
from dataclasses import asdict, dataclass, field, fields
from typing import Any


@dataclass
class Trouble:
    """What goes wrong with outgoing notifications, or with events."""

    delay: float = 0.0  # seconds before the first attempt
    copies: int = 1  # how often each is sent
    bad_signature: bool = False
    state: str = ""  # sent in place of the true sq_state, or event
    lost: bool = False  # never sent at all


@dataclass
class Knobs:
    """Every knob with its usual position."""

    notification: Trouble = field(default_factory=Trouble)
    event: Trouble = field(default_factory=Trouble)
    timeout: float = 10.0  # how long SeQura waits for the shop's answer
    retries: int = 3  # further attempts after an answer that is no answer
    retry_seconds: float = 3.0
    # Review personas: how long a review takes after the shop's `on_hold` was accepted.
    review_seconds: float = 10.0
    # "real", or "quotes": the two-character string `""` that SeQura has been seen to send.
    order_ref_2: str = "real"
    # Order updates whose answer SeQura does not document: "accepted" or "refused" (409).
    increase: str = "refused"
    unship: str = "accepted"
    address_after_shipping: str = "accepted"
    reference_change: str = "refused"
    # A confirmation that was accepted before, and says nothing new; the empty carts said again.
    confirm_again: str = "accepted"
    cancel_again: str = "accepted"
    # By account and by merchant: what differs from accounts.py.
    passwords: dict[str, str] = field(default_factory=dict)
    contract_options: dict[str, list[str]] = field(default_factory=dict)


knobs = Knobs()
_lock = threading.Lock()


def turn(values: dict[str, Any]) -> dict[str, Any]:
    """Set the named knobs; KeyError for an unknown name, TypeError for a value of another kind."""
    with _lock:
        changed = deepcopy(knobs)
        for name, value in values.items():
            change(changed, name, value)
        for knob in fields(Knobs):
            setattr(knobs, knob.name, getattr(changed, knob.name))
        return asdict(knobs)


def change(holder: Any, name: str, value: Any) -> None:
    usual = asdict(holder)[name]
    if isinstance(getattr(holder, name), Trouble):
        for inner, inner_value in value.items():
            change(getattr(holder, name), inner, inner_value)
        return
    if isinstance(usual, float) and type(value) is int:
        value = float(value)
    if type(value) is not type(usual):
        raise TypeError(f"{name} is a {type(usual).__name__}")
    setattr(holder, name, value)


def reset() -> None:
    """Every knob in its usual position."""
    fresh = Knobs()
    with _lock:
        for knob in fields(Knobs):
            setattr(knobs, knob.name, getattr(fresh, knob.name))
