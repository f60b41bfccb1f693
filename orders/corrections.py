"""SeQura's corrections of a shopper's details: stored, shown, and decided by the merchant.

While one is open, updates carry SeQura's own value in that detail, so that none overwrites it; the
transaction log and the order's panel show the difference. An applied value is written into
BigCommerce, and no update is needed. A declined one is replaced by ours in the next update.

Where the merchant wants it, an applied value is also written into the customer's account and into
those entries of the address book that are the order's address, before the order itself: until the
order is written it shows which entries were meant. So an attempt that breaks off is repeated as a
whole, and what it changed before stays as it is.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import F, OuterRef, QuerySet
from django.db.models.functions import JSONObject
from django.utils import timezone

from bigcommerce.api import Rejected
from bigcommerce.client import BigCommerce
from orders.models import Correction, Order
from orders.queue.claim import mark_changed
from orders.queue.wakeup import wake_worker
from payloads.order.comparison import as_accepted
from payloads.order.people import (
    clean,
    differences,
    for_address_book,
    in_account,
    in_address_book,
    in_bigcommerce,
    overlaid,
    read_corrections,
)
from stores.clients import bigcommerce_for
from stores.models import Store
from transaction_log import record
from transaction_log.models import Entry
from transaction_log.record import reason_digest

_Document = Mapping[str, Any]
_Source, _Decision = Correction.Source, Correction.Decision
_OPEN = _Decision.OPEN
_MOST = 100  # corrections on a page
_NO_ACCESS = 401
_WRITABLE = (
    "first_name", "last_name", "company", "street_1", "street_2", "city", "state", "zip",
    "country", "country_iso2", "phone", "email",
)  # fmt: skip


def receive(
    store: Store,
    reference: UUID | None,
    solicited: _Document,
    parameters: Mapping[str, str],
    source: str,
) -> None:
    """Store the details that came with a notification or an event. Most carry none."""
    values = read_corrections(parameters)
    if values and reference:
        _note(store, reference, solicited, values, source=source)


@transaction.atomic
def _note(
    store: Store,
    reference: UUID,
    solicited: _Document,
    values: Mapping[str, str],
    *,
    source: str,
    person: str = "",
) -> list[str]:
    """Store what differs from what SeQura was sent. Return the paths of new differences."""
    order = Order.objects.select_for_update().filter(store=store, reference=reference).first()
    sent = as_accepted(order.accepted_update, order.solicited) if order else solicited
    new = differences(sent, values)
    rows = []
    for path, (ours, theirs) in new.items():
        stated = {"theirs": theirs, "source": source, "heard_by": person}
        row, _created = Correction.objects.update_or_create(
            store=store,
            reference=reference,
            path=path,
            decision=_OPEN,
            defaults=stated,
            create_defaults={"ours": ours, **stated},
        )
        rows.append(row)
    if order and rows:
        _believe(order, rows)
    return list(new)


def open_for(store: Store, reference: UUID) -> dict[str, str]:
    """Return the values that were corrected before the order existed, by path."""
    rows = open_rows(store, reference)
    return {row.path: row.theirs for row in rows}


def open_rows(store: Store, reference: UUID) -> list[Correction]:
    return list(_of(store=store, reference=reference).filter(decision=_OPEN))


def with_corrections(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Add each order's corrections to the query: see `brought_along`."""
    rows = _of(store=OuterRef("store"), reference=OuterRef("reference"))
    columns = {field.attname: field.attname for field in Correction._meta.concrete_fields}
    found = ArraySubquery(rows.values(row=JSONObject(**columns))[:_MOST])
    return orders.annotate(corrections=found)


def brought_along(order: Order) -> list[Correction]:
    """Return the corrections of an order that was found `with_corrections`: open ones first."""
    return [_row(columns) for columns in vars(order)["corrections"]]


def _row(columns: _Document) -> Correction:
    """Return the row of a JSON object, in which moments and UUIDs are text."""
    fields = Correction._meta.concrete_fields
    return Correction(**{one.attname: one.to_python(columns[one.attname]) for one in fields})


