"""SeQura's corrections: kept, shown, and decided about by the merchant.

While one is open SeQura hears its own value in that detail, so that no update overwrites what it
knows better; the transaction log and the order's panel say that the two differ. Applied, the value
is written into BigCommerce, and nothing has to be told. Declined, SeQura is told ours.
"""

from collections.abc import Collection, Mapping
from typing import Any
from uuid import UUID

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import OuterRef, QuerySet
from django.db.models.functions import JSONObject
from django.utils import timezone

from bigcommerce.client import BigCommerce
from orders.models import Correction, Order
from orders.queue.claim import mark_changed
from orders.queue.wakeup import wake_worker
from payloads.order.comparison import as_accepted
from payloads.order.corrections import clean, differences, in_bigcommerce, overlaid, read
from stores.clients import bigcommerce_for
from stores.models import Store
from transaction_log import record
from transaction_log.models import Entry
from transaction_log.record import reason_digest

_Document = Mapping[str, Any]
_Source, _Decision = Correction.Source, Correction.Decision
_OPEN = _Decision.OPEN
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
    """Details that came with a notification or an event. Most come with none."""
    values = read(parameters)
    if values and reference:
        note(store, reference, solicited, values, source=source)


@transaction.atomic
def note(
    store: Store,
    reference: UUID,
    solicited: _Document,
    values: Mapping[str, str],
    *,
    source: str,
    person: str = "",
) -> list[str]:
    """Keep what differs from what SeQura was told. Returns the paths of what is new."""
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
    """What was corrected before the order existed."""
    rows = open_rows(store, reference)
    return {row.path: row.theirs for row in rows}


def open_rows(store: Store, reference: UUID) -> list[Correction]:
    return list(_open_of(store=store, reference=reference))


def with_open_rows(orders: QuerySet[Order]) -> QuerySet[Order]:
    """Orders that bring their open corrections along, in the same query: see `brought_along`."""
    rows = _open_of(store=OuterRef("store"), reference=OuterRef("reference"))
    columns = {field.attname: field.attname for field in Correction._meta.concrete_fields}
    return orders.annotate(open_corrections=ArraySubquery(rows.values(row=JSONObject(**columns))))


def brought_along(order: Order) -> list[Correction]:
    """The open corrections of an order that was found `with_open_rows`."""
    return [_row(columns) for columns in vars(order)["open_corrections"]]


def _row(columns: _Document) -> Correction:
    """JSON knows no moments and no uuids: the fields read them from text."""
    fields = Correction._meta.concrete_fields
    return Correction(**{one.attname: one.to_python(columns[one.attname]) for one in fields})


def _open_of(**whose: Any) -> QuerySet[Correction]:
    return Correction.objects.filter(decision=_OPEN, **whose).order_by("path")


def _believe(order: Order, rows: Collection[Correction]) -> None:
    """SeQura says so itself: that is what it believes from now on, and is shown to the merchant."""
    theirs = {row.path: row.theirs for row in rows}
    order.corrected = {**order.corrected, **theirs}
    if order.accepted_update is not None:
        order.accepted_update = overlaid(order.accepted_update, theirs)
    else:
        order.solicited = overlaid(order.solicited, theirs)
    order.erased_at = None
    order.save(update_fields=["corrected", "accepted_update", "solicited", "erased_at"])
    # An update may be on its way that still says ours.
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


def keep_ours(order: Order, correction: Correction, person: str) -> None:
    """Decline it: the next update tells SeQura ours."""
    _decide(order, [correction.path], _Decision.KEPT, person)
    mark_changed(pk=order.pk)
    wake_worker()


def apply(order: Order, correction: Correction, person: str) -> None:
    """Write it into the BigCommerce order. Raises Rejected and Unavailable, and then stays open.

    The webhook that follows finds SeQura's own value in the order: there is nothing to tell.
    """
    theirs = {correction.path: correction.theirs}
    write(bigcommerce_for(order.store), order.bigcommerce_id, theirs)
    _decide(order, list(theirs), _Decision.APPLIED, person)


def write(api: BigCommerce, order_id: int, corrections: Mapping[str, str]) -> None:
    """Both addresses keep what is not corrected; without a shipping address there is one only."""
    billing, shipping = in_bigcommerce(corrections)
    if shipping:
        addresses = api.shipping_addresses(order_id)
        if addresses:
            api.update_shipping_address(order_id, addresses[0]["id"], shipping)
        else:
            billing |= shipping
    if billing:
        known: _Document = api.order(order_id)["billing_address"]
        whole = {name: known[name] for name in _WRITABLE if known.get(name) is not None}
        api.update_order(order_id, {"billing_address": {**whole, **billing}})


def agreed(order: Order, paths: Collection[str]) -> None:
    """BigCommerce says the same by now: somebody corrected it there."""
    _decide(order, paths, _Decision.AGREED, "")


@transaction.atomic
def _decide(
    order: Order, paths: Collection[str], decision: Correction.Decision, person: str
) -> None:
    """The decision, its line in the log, and the reminder closed when nothing is left open."""
    rows = Correction.objects.filter(
        store=order.store_id,
        reference=order.reference,
        path__in=paths,
        decision=_OPEN,
    )
    rows.update(decision=decision, decided_at=timezone.now(), decided_by=person)
    locked = Order.objects.select_for_update().only("corrected").get(pk=order.pk)
    left = dict(locked.corrected)
    for path in paths:
        left.pop(path, None)
    Order.objects.filter(pk=order.pk).update(corrected=left)
    order.corrected = left
    reason = "correction_kept" if decision == _Decision.KEPT else "correction_applied"
    words = ", ".join(sorted(paths))
    record.accepted(order.subject, "correction", reason=reason, words=words)
    _settle_reminders(order, paths)


def _settle_reminders(order: Order, paths: Collection[str]) -> None:
    """Take these details off the open reminders; a reminder without any is closed."""
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
    """A correction that SeQura told somebody by phone or mail. False when it is no news."""
    values = {path: clean(value)}
    new = note(
        order.store, order.reference, order.solicited, values, source=_Source.PERSON, person=person
    )
    return bool(new)
