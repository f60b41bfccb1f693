"""sync_order: read the order, compute the full statement for SeQura, send it if it differs.

There is no handler for updates, shipments, refunds or cancellations: every change is this one
comparison of whole statements. So events may arrive twice, late, in any order, or be the echo of
our own write.

`sync_order` runs on threads and never uses the database: it takes a row and returns a Result.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import TypedDict, Unpack

import structlog
from django.utils import timezone

import bigcommerce.api
import sequra.client
from bigcommerce.client import BigCommerce
from orders.models import Order
from orders.queue.claim import Lease
from orders.queue.throttle import BIGCOMMERCE, SEQURA
from orders.sync.snapshot import (
    PartMissing,
    StoodStill,
    Unreadable,
    read_snapshot,
    reading_documents,
)
from payloads.order import people
from payloads.order.comparison import agrees, what_happened
from payloads.order.order_update import (
    Computed,
    Held,
    OrderUpdate,
    Snapshot,
    compute,
    last_change,
    shipped_at,
)
from payloads.order.people import agreeing, overlaid
from sequra.client import Sequra
from transaction_log.record import reason_digest, statement_digest
from transport.call import Unavailable

log = structlog.get_logger(__name__)

_GONE = 404


class Kind(StrEnum):
    """How a synchronisation ended."""

    SENT = "sent"  # SeQura accepted a new statement
    ALREADY_KNOWN = "already_known"  # it is the purchase as solicited: the first statement, no news
    UNCHANGED = "unchanged"  # it is the statement that SeQura accepted last
    ALREADY_REJECTED = "already_rejected"  # SeQura rejected it last: only a merchant retries it
    CLOSED = "closed"  # SeQura cancelled the order: nothing is sent any more
    GONE = "gone"  # BigCommerce has no such order
    WAITING = "waiting"  # SeQura reviews the order, or does not know its number yet
    REFUSED = "refused"  # a system rejected it, or the order makes no sense: the merchant acts
    LATER = "later"  # retry
    NO_ACCESS = "no_access"  # a system rejected our credentials
    LEASE_LOST = "lease_lost"  # another worker may hold the order now


@dataclass(frozen=True, kw_only=True)
class _Seen:
    """What the order's documents show, as far as they could be read."""

    update: OrderUpdate | None = None
    computed: Computed | None = None  # the facts of the update
    event: str = "edit"
    agreed: tuple[str, ...] = ()  # details that SeQura corrected and BigCommerce now has as well
    shipped_at: datetime | None = None
    status_id: int | None = None  # BigCommerce's, of the order
    modified: str = ""  # BigCommerce's own date of the order's last change
    archived: bool = False  # deleted in the control panel, where it can be restored
    digest: str = ""  # of the order's document, if everything follows from it


@dataclass(frozen=True, kw_only=True)
class Reading(_Seen):
    """What they show now, and the statement computed from them."""

    update: OrderUpdate
    computed: Computed


@dataclass(frozen=True, kw_only=True)
class Result(_Seen):
    """How a synchronisation ended, and what to store about it."""

    kind: Kind
    reason: str = ""
    message: str = ""
    host: str = ""  # the system that rejected it or did not answer
    retry_after: float | None = None
    may_have_arrived: bool = False  # a statement was sent and its answer was lost
    statement: str = ""
    staff_note: str = ""  # the block in the staff notes, if it changed

    @property
    def may_be_known(self) -> bool:
        """Return whether SeQura received, or may have received, a statement."""
        return self.kind is Kind.SENT or self.may_have_arrived


class _Cause(TypedDict, total=False):
    """The fields of a Result that explain its kind, typed so that renames are checked."""

    reason: str
    message: str
    host: str
    may_have_arrived: bool


def sync_order(order: Order, shop: BigCommerce, provider: Sequra, lease: Lease) -> Result:
    """Synchronise one order with SeQura. Never raise what a system or its data may cause."""
    try:
        return _sync(order, shop, provider, lease)
    except StoodStill:
        return _stood_still(order)
    except (Held, Unreadable) as error:
        return _not_now(order, error)
    except bigcommerce.api.Rejected as error:
        return _refused_by_shop(error)
    except PartMissing as error:
        return Result(kind=Kind.LATER, reason="bigcommerce_unavailable", message=error.reason)
    except bigcommerce.api.Unavailable as error:
        return _delayed(Result(kind=Kind.LATER), BIGCOMMERCE, error)


def _sync(order: Order, shop: BigCommerce, provider: Sequra, lease: Lease) -> Result:
    if order.status == Order.Status.CANCELLED:
        return _closed(order, shop)
    if order.status == Order.Status.WITHOUT_REFERENCE:
        return Result(kind=Kind.WAITING, reason="without_reference")
    reading = _read(order, shop, known=order.seen_digest if order.is_settled else "")
    if not order.unsure and (known := _known(order, reading)):
        return known
    if order.status == Order.Status.IN_REVIEW:
        return _result(reading, Kind.WAITING, reason="in_review")
    if not lease.is_safe:
        return Result(kind=Kind.LEASE_LOST)
    return _send(order, reading, shop, provider, lease)


def _closed(order: Order, shop: BigCommerce) -> Result:
    """Report goods that leave after SeQura cancelled the order. Nothing is sent any more."""
    try:
        reading = _read(order, shop)
    except (Held, Unreadable):
        return Result(kind=Kind.CLOSED)
    known = (order.accepted_update or {}).get("shipped_cart", {}).get("items") or []
    left = reading.update["shipped_cart"]["items"]
    if not left or left == known:
        return _result(reading, Kind.CLOSED)
    result = _result(reading, Kind.CLOSED, reason="shipped_after_cancellation")
    return replace(result, statement=statement_digest({"items": left}))


