"""A return that SeQura reported, refunded in BigCommerce because the merchant asks for it.

SeQura's payment is no gateway to BigCommerce, so the refund is recorded as one that was paid
outside of it: https://developer.bigcommerce.com/docs/store-operations/orders/refunds. SeQura
receives it as every refund, by the statement of the whole order. That holds the amount once,
whoever took it off first, so what SeQura deducted itself is not deducted again.

BigCommerce's refunds have no key that makes a repetition harmless. So an attempt is stored before
the call, and whoever finds one looks for its refund: it is newer than those that were known, and of
the same units.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce
from orders.models import Order
from orders.queue.claim import mark_changed
from orders.queue.wakeup import wake_worker
from payloads.money import euros, to_cents
from payloads.order.comparison import CARTS, as_accepted
from payloads.order.lines import Document
from payloads.order.refunds import happened
from stores.clients import bigcommerce_for
from stores.isolation import Busy, only_one
from stores.storefronts import language_of
from transaction_log import record
from transaction_log.explanations import DECISION
from transaction_log.models import Entry
from transport.reading import section

_Units = Mapping[int, int]  # by id of the order's product
# Until then a refund may exist that BigCommerce's lists do not show yet.
_SETTLED = timedelta(minutes=3)


@dataclass(frozen=True)
class Quote:
    """What BigCommerce refunds for some units: cents, and the payment by which it does."""

    cents: int
    payment: Mapping[str, Any]


class NoOfflineRefund(Exception):
    """BigCommerce offers no refund that it does not pay itself, or more than SeQura still holds."""


def quote(api: BigCommerce, order: Order, units: _Units) -> Quote:
    """Ask BigCommerce what these units come to. Raise NoOfflineRefund, Rejected, Unavailable."""
    found = api.refund_quote(order.bigcommerce_id, _items(units))
    # Each method pays all of it, tax included; the total of the quote may be without tax.
    for method in found.get("refund_methods") or ():
        match method:
            case [{"offline": True, "provider_id": str(name), "amount": amount}]:
                payment = {"provider_id": name, "amount": amount, "offline": True}
                return _affordable(order, Quote(to_cents(amount), payment))
    raise NoOfflineRefund


def refunded_returns(order: Order) -> QuerySet[Entry]:
    """Return the earlier decisions: SeQura may report a return again after its refund."""
    about = {"store_id": order.store_id, "bigcommerce_id": order.bigcommerce_id}
    return Entry.objects.filter(**about, event=DECISION, reason="return_refunded").order_by("at")


def _affordable(order: Order, quoted: Quote) -> Quote:
    """Return the quote unless certificates or store credit paid a part of what it refunds."""
    held = as_accepted(order.accepted_update, order.solicited)
    if quoted.cents > sum(section(held.get(key)).get("order_total_with_tax", 0) for key in CARTS):
        raise NoOfflineRefund
    return quoted


def refund(order: Order, entry: Entry, units: _Units, expected: int, person: str) -> str:
    """Refund these units for the cents that the person saw. Return a key of `panel.notices`.

    Raise NoOfflineRefund, Rejected and Unavailable.
    """
    try:
        with only_one(f"refund of order {order.pk}"):
            return _refund(order, entry, units, expected, person)
    except Busy:
        return "refund_under_way"


def _refund(order: Order, entry: Entry, units: _Units, expected: int, person: str) -> str:
    order.refresh_from_db(fields=["refunding"])
    if not Entry.objects.filter(pk=entry.pk, closed_at__isnull=True).exists():
        return "settled"
    api = bigcommerce_for(order.store)
    refunds = api.refunds(order.bigcommerce_id)
    if earlier := order.refunding:  # of this return, or of another one of the order
        if not _is_certain(order, earlier, refunds, person):
            return "refund_in_doubt"
        if not Entry.objects.filter(pk=entry.pk, closed_at__isnull=True).exists():
            return "refund_recorded"
    quoted = quote(api, order, units)
    if quoted.cents != expected:
        return "refund_changed"
    attempt = {
        "entry": entry.pk,
        "after": max((int(found["id"]) for found in refunds), default=0),
        "units": {str(line): count for line, count in units.items()},
        "cents": quoted.cents,
        "at": timezone.now().isoformat(),
    }
    Order.objects.filter(pk=order.pk).update(refunding=attempt)
    if not _create(api, order, _items(units), quoted.payment):
        return "refund_in_doubt"
    _finish(order, attempt, person)
    return "refund_recorded"


def _is_certain(order: Order, attempt: Document, refunds: list[Any], person: str) -> bool:
    """Return whether an earlier attempt is finished, or has certainly had no effect."""
    if any(_is_of(attempt, found) for found in refunds):
        _finish(order, attempt, person)
        return True
    return timezone.now() - datetime.fromisoformat(attempt["at"]) >= _SETTLED


def _create(
    api: BigCommerce, order: Order, items: list[dict[str, Any]], payment: Mapping[str, Any]
) -> bool:
    """Create the refund, and return whether BigCommerce confirmed it.

    What BigCommerce certainly did not do leaves no attempt behind, and is raised.
    """
    try:
        api.create_refund(order.bigcommerce_id, items, [payment])
    except Unavailable as error:
        if error.maybe_done:
            return False
        Order.objects.filter(pk=order.pk).update(refunding=None)
        raise
    except Rejected:
        Order.objects.filter(pk=order.pk).update(refunding=None)
        raise
    return True


def _finish(order: Order, attempt: Document, person: str) -> None:
    """Close the return, and let SeQura receive the order as it is now."""
    with transaction.atomic():
        Order.objects.filter(pk=order.pk).update(refunding=None)
        entry = Entry.objects.filter(pk=attempt["entry"], closed_at__isnull=True)
        entry.update(closed_at=timezone.now())
        amount = euros(attempt["cents"], language_of(order.store.language))
        record.accepted(order.subject, DECISION, "return_refunded", words=amount, by=person)
    mark_changed(pk=order.pk)
    wake_worker()


def _is_of(attempt: Document, found: Document) -> bool:
    """Return whether this refund is that of the attempt."""
    units = Counter[str]()
    for item in found.get("items") or ():
        if item.get("item_type") == "PRODUCT":
            units[str(item.get("item_id"))] += int(item.get("quantity") or 0)
    return int(found["id"]) > attempt["after"] and units == attempt["units"] and happened(found)


def _items(units: _Units) -> list[dict[str, Any]]:
    return [
        {
            "item_type": "PRODUCT",
            "item_id": line,
            "quantity": count,
            "reason": "Return reported by SeQura",
        }
        for line, count in units.items()
    ]