def _of(**whose: Any) -> QuerySet[Correction]:
    """Return corrections, open ones before those that were decided last."""
    newest = F("decided_at").desc(nulls_first=True)
    return Correction.objects.filter(**whose).order_by(newest, "path")


def _believe(order: Order, rows: Collection[Correction]) -> None:
    """Record SeQura's values as accepted, and show them to the merchant."""
    theirs = {row.path: row.theirs for row in rows}
    order.corrected = {**order.corrected, **theirs}
    if order.accepted_update is not None:
        order.accepted_update = overlaid(order.accepted_update, theirs)
    else:
        order.solicited = overlaid(order.solicited, theirs)
    order.erased_at = None
    order.save(update_fields=["corrected", "accepted_update", "solicited", "erased_at"])
    # An update with our value may be under way.
    mark_changed(pk=order.pk)
    transaction.on_commit(wake_worker)
    _settle_reminders(order, theirs)
    _remind(order, rows)


def _remind(order: Order, rows: Collection[Correction]) -> None:
    """Put these corrections on the merchant's list, whatever became of earlier ones.

    The entry names the details, not their values: people's data stays on the order's panel.
    """
    about = sorted(f"{row.pk} {row.theirs}" for row in rows)
    record.rejected(
        order.subject,
        "correction",
        "corrected_by_sequra",
        words=", ".join(sorted(row.path for row in rows)),
        statement=reason_digest("correction", "\n".join(about)),
    )


def keep_ours(order: Order, correction: Correction, person: str) -> str:
    """Decline the correction: the next update carries our value.

    Return a key of `panel.notices`.
    """
    _decide(order, [correction.path], _Decision.KEPT, person)
    mark_changed(pk=order.pk)
    wake_worker()
    return "kept"


def apply(order: Order, correction: Correction, person: str) -> str:
    """Write the value into BigCommerce. On Rejected or Unavailable it stays open.

    Return a key of `panel.notices`. The webhook that follows finds SeQura's own value in the order,
    so no update is needed.
    """
    api, theirs = bigcommerce_for(order.store), {correction.path: correction.theirs}
    reached, refusal = _write(api, order, theirs)
    with transaction.atomic():
        if not _decide(order, list(theirs), _Decision.APPLIED, person, reached):
            _take_over(order, correction, person, reached)
        if problem := reached.get("problem"):
            statement = reason_digest(problem, str(correction.pk))
            record.rejected(order.subject, "customer", problem, words=refusal, statement=statement)
    return "applied_to_order" if problem else "applied"


def _take_over(order: Order, correction: Correction, person: str, reached: _Document) -> None:
    """Store who applied a correction that the webhook of this very change has closed meanwhile."""
    rows = Correction.objects.filter(pk=correction.pk, decision=_Decision.AGREED)
    if rows.update(decision=_Decision.APPLIED, decided_by=person, reached=reached):
        _log(order, [correction.path], "correction_applied", person)


def _write(
    api: BigCommerce, order: Order, corrections: Mapping[str, str]
) -> tuple[dict[str, Any], str]:
    """Write corrected details into the address that they are about, and to the customer if wanted.

    Without a shipping address they are about the billing one. Return what `Correction.reached`
    holds, and BigCommerce's message when it rejected the customer's part.
    """
    number = order.bigcommerce_id
    document, (billing, shipping) = api.order(number), in_bigcommerce(corrections)
    address: _Document = document["billing_address"]
    parcels = api.shipping_addresses(number) if shipping else []
    reached: dict[str, Any] = {}
    refusal = ""
    if order.store.corrects_customers and (customer := document.get("customer_id")):
        about = parcels[0] if parcels else address
        reached, refusal = _correct_customer(api, customer, corrections, (address, about))
    if parcels:
        api.update_shipping_address(number, parcels[0]["id"], shipping)
    else:
        billing |= shipping
    if billing:
        whole = {name: address[name] for name in _WRITABLE if address.get(name) is not None}
        api.update_order(number, {"billing_address": {**whole, **billing}})
    return reached, refusal


