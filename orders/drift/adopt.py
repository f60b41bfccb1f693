"""Adopt orders that SeQura finances and the database does not know.

A backup that was restored, a failover that lost its last commits, or a move from another SeQura app
leave orders without a row, whose shipments and refunds never reach SeQura. BigCommerce remembers
the SeQura reference of each of them, and SeQura says to whom it belongs: the row is rebuilt from
the order, with nothing accepted and in doubt, so that SeQura receives the whole order once more.
What cannot be adopted is listed with its reason. See docs/adr/0017.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from django.conf import settings
from django.db import DataError, IntegrityError, transaction
from django.utils import timezone

import bigcommerce.api
import sequra.client
from bigcommerce.client import BigCommerce
from orders.corrections import open_for
from orders.models import Drift, Order, WebhookEvent, merchant_reference
from orders.queue.wakeup import wake_worker
from orders.sync import staff_notes
from orders.sync.snapshot import UNREADABLE, read_snapshot
from payloads.codes import INCOMPLETE
from payloads.order import people
from payloads.order.lines import Document, cents, text
from payloads.order.order_update import Held, OrderFacts, Rules, Snapshot, compute, moment
from stores.channels import ChannelSettings
from stores.clients import platform_facts, sequra_for
from stores.isolation import Busy, only_one
from stores.models import Connection, Merchant, Store
from transaction_log import record
from transport.call import Rejected, Unavailable
from transport.reading import number_of

log = structlog.get_logger(__name__)

Kind = Drift.Kind
_PENDING, _AWAITING_PAYMENT, _AWAITING_FULFILMENT = 1, 7, 11
_NOT_PAID = {INCOMPLETE, _PENDING, _AWAITING_PAYMENT}
# Statuses after which no change is expected: shipped, refunded, completed; plus the merchant's own.
_OVER = {2, 4, 10}
# An order that is over and stood still for so long is linked, and SeQura receives nothing about it.
_STOOD_STILL = timedelta(days=30)
# How the notes begin of an order whose payment this app took back, or never finished.
_TAKEN_BACK = ("SeQura: not paid (", "SeQura: never paid.")
# SeQura's answer about a reference of another account or merchant id.
_FOREIGN = 403
_NO_ACCESS, _GONE = 401, 404
_LOCK_SECONDS = 10.0


class _NotAdoptable(Exception):
    """Why an order cannot be linked: a code of `transaction_log.explanations`."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(reason)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Finding:
    """What became of one order that the database did not know."""

    kind: Kind
    number: int
    reference: UUID | None = None
    environment: str = ""
    detail: str = ""


@dataclass(frozen=True, kw_only=True)
class _Payment:
    """The SeQura account and merchant id that were paid, and what is known of the purchase."""

    connection: Connection
    merchant_ref: str
    known: dict[str, Any] = field(default_factory=dict)  # fields of the row


# What the list shows -----------------------------------------------------------------------------


def unknown(store: Store, listed: Iterable[Document]) -> list[Document]:
    """Return the paid SeQura orders of this list that have no row, by number."""
    named = {
        int(one["id"]): one
        for one in listed
        if isinstance(one.get("status_id"), int) and names_sequra(one) and _is_paid(store, one)
    }
    rows = Order.objects.filter(store=store, bigcommerce_id__in=named)
    ours = set(rows.values_list("bigcommerce_id", flat=True))
    missing = [order for number, order in named.items() if number not in ours]
    missing = [order for order in missing if _has_reference(order) or not _is_over(store, order)]
    return sorted(missing, key=lambda one: int(one["id"]))


def names_sequra(order: Document) -> bool:
    """Return whether the order was paid with SeQura, by this app or by another one."""
    app = settings.BIGCOMMERCE_APP_ID
    by_us = bool(app) and order.get("external_source") == app
    return (
        by_us
        or "sequra" in str(order.get("payment_method") or "").lower()
        or staff_notes.reference_in(_notes(order)) is not None
    )


def _is_paid(store: Store, order: Document) -> bool:
    """Was the payment finished? Not when Incomplete, unless the merchant leaves the status alone.

    The payment fields are written after SeQura has confirmed, in one request with the status.
    """
    if any(sign in _notes(order) for sign in _TAKEN_BACK):
        return False
    own, status = _settings(store, order), order["status_id"]
    mapped = {own.status_approved, own.status_needs_review}
    if status not in _NOT_PAID or status in mapped - {INCOMPLETE}:
        return True
    ours = order.get("external_order_id") and order["external_order_id"] == str(
        order.get("payment_provider_id")
    )
    return status in (INCOMPLETE, _PENDING) and bool(ours) and bool(mapped & {None, INCOMPLETE})


