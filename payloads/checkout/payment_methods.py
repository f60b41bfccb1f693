"""The payment methods SeQura offers for one solicited order, and the ones to show."""

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TypedDict

from payloads.checkout.reasons import Reason
from sequra.documents import PaymentMethod

# Instalments have titles like "from 7.24 € a month"; an order is named after their category.
_NAMED_AFTER_CATEGORY = {"pp3", "pp6", "pp9"}


class Method(TypedDict):
    """A payment method as the checkout shows it, identified by product and campaign."""

    product: str
    campaign: str | None
    title: str
    description: str
    cost_description: str
    icon: str  # SVG text, foreign: show it as an image only
    category: str


def offered_methods(
    known: Sequence[PaymentMethod], amount: int, now: datetime
) -> tuple[list[Method], list[Reason]]:
    """Return the methods that finance `amount` cents at `now`; without any, the reasons why."""
    verdicts = [(method, reasons_against(method, amount, now)) for method in known]
    offered = [_shown(method) for method, reasons in verdicts if not reasons]
    if offered:
        return offered, []
    found = {reason for _, reasons in verdicts for reason in reasons}
    return [], [reason for reason in Reason if reason in found] or [Reason.NO_METHODS]


def reasons_against(method: PaymentMethod, amount: int, now: datetime) -> list[Reason]:
    """Return why a method is not available: its range of amounts (cents, inclusive), its dates."""
    least, most = method["min_amount"], method["max_amount"]
    starts, ends = _moment(method["starts_at"]), _moment(method["ends_at"])
    found = {
        Reason.AMOUNT: (least is not None and amount < least)
        or (most is not None and amount > most),
        Reason.NOT_YET_AVAILABLE: starts is not None and now < starts,
        Reason.NO_LONGER_AVAILABLE: ends is not None and now >= ends,
    }
    return [reason for reason, applies in found.items() if applies]


def _moment(known: str | None) -> datetime | None:
    """Return a moment of SeQura; None for an unreadable one, which limits nothing."""
    try:
        moment = datetime.fromisoformat(known or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shown(method: PaymentMethod) -> Method:
    return {
        "product": method["product"],
        "campaign": method["campaign"],
        "title": _unbroken(_title(method)),
        "description": _unbroken(method["description"]),
        "cost_description": _unbroken(method["cost_description"] or method["claim"]),
        "icon": method["icon"],
        "category": method["category"],
    }


def _unbroken(text: str) -> str:
    """Keep an amount on one line: phones broke `12,24 €/mes` before the euro sign."""
    return re.sub(r"(?<=\d) (?=€)|(?<=€) (?=\d)", "\N{NO-BREAK SPACE}", text)


def _title(method: PaymentMethod) -> str:
    return method["title"] or method["long_title"] or method["category_title"] or "SeQura"


def find_method(methods: Iterable[Method], product: str, campaign: str | None) -> Method | None:
    """Return the method that the shopper chose, if it was offered."""
    wanted = (product, campaign or None)
    return next((m for m in methods if (m["product"], m["campaign"]) == wanted), None)


def order_name(known: Iterable[PaymentMethod], product: str) -> str:
    """Return the name of an order paid with this product; empty for an unknown product."""
    for method in known:
        if method["product"] == product:
            by_category = product in _NAMED_AFTER_CATEGORY and method["category_title"]
            return method["category_title"] if by_category else _title(method)
    return ""
