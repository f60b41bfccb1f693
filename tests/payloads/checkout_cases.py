"""Golden checkouts: a folder holds the documents, and the order or the refusal they lead to.

`checkout.json` (GET /v3/checkouts), perhaps `claim.json` (what the browser says of store credit),
`customer.json` (GET /v3/customers) and `orders.json` (GET /v2/orders of the customer); the outcome
is `order.json` or `refusal.json`. Everything else a solicitation needs is the same for all.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from payloads.checkout.lines import Claim, credit_balance, store_credit
from payloads.checkout.reasons import NotOffered
from payloads.checkout.shopper import merchant_country
from payloads.checkout.solicitation import Circumstances, solicitation
from payloads.money import to_cents

FOLDER = Path(__file__).parent / "checkout"
CASES = sorted(path.name for path in FOLDER.iterdir())
OUTCOMES = ("order.json", "refusal.json")


def document(case: str, name: str) -> Any:
    path = FOLDER / case / f"{name}.json"
    return json.loads(path.read_text()) if path.exists() else None


def outcome(case: str) -> tuple[str, dict[str, Any]]:
    """The file the case leads to, and what it should hold."""
    checkout, customer = document(case, "checkout"), document(case, "customer")
    try:
        credit = _credit(case, checkout, customer)
        order = solicitation(checkout, _circumstances(case, checkout, credit))
    except NotOffered as refusal:
        return "refusal.json", {"reason": refusal.reason, "detail": refusal.detail}
    return "order.json", order


def _credit(case: str, checkout: Any, customer: Any) -> int:
    told = document(case, "claim") or {}
    claim = Claim.of(told.get("store_credit_applied", False), told.get("outstanding_balance"))
    return store_credit(credit_balance(customer), to_cents(checkout["grand_total"]), claim)


def _circumstances(case: str, checkout: Any, credit: int) -> Circumstances:
    return circumstances(
        merchant=f"merchant_{merchant_country(checkout).lower()}",
        customer=document(case, "customer"),
        orders=document(case, "orders") or [],
        credit=credit,
    )


def circumstances(**changes: Any) -> Circumstances:
    """A Spanish shopper at a desk, with changes."""
    usual = Circumstances(
        merchant="merchant_es",
        notify_url="https://app.example/sequra/notification/secret",
        return_url="https://app.example/return/5f0c",
        abort_url="https://shop.example/checkout",
        events_url="https://app.example/sequra/event/secret",
        notification_parameters={"signature": "5f2b9d6c"},
        ip="203.0.113.7",
        user_agent="Mozilla/5.0 (X11; Linux x86_64)",
        locale="es",
        platform={"name": "BigCommerce", "version": "v3"},
    )
    return replace(usual, **changes)


def rewrite() -> None:
    """Write down what the code says now; the reviewer reads the difference."""
    for case in CASES:
        name, content = outcome(case)
        for other in OUTCOMES:
            (FOLDER / case / other).unlink(missing_ok=True)
        text = json.dumps(content, indent=2, ensure_ascii=False)
        (FOLDER / case / name).write_text(text + "\n")
