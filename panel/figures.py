"""What a merchant wants to see at a glance: each of these is one short query.

All of them stay fast with a hundred thousand orders: they read a range of an index, or stop at
`_MANY`.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Count, F, OuterRef, Q, QuerySet, Subquery, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from orders.drift.checks import open_orders
from orders.models import Order
from stores.models import Store
from stores.replica import replica
from transaction_log.explanations import settled_by
from transaction_log.models import Entry

_MANY = 100
_DAYS = 30
_RECENT = timedelta(days=60)


@dataclass(frozen=True)
class _Day:
    """What was paid with SeQura on one day of the store's calendar; cents."""

    on: date
    orders: int
    amount: int


def _paid(store: Store) -> QuerySet[Order]:
    """Return the store's orders that neither SeQura nor the shop has cancelled."""
    orders = Order.objects.filter(store=store).exclude(status=Order.Status.CANCELLED)
    return orders.exclude(_cancelled_in_shop(store), seen_status__isnull=False)


def _cancelled_in_shop(store: Store) -> Q:
    """Return the statuses that cancel an order, of the store and of storefronts with their own."""
    found = Q(seen_status__in=store.cancelling_statuses)
    own = {
        int(channel): values["cancelling_statuses"]
        for channel, values in store.channel_settings.items()
        if "cancelling_statuses" in values
    }
    if own:
        found &= ~Q(channel_id__in=own)
    for channel, cancelling in own.items():
        found |= Q(channel_id=channel, seen_status__in=cancelling)
    return found


def last_days(store: Store, connections: Collection[int], days: int = _DAYS) -> list[_Day]:
    """One entry per day, today the last; cancelled orders count for nothing."""
    today = timezone.localdate()
    first = today - timedelta(days=days - 1)
    since = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    rows = (
        _paid(store)
        .using(replica())
        .filter(connection__in=connections, placed_at__gte=since - timedelta(days=days - 1))
        .values(day=TruncDate("placed_at"))
        .annotate(orders=Count("*"), cents=Sum("amount"))
        .order_by("day")
    )
    found = {row["day"]: _Day(row["day"], row["orders"], row["cents"]) for row in rows}
    calendar = (first + timedelta(days=number) for number in range(days))
    return [found.get(day, _Day(day, 0, 0)) for day in calendar]


def _paid_between(
    store: Store, connections: Collection[int], since: datetime, until: datetime
) -> QuerySet[Order]:
    found = _paid(store).using(replica()).filter(connection__in=connections)
    return found.filter(placed_at__gte=since, placed_at__lt=until)


def totals(
    store: Store, connections: Collection[int], since: datetime, until: datetime
) -> tuple[int, int]:
    """Return orders and cents of a period."""
    found = _paid_between(store, connections, since, until)
    sums = found.aggregate(n=Count("pk"), cents=Sum("amount"))
    return sums["n"], sums["cents"] or 0


def by_method(
    store: Store, connections: Collection[int], since: datetime, until: datetime
) -> list[tuple[str, int, int]]:
    """Return orders and cents of a period by payment method, the largest first."""
    rows = _paid_between(store, connections, since, until).values_list("payment_method")
    counted = rows.annotate(n=Count("pk"), cents=Sum("amount"))
    return list(counted.order_by("-cents", "payment_method"))


def in_review(store: Store) -> list[Order]:
    """Orders that SeQura reviews, the one that waits longest first; no more than `_MANY`."""
    waiting = _paid(store).filter(status=Order.Status.IN_REVIEW)
    wanted = ("bigcommerce_id", "channel_id", "placed_at", "amount", "payment_method")
    return list(waiting.only(*wanted).order_by("placed_at")[:_MANY])


def recent(store: Store) -> int:
    """How many orders were paid in the last 60 days and not cancelled, counted to a thousand."""
    return _paid(store).filter(placed_at__gte=timezone.now() - _RECENT)[: _MANY * 10].count()


