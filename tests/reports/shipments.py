"""Shipped orders by the thousand: our rows, and SeQura's, without buying each of them."""

import uuid
from datetime import UTC, datetime
from typing import Any

from local.sandbox_control import SandboxControl
from orders.models import Order, ReportRun
from orders.reports.run import _REPORTS, start
from payloads.cart import cart, product
from stores.models import Connection
from tests.payments.shop import Shop
from transaction_log.models import Entry

Document = dict[str, Any]
SENT_AT = datetime(2026, 11, 19, 15, 0, tzinfo=UTC)
EMPTY = {**cart("EUR", [])}


def person(country: str) -> Document:
    return {
        "given_names": "Fulana",
        "surnames": "De Tal",
        "company": "",
        "address_line_1": "Carrer d'Alí Bei, 7",
        "address_line_2": "",
        "postal_code": "08010",
        "city": "Barcelona" if country == "ES" else "Lyon",
        "country_code": country,
    }


def goods(total: int) -> Document:
    line = product(reference="CAM-1", name="Camiseta", quantity=1, total_with_tax=total)
    return {**cart("EUR", [line])}


def solicited(country: str, total: int) -> Document:
    """An order as it was solicited."""
    merchant = {
        "id": f"demo_{country.lower()}",
        "notify_url": "https://app.example/n",
        "return_url": "https://app.example/r",
    }
    return {
        "merchant": merchant,
        "cart": goods(total),
        "delivery_method": {"name": "Envío estándar"},
        "delivery_address": person(country),
        "invoice_address": person(country),
        "customer": {
            "given_names": "Fulana",
            "surnames": "De Tal",
            "email": "fulana@example.com",
            "logged_in": False,
            "language_code": "es-ES",
            "ip_number": "203.0.113.7",
            "user_agent": "Mozilla/5.0 (iPhone) Mobile/15E148",
        },
        "gui": {"layout": "desktop"},
        "platform": {"name": "BigCommerce"},
    }


def update(order: Document, number: int, reference: uuid.UUID, **changes: Any) -> Document:
    """What SeQura last accepted of it: everything has shipped."""
    references = {"order_ref_1": str(number), "order_ref_2": str(reference)}
    told = {name: order[name] for name in ("customer", "delivery_method", "platform")}
    addresses = {name: order[name] for name in ("delivery_address", "invoice_address")}
    carts = {"unshipped_cart": EMPTY, "shipped_cart": order["cart"]}
    merchant = {"id": order["merchant"]["id"]}
    return {
        "merchant": merchant,
        "merchant_reference": references,
        **told,
        **addresses,
        **carts,
        **changes,
    }


def sizes(reports: list[Document], merchant: str) -> list[int]:
    return [len(one["orders"]) for one in reports if one["merchant"]["id"] == merchant]


def numbers(reports: list[Document]) -> list[str]:
    """The order numbers that were told, in that order."""
    orders = [order for report in reports for order in report["orders"]]
    return [order["merchant_reference"]["order_ref_1"] for order in orders]


class Shipments:
    """A connected store that sells in Spain and France."""

    def __init__(self, sandbox: SandboxControl) -> None:
        self.sandbox = sandbox
        self.store = Shop(sandbox).store
        self.connection = Connection.objects.get(store=self.store)
        self.store.merchants.filter(country__in=("IT", "PT")).update(selling=False)

    def ship(self, country: str, numbers: range, total: int = 4590, **changes: Any) -> list[Order]:
        """Orders that shipped in BigCommerce, and of which SeQura heard by an order update."""
        order = solicited(country, total)
        made = [self._order(order, number, changes) for number in numbers]
        Order.objects.bulk_create(made, batch_size=1000)
        body = {"order": order, "references": list(map(str, numbers))}
        self.sandbox.control("POST", "sequra/orders", body)
        return made

    def _order(self, order: Document, number: int, changes: Document) -> Order:
        reference = uuid.uuid4()
        return Order(
            store=self.store,
            connection=self.connection,
            merchant_ref=order["merchant"]["id"],
            bigcommerce_id=number,
            reference=reference,
            order_ref_1=str(number),
            status=Order.Status.APPROVED,
            amount=order["cart"]["order_total_with_tax"],
            solicited=order,
            accepted_update=update(order, number, reference, **changes),
            accepted_at=SENT_AT,
            shipped_at=SENT_AT,
        )

    def break_one(self, order: Order) -> None:
        """What SeQura accepted does not add up, whoever did that."""
        self.accepted(order, shipped_cart=goods(4590) | {"order_total_with_tax": 4591})

    def accepted(self, order: Order, **changes: Any) -> None:
        """SeQura accepted another order update."""
        row = Order.objects.get(pk=order.pk)
        row.accepted_update = {**(row.accepted_update or {}), **changes}
        row.save(update_fields=["accepted_update"])

    def run(self) -> ReportRun:
        """Send the reports now."""
        assert start(self.store, ReportRun.Cause.PERSON)
        return self.go_on()

    def go_on(self) -> ReportRun:
        run = self.store.report_runs.latest("id")
        _REPORTS.continue_run(run.pk)
        run.refresh_from_db()
        return run

    def reports(self, merchant: str = "") -> list[Document]:
        """What SeQura accepted. Slow when there are thousands of orders."""
        accepted = [one["body"] for one in self.sandbox.held("sequra_delivery_reports")]
        return [one for one in accepted if merchant in ("", one["merchant"]["id"])]

    def posts(self) -> list[Document]:
        """Every attempt, accepted or not."""
        calls = self.sandbox.calls("sequra")
        return [call for call in calls if call["path"].endswith("/delivery_reports")]

    def told(self, merchant: str) -> list[int]:
        """How many orders each accepted page told."""
        return sizes(self.reports(), merchant)

    def marked(self) -> int:
        return Order.objects.exclude(reported_shipment="").count()

    def entries(self) -> list[tuple[Any, ...]]:
        rows = Entry.objects.filter(event="report").order_by("pk")
        return list(rows.values_list("bigcommerce_id", "outcome", "reason"))
