"""What a delivery report is about, and one page of it: up to 5,000 orders, marked as reported.

Nothing is marked before SeQura's 2xx. After a crash in between the page is sent again: SeQura keeps
what it received last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog
from django.db import connection, transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from orders.models import MerchantReport, Order
from payloads.reports import PAGE, Report, Shipped, delivery_report, sort_out
from sequra.client import Rejected, Sequra
from stores.channels import in_use
from stores.clients import platform_facts
from stores.models import Connection, Store
from transaction_log import record

log = structlog.get_logger(__name__)

# SeQura rejects a page as a whole. The most rejections while a page is split to find the cause.
_MOST_REFUSALS = 60
_MARK = """
UPDATE orders_order o SET reported_shipment = sent.shipment, reported_at = now()
FROM unnest(%s::bigint[], %s::text[]) AS sent(id, shipment) WHERE o.id = sent.id
"""
COLUMNS = (
    "pk", "channel_id", "shipment", "shipped_at", "accepted_update", "bigcommerce_id", "reference",
)  # fmt: skip


@dataclass(frozen=True)
class Addressee:
    """A merchant id at SeQura, and the account it belongs to."""

    connection: Connection
    merchant_ref: str


def addressees(store: Store, waiting: Iterable[tuple[int, str]] | None = None) -> list[Addressee]:
    """Every merchant id that a storefront sells with, and those that still have orders to tell.

    `waiting`: connection and merchant id of the latter, for those who have asked already.
    """
    selling = in_use(store).order_by("country", "pk")
    found = [(one.connection_id, one.ref) for one in selling]
    if waiting is None:
        waiting = to_report(store).values_list("connection_id", "merchant_ref").distinct()
    found += waiting
    speaking = store.connections.filter(stopped_at=None).exclude(password="")
    connections = {one.pk: one for one in speaking}
    return [
        Addressee(connections[pk], ref) for pk, ref in dict.fromkeys(found) if pk in connections
    ]


def to_report(store: Store) -> QuerySet[Order]:
    """Return orders with a shipment that no accepted report contains."""
    orders = Order.objects.filter(store=store).exclude(shipment=F("reported_shipment"))
    return orders.exclude(shipment="").exclude(status=Order.Status.CANCELLED)


def to_report_by(addressee: Addressee, store: Store) -> QuerySet[Order]:
    return to_report(store).filter(
        connection=addressee.connection, merchant_ref=addressee.merchant_ref
    )


@dataclass
class Page:
    """The next orders of a report, divided into those that can be sent and inconsistent ones."""

    orders: list[Order]
    reported: list[Report] = field(default_factory=list)  # one for each of `sendable`
    sendable: list[Order] = field(default_factory=list)
    broken: list[tuple[Order, str]] = field(default_factory=list)
    broken_orders: list[Report] = field(default_factory=list)

    @classmethod
    def of(cls, orders: list[Order]) -> "Page":
        found = sort_out(shipped(order) for order in orders)
        sendable = [order for place, order in enumerate(orders) if place not in found.broken]
        broken = [(orders[place], "; ".join(why)) for place, why in found.broken.items()]
        return cls(orders, found.orders, sendable, broken, found.broken_orders)

    @property
    def is_last(self) -> bool:
        return len(self.orders) < PAGE


def shipped(order: Order) -> Shipped:
    """Return what the report needs of a row."""
    sent_at = order.shipped_at.isoformat() if order.shipped_at else ""
    return Shipped(update=order.accepted_update or {}, sent_at=sent_at)


def next_page(report: MerchantReport) -> Page:
    """Return the orders after the last accepted page, in the order of their rows."""
    addressee = Addressee(report.connection, report.merchant_ref)
    orders = to_report_by(addressee, report.run.store).filter(pk__gt=report.after)
    return Page.of(list(orders.order_by("pk").only(*COLUMNS)[:PAGE]))


def send_page(
    api: Sequra, report: MerchantReport, page: Page, statistics: Sequence[Report] | None
) -> None:
    """Send a page and mark what was accepted. Raise Rejected and Unavailable."""
    sender = _PageSender(api, report.merchant_ref)
    refused = sender.send(page, statistics)
    _mark(report, page, refused, len(statistics or ()))


@dataclass
class _PageSender:
    """Send pages of one merchant id. SeQura rejects whole pages: those are split."""

    api: Sequra
    merchant_ref: str
    refusals: int = 0

    def send(self, page: Page, statistics: Sequence[Report] | None) -> dict[int, str]:
        """Send all orders that SeQura accepts.

        Return the rejected ones by place, with its message.
        """
        try:
            self._send(page.reported, page.broken_orders, statistics)
        except Rejected as refusal:
            if refusal.is_unauthorised or not (page.reported or statistics):
                raise
            return self._send_in_parts(page, bool(statistics), refusal)
        return {}

    def _send_in_parts(self, page: Page, had_statistics: bool, refusal: Rejected) -> dict[int, str]:
        """Send without the statistics first: they may be the cause."""
        log.warning("report_refused", merchant=self.merchant_ref, reason=refusal.message)
        if had_statistics:
            return self.send(page, None)
        refused = self._halve(page.reported, 0, refusal)
        self._send([], [*page.broken_orders, *(page.reported[at] for at in refused)], None)
        return refused

    def _halve(self, orders: Sequence[Report], first: int, refusal: Rejected) -> dict[int, str]:
        """Split orders that were rejected together until each cause is found."""
        self.refusals += 1
        if self.refusals > _MOST_REFUSALS:
            raise refusal
        if len(orders) == 1:
            return {first: refusal.message}
        middle = len(orders) // 2
        return self._part(orders[:middle], first) | self._part(orders[middle:], first + middle)

    def _part(self, orders: Sequence[Report], first: int) -> dict[int, str]:
        try:
            self._send(orders, (), None)
        except Rejected as refusal:
            if refusal.is_unauthorised:
                raise
            return self._halve(orders, first, refusal)
        return {}

    def _send(
        self,
        orders: Sequence[Report],
        broken: Sequence[Report],
        statistics: Sequence[Report] | None,
    ) -> None:
        report = delivery_report(
            self.merchant_ref,
            orders,
            platform=platform_facts(),
            broken_orders=broken,
            statistics=statistics,
        )
        self.api.send_delivery_report(self.merchant_ref, report)


@transaction.atomic
def _mark(report: MerchantReport, page: Page, refused: dict[int, str], statistics: int) -> None:
    """Commit an accepted page: reported orders, progress and entries, or none of them."""
    sent = [order for place, order in enumerate(page.sendable) if place not in refused]
    with connection.cursor() as cursor:
        cursor.execute(_MARK, [[o.pk for o in sent], [o.shipment for o in sent]])
    broken = [*page.broken, *((page.sendable[place], words) for place, words in refused.items())]
    for order, words in broken:
        _complain(report, order, words)
    fields: dict[str, Any] = {
        "told": F("told") + len(sent),
        "broken": F("broken") + len(broken),
        "pages": F("pages") + 1,
        "statistics": F("statistics") + statistics,
        "after": page.orders[-1].pk if page.orders else F("after"),
        "sent_at": timezone.now(),
    }
    MerchantReport.objects.filter(pk=report.pk).update(**fields)
    report.refresh_from_db(fields=list(fields))


def _complain(report: MerchantReport, order: Order, words: str) -> None:
    subject = record.Subject(
        store=report.run.store,
        environment=report.connection.environment,
        bigcommerce_id=order.bigcommerce_id,
        reference=order.reference,
    )
    record.rejected(subject, "report", "report_inconsistent", words=words, statement=order.shipment)