def _is_over(store: Store, order: Document) -> bool:
    """Return whether no change is expected and the order has been unchanged for a month."""
    changed = moment(order.get("date_modified")) or moment(order.get("date_created"))
    own = _settings(store, order)
    statuses = {*_OVER, *own.shipped_statuses, *own.cancelling_statuses}
    return (
        order["status_id"] in statuses
        and changed is not None
        and changed < timezone.now() - _STOOD_STILL
    )


def _is_cancelled(store: Store, order: Document) -> bool:
    return order["status_id"] in _settings(store, order).cancelling_statuses


def _settings(store: Store, order: Document) -> ChannelSettings:
    """Return the settings of the order's storefront."""
    return ChannelSettings(store, _channel(order))


def _channel(order: Document) -> int:
    return number_of(order.get("channel_id")) or 1


def _references(order: Document) -> list[UUID]:
    """Return the SeQura references that the order carries, the likeliest first."""
    written = [order.get("external_order_id"), order.get("payment_provider_id")]
    found = [_uuid(one) for one in written]
    found.append(staff_notes.reference_in(_notes(order)))
    return list(dict.fromkeys(one for one in found if one))


def _has_reference(order: Document) -> bool:
    return bool(_references(order))


def _uuid(written: object) -> UUID | None:
    found = staff_notes.REFERENCE.fullmatch(str(written or "").strip())
    return UUID(found[0]) if found else None


def _notes(order: Document) -> str:
    return str(order.get("staff_notes") or "")


# One order ---------------------------------------------------------------------------------------


def adopt(store: Store, api: BigCommerce, listed: Document) -> Finding | None:
    """Create the missing row of this order, or report why not. None when there is nothing to do."""
    number = int(listed["id"])
    try:
        return _adopt(store, api, number)
    except _NotAdoptable as no:
        return _not_adopted(store, listed, no)
    except (DataError, *UNREADABLE) as error:
        log.exception("order_not_adopted", store=store.hash, order=number)
        return _not_adopted(store, listed, _NotAdoptable("unreadable", type(error).__name__))
    except (Rejected, Unavailable, Busy) as error:
        if isinstance(error, bigcommerce.api.Rejected) and error.status == _GONE:
            return None  # deleted since it was listed
        log.warning("order_not_checked", store=store.hash, order=number, reason=str(error))
        return Finding(Kind.NOT_CHECKED, number, detail=str(error))


def _adopt(store: Store, api: BigCommerce, number: int) -> Finding | None:
    snapshot = read_snapshot(api, number, has_shipments=True)
    order = snapshot["order"]
    if not _is_paid(store, order):
        return None
    if not (named := _references(order)):
        raise _NotAdoptable("adoption_without_reference", text(order.get("payment_method")))
    _yield_to_living(store, api, order, named[0])
    for reference in named:
        if payment := _remembered(store, reference):
            with only_one(f"solicitation {payment.known.pop('pk')}", _LOCK_SECONDS):
                return _made(store, snapshot, reference, payment)
    return _made(store, snapshot, *_asked(store, snapshot, named))


def _yield_to_living(store: Store, api: BigCommerce, order: Document, reference: UUID) -> None:
    """Raise if the order is cancelled and another order with its SeQura reference is not."""
    if not _is_cancelled(store, order):
        return
    for other in api.orders(external_order_id=str(reference)):
        if _is_paid(store, other) and not _is_cancelled(store, other):
            raise _NotAdoptable("adoption_reference_taken", str(reference))


def _remembered(store: Store, reference: UUID) -> _Payment | None:
    """Return the payment from its own row, when only the row of the order was lost."""
    if Store.objects.filter(solicitations__reference=reference).exclude(pk=store.pk).exists():
        raise _NotAdoptable("adoption_foreign", str(reference))
    attempt = store.solicitations.filter(reference=reference).select_related("connection").first()
    if attempt is None:
        return None
    if attempt.phase == attempt.Phase.REFUSED:
        raise _NotAdoptable("adoption_taken_back", attempt.refusal)
    moments = (
        ("solicited", attempt.created_at),
        ("form_shown", attempt.form_shown_at),
        (attempt.state, attempt.notified_at),
    )
    known = {
        "pk": attempt.pk,
        "amount": attempt.amount,
        "currency": attempt.currency,
        "product": attempt.product,
        "beginnings": [(name, at.isoformat()) for name, at in moments if name and at],
    }
    if not attempt.erased_at:
        known["solicited"] = attempt.order
    return _Payment(connection=attempt.connection, merchant_ref=attempt.merchant_ref, known=known)


