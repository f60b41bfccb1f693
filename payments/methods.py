"""The payment methods SeQura offers for one solicited order, and which of them to show.

`payment_options` is the list of `GET /merchants/{merchant}/orders/{uuid}/payment_methods`:
categories with a title and their methods.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TypedDict

from payments.parts import Document
from payments.reasons import Reason

# Instalments have titles like "from 7.24 € a month"; an order is named after their category.
_NAMED_AFTER_CATEGORY = {"pp3", "pp6", "pp9"}


class Method(TypedDict):
    """A payment method as the checkout shows it; (product, campaign) is what a button sells."""

    product: str
    campaign: str | None
    title: str
    description: str
    cost_description: str
    icon: str  # SVG text, foreign: show it as an image only
    category: str
    order_name: str  # for the order's payment method in BigCommerce


def offered_methods(
    payment_options: Sequence[Document] | None, amount: int, now: datetime
) -> tuple[list[Method], list[Reason]]:
    """The methods that finance `amount` cents at `now`; without any, the reasons why.

    `None` instead of a list means that SeQura could not be asked.
    """
    if payment_options is None:
        return [], [Reason.SEQURA_UNAVAILABLE]
    methods: list[Method] = []
    noes: set[Reason] = set()
    for category in payment_options:
        for method in category.get("methods") or []:
            reasons = reasons_against(method, amount, now)
            noes.update(reasons)
            if not reasons:
                methods.append(_shown(method, category))
    if methods:
        return methods, []
    return [], [reason for reason in Reason if reason in noes] or [Reason.NO_METHODS]


def reasons_against(method: Document, amount: int, now: datetime) -> list[Reason]:
    """Why a method cannot be had: its range of amounts (cents, inclusive) and its dates."""
    least, most = method.get("min_amount"), method.get("max_amount")
    starts, ends = _moment(method.get("starts_at")), _moment(method.get("ends_at"))
    noes = {
        Reason.NO_METHODS: not method.get("product"),
        Reason.AMOUNT: (least is not None and amount < least)
        or (most is not None and amount > most),
        Reason.NOT_YET_AVAILABLE: starts is not None and now < starts,
        Reason.NO_LONGER_AVAILABLE: ends is not None and now >= ends,
    }
    return [reason for reason, applies in noes.items() if applies]


def _moment(told: str | None) -> datetime | None:
    """A moment SeQura names; one that cannot be read bounds nothing, and SeQura decides."""
    try:
        moment = datetime.fromisoformat(told or "")
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _shown(method: Document, category: Document) -> Method:
    title = _first(method.get("title"), method.get("long_title"), category.get("title"), "SeQura")
    by_category = method["product"] in _NAMED_AFTER_CATEGORY
    return {
        "product": method["product"],
        "campaign": method.get("campaign") or None,
        "title": title,
        "description": _first(method.get("description"), category.get("description")),
        "cost_description": _first(method.get("cost_description"), method.get("claim")),
        "icon": _first(method.get("icon"), category.get("icon")),
        "category": _first(category.get("category")),
        "order_name": _first(category.get("title"), title) if by_category else title,
    }


def _first(*texts: str | None) -> str:
    """The first text there is."""
    return next((text for text in texts if text), "")


def find_method(methods: Iterable[Method], product: str, campaign: str | None) -> Method | None:
    """The method a shopper chose, of those that were offered."""
    wanted = (product, campaign or None)
    return next((m for m in methods if (m["product"], m["campaign"]) == wanted), None)


def order_name(payment_options: Iterable[Document], product: str) -> str:
    """How an order paid with this product is called, whatever its range and dates say now."""
    for category in payment_options:
        for method in category.get("methods") or []:
            if method.get("product") == product:
                return _shown(method, category)["order_name"]
    return ""
