"""BigCommerce's order statuses: the store's labels, and choices that look wrong.

Ids are fixed, labels are the merchant's: https://docs.bigcommerce.com order statuses
"""

from collections.abc import Collection

import structlog
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from bigcommerce.api import Rejected, Unavailable
from stores.channels import ChannelSettings
from stores.clients import bigcommerce_for
from stores.models import Store
from transport.call import Timeout

log = structlog.get_logger(__name__)
_BRIEF: Timeout = (2, 4)

_INCOMPLETE, _PARTIALLY_SHIPPED, _CANCELLED = 0, 3, 5
# In the order in which an order goes through them; the names are BigCommerce's own.
_NAMES = {
    0: gettext_lazy("Incomplete"),
    1: gettext_lazy("Pending"),
    7: gettext_lazy("Awaiting Payment"),
    12: gettext_lazy("Manual Verification Required"),
    11: gettext_lazy("Awaiting Fulfillment"),
    9: gettext_lazy("Awaiting Shipment"),
    8: gettext_lazy("Awaiting Pickup"),
    3: gettext_lazy("Partially Shipped"),
    2: gettext_lazy("Shipped"),
    10: gettext_lazy("Completed"),
    14: gettext_lazy("Partially Refunded"),
    4: gettext_lazy("Refunded"),
    5: gettext_lazy("Cancelled"),
    6: gettext_lazy("Declined"),
    13: gettext_lazy("Disputed"),
}
# An order comes here without anything having been sent.
_NOT_SENT = {0, 1, 4, 5, 6, 7, 9, 11, 12, 13}
# An order that somebody paid is none of these.
_NOT_PAID = {0, 4, 5, 6, 7}
# Statuses of orders that are prepared or under way, so that their shoppers owe them.
_ALIVE = {1, 2, 3, 8, 9, 10, 11, 12}


def label(store: Store, status: int) -> str:
    """Return the store's label of a status, or BigCommerce's default one."""
    return str(store.status_labels.get(str(status)) or _NAMES.get(status, status))


def in_both(shipped: Collection[int], cancelling: Collection[int]) -> list[int]:
    """Return the statuses that would both ship and cancel an order."""
    return sorted(set(shipped) & set(cancelling))


def cancelled_status(cancelling: Collection[int]) -> int:
    """Return the status that cancels an order, out of those: Cancelled, where that one counts."""
    return _CANCELLED if _CANCELLED in cancelling or not cancelling else min(cancelling)


def choices(store: Store) -> list[tuple[int, str]]:
    """Return every status with its label, for a form."""
    return [(status, label(store, status)) for status in _NAMES]


def refresh(store: Store) -> bool:
    """Read the labels from BigCommerce again. Return False when it fails."""
    try:
        rows = bigcommerce_for(store, _BRIEF).order_statuses()
    except (Rejected, Unavailable) as error:
        log.warning("order_statuses_unknown", store=store.hash, reason=str(error))
        return False
    found = {
        str(row["id"]): str(row.get("custom_label") or row.get("name") or "")[:100] for row in rows
    }
    Store.objects.filter(pk=store.pk).update(status_labels=found)
    store.status_labels = found
    return True


def mapping_warnings(store: Store, of: ChannelSettings | None = None) -> list[str]:
    """Return what looks wrong about the statuses set after SeQura's decisions.

    `of` is a storefront with statuses of its own; without it, the store.
    """
    own: Store | ChannelSettings = of or store
    found = []
    if own.status_approved in (None, _INCOMPLETE):
        found.append(
            _(
                "A paid order stays Incomplete: BigCommerce hides it from the order list,"
                " doesn't reduce stock and doesn't send the customer a confirmation. Choose"
                " another status."
            )
        )
    elif own.status_approved in _NOT_PAID:
        found.append(
            _(
                "A paid order changes to “%(label)s”, as if it had not been paid. Choose"
                " another status."
            )
            % {"label": label(store, own.status_approved)}
        )
    if own.status_needs_review in (None, _INCOMPLETE):
        found.append(
            _("An order in review stays Incomplete, so you don't see it until SeQura decides.")
        )
    if own.status_cancelled is None:
        found.append(
            _(
                "When SeQura cancels a payment, the order status in BigCommerce doesn't change,"
                " so you might ship the order. Choose a status."
            )
        )
    return found


def shipped_warnings(store: Store, of: ChannelSettings | None = None) -> list[str]:
    """Return what looks wrong about the statuses that count as shipped."""
    own: Store | ChannelSettings = of or store
    shipped = own.shipped_statuses
    found = []
    if own.status_approved is not None and own.status_approved in shipped:
        found.append(
            _(
                "Every order counts as shipped as soon as it is paid, because “%(label)s” is"
                " your status for paid orders. Remove it from this list."
            )
            % {"label": label(store, own.status_approved)}
        )
    early = [label(store, status) for status in shipped if status in _NOT_SENT]
    if early:
        found.append(
            _(
                "Orders reach %(labels)s before anything is shipped. SeQura would ask customers"
                " to pay for products you still have. Remove the status from this list."
            )
            % {"labels": ", ".join(f"“{one}”" for one in early)}
        )
    if _PARTIALLY_SHIPPED in shipped:
        found.append(
            _(
                "With “%(label)s”, the whole order counts as shipped, not only the shipped"
                " part. Remove the status from this list."
            )
            % {"label": label(store, _PARTIALLY_SHIPPED)}
        )
    if not shipped:
        found.append(
            _(
                "No status counts as shipped. SeQura receives a shipment only when you create"
                " one in BigCommerce; digital products are included with the last shipment."
            )
        )
    return found


def cancelling_warnings(store: Store, of: ChannelSettings | None = None) -> list[str]:
    """Return what looks wrong about the statuses that cancel an order at SeQura."""
    own: Store | ChannelSettings = of or store
    cancelling = own.cancelling_statuses
    found = []
    if _CANCELLED not in cancelling:
        found.append(
            _(
                "SeQura keeps asking customers to pay for orders that change to “%(label)s”."
                " Add the status to this list."
            )
            % {"label": label(store, _CANCELLED)}
        )
    alive = [label(store, status) for status in cancelling if status in _ALIVE]
    if alive:
        found.append(
            _(
                "Orders that you still deliver reach %(labels)s. SeQura wouldn't charge for"
                " anything not shipped by then. Remove the status from this list."
            )
            % {"labels": ", ".join(f"“{one}”" for one in alive)}
        )
    return found


def warnings(store: Store, of: ChannelSettings | None = None) -> list[str]:
    """Return what looks wrong about all statuses, of the store or of a storefront."""
    found = [*mapping_warnings(store, of), *cancelling_warnings(store, of)]
    if (of or store).shipped_statuses:  # without any, only shipments count: a choice, not a defect
        found += shipped_warnings(store, of)
    return found