def _asked(store: Store, snapshot: Snapshot, named: Sequence[UUID]) -> tuple[UUID, _Payment]:
    """Return the reference and the merchant id under which SeQura has it.

    SeQura shows a shop no order, only the payment methods one could be paid with, and that only to
    the merchant id to which it belongs. Raise NotAdoptable, and what SeQura's client raises.
    """
    countries = _countries(snapshot)
    merchants = list(_merchants(store, countries))
    if not merchants:
        raise _NotAdoptable("adoption_not_connected", ", ".join(dict.fromkeys(countries)))
    undecided = []
    for reference in named:
        for merchant in merchants:
            found = _belongs(merchant, reference)
            if found:
                return reference, _payment(merchant)
            if found is None and merchant.country in countries:
                undecided.append((reference, merchant))
    if not undecided:
        raise _NotAdoptable("adoption_foreign", ", ".join(map(str, named)))
    reference, merchant = undecided[0]
    return reference, _payment(merchant)


def _countries(snapshot: Snapshot) -> list[str]:
    """Return where the order is delivered, and where it is billed."""
    order, addresses = snapshot["order"], snapshot.get("shipping_addresses") or ()
    places = (
        people.delivery_address(order, addresses),
        people.sequra_address(order["billing_address"]),
    )
    return [place["country_code"] for place in places]


def _merchants(store: Store, countries: Sequence[str]) -> Iterator[Merchant]:
    """Yield the merchant ids this order may have been paid with, the likeliest first."""
    rows = store.merchants.select_related("connection").filter(connection__stopped_at=None)

    def rank(merchant: Merchant) -> tuple[bool, bool, bool, int]:
        archived = merchant.connection.state == Connection.State.ARCHIVED
        return merchant.country not in countries, not merchant.selling, archived, -merchant.pk

    seen = set()
    for merchant in sorted(rows, key=rank):
        key = merchant.connection_id, merchant.ref
        if key not in seen:
            seen.add(key)
            yield merchant


def _belongs(merchant: Merchant, reference: UUID) -> bool | None:
    """Return whether SeQura has this order under this merchant id; None when that is unknown."""
    if merchant.connection.is_refused:
        raise sequra.client.Unavailable("SeQura refuses this account")
    try:
        sequra_for(merchant.connection).order_payment_methods(merchant.ref, reference)
    except sequra.client.Rejected as refusal:
        if refusal.status == _NO_ACCESS:
            merchant.connection.pause()
            raise
        return False if refusal.status == _FOREIGN else None
    return True


def _payment(merchant: Merchant) -> _Payment:
    return _Payment(connection=merchant.connection, merchant_ref=merchant.ref)


# The row -----------------------------------------------------------------------------------------


def _made(store: Store, snapshot: Snapshot, reference: UUID, payment: _Payment) -> Finding | None:
    """Commit the row and its entry in the transaction log. None when it was created meanwhile."""
    order, number = snapshot["order"], int(snapshot["order"]["id"])
    quiet = _is_over(store, order)
    fields = {
        **_facts_of(snapshot, payment, reference),
        "channel_id": _channel(order),
        **payment.known,
        "status": _status(store, order),
        "placed_at": moment(order.get("date_created")) or timezone.now(),
        "adopted_at": timezone.now(),
        "left_alone": quiet,
        "corrected": open_for(store, reference),
        "has_shipments": True,
        "seen_status": order["status_id"],
        "changed": 0 if quiet else 1,
        "unsure": True,
    }
    try:
        with transaction.atomic():
            row, made = Order.objects.get_or_create(
                store=store,
                bigcommerce_id=number,
                defaults={
                    "connection": payment.connection,
                    "merchant_ref": payment.merchant_ref,
                    "reference": reference,
                    "order_ref_1": _reference(store, payment.merchant_ref, number),
                    **fields,
                },
            )
            if not made:
                return None
            record.accepted(row.subject, "adopted", _reason(row))
            _resynchronise(row)
            transaction.on_commit(wake_worker)
    except IntegrityError as error:
        raise _NotAdoptable("adoption_reference_taken", str(reference)) from error
    log.info("order_adopted", store=store.hash, order=number, reference=str(reference))
    environment = payment.connection.environment
    return Finding(Kind.ADOPTED, number, reference, environment, _reason(row))


