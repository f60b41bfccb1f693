"""The golden cases of the order update: a folder each, `snapshot.json` → `order_update.json`.

A snapshot may hold two keys more than BigCommerce gives: `known`, what we remember of the order
and what the merchant decided, and `solicited`, the parts of the solicitation that matter.
"""

import json
from pathlib import Path
from typing import Any

from payloads.order.order_update import Held, OrderFacts, Rules, compute

CASES = Path(__file__).with_name("orders")

SOLICITED = {
    "delivery_method": {"name": "Envío estándar", "days": "2-3", "home_delivery": True},
    "customer": {
        "given_names": "Fulana",
        "surnames": "De Tal",
        "email": "fulana@example.com",
        "logged_in": True,
        "language_code": "es-ES",
        "ip_number": "203.0.113.7",
        "user_agent": "Mozilla/5.0",
        "ref": "11",
    },
    "platform": {"name": "BigCommerce", "version": "v3"},
}


def folders() -> list[Path]:
    return [path for path in sorted(CASES.iterdir()) if path.is_dir()]


def facts(known: dict[str, Any], solicited: dict[str, Any]) -> OrderFacts:
    return OrderFacts(
        merchant_ref="demo_es",
        order_ref_1="250",
        reference="0b9a4c6e-6d52-4d0c-9d7b-0c9b6f8d3f6a",
        solicited=SOLICITED | solicited,
        shipped_by_status=known.get("shipped_by_status", False),
        rules=Rules(refunded_status_refunds=known.get("refunded_status_refunds", False)),
    )


def update_of(folder: Path) -> dict[str, Any]:
    snapshot = json.loads((folder / "snapshot.json").read_text())
    known, solicited = snapshot.pop("known", {}), snapshot.pop("solicited", {})
    try:
        return compute(snapshot, facts(known, solicited)).update
    except Held as held:
        return {"held": held.reason, "detail": held.detail}