def _correct_customer(
    api: BigCommerce,
    customer_id: int,
    corrections: Mapping[str, str],
    addresses: tuple[_Document, _Document],
) -> tuple[dict[str, Any], str]:
    """Correct the account and the address book, as far as they hold what the order holds.

    `addresses` are the order's billing address and the one that the corrections are about. What
    BigCommerce rejects here keeps nothing from the order, unless it rejects our access.
    """
    reached: dict[str, Any] = {}
    billing, about = addresses
    try:
        if (account := api.customer(customer_id)) is None:
            return reached, ""
        if fields := in_account(corrections, billing, account):
            if _differ(fields, account):
                api.update_customer(customer_id, fields)
            reached["account"] = True
        if entry := for_address_book(corrections):
            book = api.customer_addresses(customer_id)
            own = [one for one in book if one.get("customer_id") == customer_id]
            reached |= _correct_book(api, about, entry, own)
    except Rejected as refusal:
        if refusal.status == _NO_ACCESS:
            raise
        problem = "customer_forbidden" if refusal.is_unauthorised else "customer_refused"
        return {**reached, "problem": problem}, refusal.message
    return reached, ""


def _correct_book(
    api: BigCommerce, address: _Document, corrected: Mapping[str, str], book: Sequence[_Document]
) -> dict[str, Any]:
    """Correct the entries that are this address. Return how many have the value now."""
    wanted = in_address_book(address, corrected, book)
    known = {entry["id"]: entry for entry in book}
    changes = [one for one in wanted if _differ(one, known[one["id"]])]
    changed = api.update_customer_addresses(changes) if changes else []
    copies = len(changes) - len(changed)
    found: dict[str, Any] = {"addresses": len(wanted) - copies} if wanted else {}
    return found | ({"problem": "customer_has_both"} if copies else {})


def _differ(fields: _Document, known: _Document) -> bool:
    return any(known.get(name) != value for name, value in fields.items())


def agreed(order: Order, paths: Collection[str]) -> None:
    """Close corrections whose value BigCommerce has by now."""
    _decide(order, paths, _Decision.AGREED, "")


@transaction.atomic
def _decide(
    order: Order,
    paths: Collection[str],
    decision: Correction.Decision,
    person: str,
    reached: _Document | None = None,
) -> int:
    """Store the decision, log it, and close the reminder when no correction is left open.

    Return how many corrections it is about: none when they were decided meanwhile.
    """
    rows = Correction.objects.filter(
        store=order.store_id,
        reference=order.reference,
        path__in=paths,
        decision=_OPEN,
    )
    # The order first, like everybody who locks more than one row: see `orders.sync.results`.
    locked = Order.objects.select_for_update(no_key=True).only("corrected").get(pk=order.pk)
    decided = rows.update(
        decision=decision, decided_at=timezone.now(), decided_by=person, reached=reached or {}
    )
    left = dict(locked.corrected)
    for path in paths:
        left.pop(path, None)
    Order.objects.filter(pk=order.pk).update(corrected=left)
    order.corrected = left
    if decided:
        is_kept = decision == _Decision.KEPT
        _log(order, paths, "correction_kept" if is_kept else "correction_applied", person)
    _settle_reminders(order, paths)
    return decided


def _log(order: Order, paths: Collection[str], reason: str, person: str) -> None:
    words = ", ".join(sorted(paths))
    record.accepted(order.subject, "correction", reason=reason, words=words, by=person)


def _settle_reminders(order: Order, paths: Collection[str]) -> None:
    """Remove these details from the open reminders; close a reminder without any."""
    reminders = Entry.objects.filter(
        store=order.store_id,
        bigcommerce_id=order.bigcommerce_id,
        reference=order.reference,
        event="correction",
        closed_at__isnull=True,
    )
    for reminder in reminders:
        left = [path for path in reminder.words.split(", ") if path and path not in paths]
        if left:
            reminder.words = ", ".join(left)
        else:
            reminder.closed_at = timezone.now()
        reminder.save(update_fields=["words", "closed_at"])


def enter(order: Order, path: str, value: str, person: str) -> bool:
    """Store a correction that SeQura gave by phone or mail. Return False when it is not new."""
    values = {path: clean(value)}
    new = _note(
        order.store, order.reference, order.solicited, values, source=_Source.PERSON, person=person
    )
    return bool(new)