def by_status(store: Store) -> dict[int, int]:
    """Return how many open orders of the last 60 days are in each of BigCommerce's statuses."""
    recent_ones = open_orders(store).filter(placed_at__gte=timezone.now() - _RECENT)
    seen = recent_ones.filter(seen_status__isnull=False).order_by().values_list("seen_status")
    return dict(seen.annotate(Count("pk")))


@dataclass(frozen=True)
class _Unsynced:
    """A shipment that SeQura has not accepted: since when, and why."""

    bigcommerce_id: int
    since: datetime
    entry: Entry | None = None  # none while it is on its way


def with_approved(entries: QuerySet[Entry]) -> QuerySet[Entry]:
    """Return the entries with what their order's row holds.

    `approved` are the cents that SeQura approved, `channel_id` is where it was bought.
    """
    orders = Order.objects.filter(
        store=OuterRef("store"), bigcommerce_id=OuterRef("bigcommerce_id")
    )
    return entries.annotate(
        approved=Subquery(orders.values("amount")[:1]),
        channel_id=Subquery(orders.values("channel_id")[:1]),
    )


def mark_outrun(entries: Iterable[Entry]) -> None:
    """Mark rejections that a later update, which is retried, settles once SeQura accepts it."""
    listed = list(entries)
    later = [one for one in listed if one.is_open and one.outcome == Entry.Outcome.DELAYED]
    for entry in listed:
        # For the page alone: the model has no such field.
        entry.is_outrun = any(  # type: ignore[attr-defined]
            one.bigcommerce_id == entry.bigcommerce_id is not None
            and one.at > entry.at
            and entry.event in settled_by(one.event)
            for one in later
        )


def unsynced_shipments(store: Store, *, explained: bool = False) -> list[_Unsynced]:
    """Return rejected and delayed shipments, and those on their way; the oldest first.

    `explained`: read of each entry's order what its explanation needs.
    """
    entries = Entry.objects.filter(
        store=store, event="ship", closed_at__isnull=True, bigcommerce_id__isnull=False
    ).order_by("at")
    listed = (with_approved(entries) if explained else entries)[:_MANY]
    found = [_Unsynced(one.bigcommerce_id or 0, one.at, one) for one in listed]
    on_their_way = Order.objects.filter(store=store, changed__gt=F("synced")).filter(
        Q(shipped_status_seen=True) | Q(has_shipments=True, shipment="")
    )
    known = [one.bigcommerce_id for one in found]
    rows = on_their_way.exclude(bigcommerce_id__in=known).order_by("due_at")[:_MANY]
    found += [_Unsynced(row.bigcommerce_id, row.failing_since or row.due_at) for row in rows]
    return sorted(found, key=lambda one: one.since)


# Bars for the orders of the last days: positions in a drawing of 600 by 140. Pure.
_WIDTH, _HEIGHT, _GAP = 600, 140, 4
_STEPS = (1, 2, 5)


@dataclass(frozen=True)
class _Bar:
    """One day's rectangle, from the top left corner."""

    day: _Day
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class _Chart:
    """The drawing, the amount at its upper edge in cents, and the totals."""

    bars: list[_Bar]
    top: int
    orders: int
    amount: int

    @property
    def middle(self) -> int:
        """The amount at half the height, cents."""
        return self.top // 2


def chart(days: Sequence[_Day]) -> _Chart:
    """Bars by amount. A day with orders is always visible."""
    top = _nice(max((day.amount for day in days), default=0))
    width = _WIDTH / max(1, len(days))
    bars = []
    for number, day in enumerate(days):
        height = _HEIGHT * day.amount / top
        height = round(max(height, 2.0) if day.orders else 0.0, 1)
        x = round(number * width + _GAP / 2, 1)
        bars.append(_Bar(day, x, round(_HEIGHT - height, 1), round(width - _GAP, 1), height))
    orders = sum(day.orders for day in days)
    return _Chart(bars, top, orders, sum(day.amount for day in days))


def _nice(cents: int) -> int:
    """A round amount not below this one: 1, 2 or 5 with zeros, at least 100 €."""
    size = 10_000
    while True:
        for step in _STEPS:
            if cents <= size * step:
                return size * step
        size *= 10