def _stood_still(order: Order) -> Result:
    """Return what the reading before this one found: the order's document is the same."""
    return Result(
        kind=Kind.UNCHANGED,
        update=order.accepted_update,
        status_id=order.seen_status,
        modified=order.seen_modified,
        digest=order.seen_digest,
    )


def _read(order: Order, shop: BigCommerce, *, known: str = "") -> Reading:
    """Return the order as it is now. Raise what `read_snapshot` and `reading_of` raise."""
    number, has_shipments = order.bigcommerce_id, order.has_shipments
    return reading_of(order, read_snapshot(shop, number, has_shipments=has_shipments, known=known))


@reading_documents()
def reading_of(order: Order, snapshot: Snapshot) -> Reading:
    """Return the statement of these documents. Raise Held, or Unreadable."""
    facts = order.facts()
    if not facts.solicited.get("customer"):  # erased: take what the order shows, as for adoption
        customer = people.known_of(snapshot["order"])
        facts = replace(facts, solicited={**facts.solicited, "customer": customer})
    computed = compute(snapshot, facts)
    update = overlaid(computed.update, order.corrected)
    if update == order.accepted_update:
        update = order.accepted_update  # the object itself: to compare it again costs nothing
    return Reading(
        update=update,
        computed=computed,
        event=what_happened(order.accepted_update, update, snapshot, facts.rules),
        agreed=tuple(agreeing(computed.update, order.corrected)),
        shipped_at=shipped_at(snapshot),
        status_id=int(snapshot["order"]["status_id"]),
        modified=last_change(snapshot, timezone.now()),
        archived=bool(snapshot["order"].get("is_deleted")),
        digest=snapshot.get("digest", ""),
    )


def _known(order: Order, reading: Reading) -> Result | None:
    """Return the result when SeQura accepted, or rejected, this very statement already."""
    if reading.update == order.accepted_update:
        return _result(reading, Kind.UNCHANGED)
    if order.accepted_update is None and agrees(reading.update, order.solicited):
        return _result(reading, Kind.ALREADY_KNOWN)
    if order.refused and order.refused == statement_digest(reading.update):
        return _result(reading, Kind.ALREADY_REJECTED)
    return None


def _send(
    order: Order, reading: Reading, shop: BigCommerce, provider: Sequra, lease: Lease
) -> Result:
    """Send the statement. When it is rejected, read again and send once more if it changed."""
    try:
        refusal = _put(order, reading, provider)
        no_access = _is_about_us(refusal, order, provider)
        if refusal and not no_access:
            again = _read(order, shop)
            if again.update != reading.update:
                if not lease.is_safe:  # the first was refused: nothing is in doubt
                    return Result(kind=Kind.LEASE_LOST)
                reading, refusal = again, _put(order, again, provider)
                no_access = refusal is not None and provider.is_about_us(
                    refusal, order.merchant_ref
                )
    except sequra.client.Unavailable as error:
        later = _result(reading, Kind.LATER, may_have_arrived=error.maybe_done)
        return _delayed(later, SEQURA, error)
    if refusal is None:
        return _result(reading, Kind.SENT)
    kind = Kind.NO_ACCESS if no_access else Kind.REFUSED
    reason = "sequra_unauthorised" if no_access else f"sequra_{refusal.status}"
    return _result(reading, kind, reason=reason, message=refusal.message, host=SEQURA)


def _is_about_us(refusal: sequra.client.Rejected | None, order: Order, provider: Sequra) -> bool:
    return refusal is not None and provider.is_about_us(refusal, order.merchant_ref)


def _put(order: Order, reading: Reading, provider: Sequra) -> sequra.client.Rejected | None:
    """Send the statement and return SeQura's rejection, if any."""
    try:
        provider.update_order(order.merchant_ref, order.order_ref_1, reading.update)
    except sequra.client.Rejected as refusal:
        return refusal
    return None


def _result(reading: Reading, kind: Kind, **cause: Unpack[_Cause]) -> Result:
    statement = statement_digest(reading.update)
    return Result(kind=kind, statement=statement, **vars(reading), **cause)


def _delayed(result: Result, host: str, error: Unavailable) -> Result:
    """Return the result with the host that gave no usable answer."""
    return replace(
        result,
        reason=f"{host}_unavailable",
        message=error.reason,
        host=host,
        retry_after=error.retry_after,
    )


def _not_now(order: Order, error: Held | Unreadable) -> Result:
    """Return the result for an order of which no statement can be made.

    An order without products is not complete in BigCommerce yet.
    """
    if isinstance(error, Held):
        reason, message, detail = error.reason, error.detail, error.detail
    else:
        log.error(
            "order_unreadable",
            order=order.bigcommerce_id,
            store=order.store.hash,
            exc_info=error,
        )
        reason, message, detail = "unreadable", error.kind, str(error)
    return Result(
        kind=Kind.LATER if reason == "no_products" else Kind.REFUSED,
        reason=reason,
        message=message,
        statement=reason_digest(reason, detail),
    )


def _refused_by_shop(refusal: bigcommerce.api.Rejected) -> Result:
    kind, reason = {
        _GONE: (Kind.GONE, "archived"),
        401: (Kind.NO_ACCESS, "bigcommerce_unauthorised"),
    }.get(refusal.status, (Kind.LATER, "bigcommerce_refused"))
    return Result(kind=kind, reason=reason, message=refusal.message, host=BIGCOMMERCE)