def _facts_of(snapshot: Snapshot, payment: _Payment, reference: UUID) -> dict[str, Any]:
    """Return what the order itself shows of the purchase, as columns of the row."""
    order = snapshot["order"]
    financed = cents(order, "total_inc_tax")
    financed -= cents(order, "store_credit_amount") + cents(order, "gift_certificate_amount")
    return {
        "amount": max(0, financed),
        "currency": str(order["default_currency_code"])[:3],
        "payment_method": text(order.get("payment_method"))[:255],
        "solicited": _solicited(snapshot, payment.merchant_ref, str(reference)),
    }


def _solicited(snapshot: Snapshot, merchant_ref: str, reference: str) -> Document:
    """Rebuild the solicited order: the whole order before anything was shipped or refunded."""
    order = snapshot["order"]
    known = {"customer": people.known_of(order), "platform": platform_facts()}
    facts = OrderFacts(
        merchant_ref=merchant_ref,
        order_ref_1=str(order["id"]),
        reference=reference,
        currency=str(order["default_currency_code"]),
        solicited=known,
        rules=Rules(shipped_statuses=frozenset(), cancelling_statuses=frozenset()),
    )
    fresh: Snapshot = {
        **snapshot,
        "order": {**order, "status_id": _AWAITING_FULFILMENT},
        "refunds": [],
        "shipments": [],
    }
    try:
        update = compute(fresh, facts).update
    except Held:
        return known
    names = ("merchant", "delivery_method", "delivery_address", "invoice_address", "customer")
    kept = {name: update[name] for name in names if name in update}
    return {**kept, "platform": known["platform"], "cart": update["unshipped_cart"]}


def _status(store: Store, order: Document) -> str:
    """Return SeQura's state of the payment, by the staff notes and the merchant's mapping.

    A review without a recorded end stays a review: SeQura accepts no update before it ends.
    """
    noted, status = staff_notes.status_in(_notes(order)), order["status_id"]
    if noted == Order.Status.CANCELLED:
        return Order.Status.CANCELLED
    own = _settings(store, order)
    approved = status == own.status_approved or noted == Order.Status.APPROVED
    in_review = status == own.status_needs_review or noted == Order.Status.IN_REVIEW
    return Order.Status.IN_REVIEW if in_review and not approved else Order.Status.APPROVED


def _reference(store: Store, merchant_ref: str, number: int) -> str:
    """Return `order_ref_1`, never a bare number that may be another shop's at SeQura.

    SeQura finds an order by merchant id and this reference alone. If SeQura once required the
    longer form of this store, another shop uses the same merchant id.
    """
    longer = f"{store.hash}-"
    ours = Order.objects.filter(store=store, merchant_ref=merchant_ref)
    if ours.filter(order_ref_1__startswith=longer).exists():
        return f"{longer}{number}"
    return merchant_reference(store, merchant_ref, number)


def _reason(order: Order) -> str:
    if order.status == Order.Status.IN_REVIEW:
        return "adopted_in_review"
    if order.status == Order.Status.CANCELLED:
        return "adopted_cancelled"
    return "adopted_quietly" if order.left_alone else "adopted"


def _resynchronise(order: Order) -> None:
    """Count the order's webhook events that waited or were given up."""
    events = WebhookEvent.objects.filter(
        store=order.store, bigcommerce_order_id=order.bigcommerce_id
    )
    waiting = (WebhookEvent.Outcome.PARKED, WebhookEvent.Outcome.IGNORED)
    events.filter(outcome__in=waiting).update(outcome=WebhookEvent.Outcome.NEW)


# What stays unlinked -----------------------------------------------------------------------------


def _not_adopted(store: Store, listed: Document, no: _NotAdoptable) -> Finding:
    """Put the order on the merchant's list, once for each reason, unless it was over long ago."""
    number, named = int(listed["id"]), _references(listed)
    finding = Finding(
        Kind.NOT_ADOPTED, number, named[0] if named else None, store.environment, no.reason
    )
    if _is_over(store, listed):
        return finding
    subject = record.Subject(
        store=store,
        environment=store.environment,
        bigcommerce_id=number,
        payment_method=text(listed.get("payment_method"))[:255],
    )
    statement = str(named[0]) if named else "without reference"
    record.rejected(subject, "adopted", no.reason, words=no.detail, statement=statement)
    return finding
