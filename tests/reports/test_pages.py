"""The pages of the control panel about shipping, drift and corrections."""

import csv
import json
from io import StringIO

import pytest
from django.utils import timezone

from orders import corrections
from orders.drift import checks
from orders.models import Correction, DriftCheck, Order, ReportRun
from orders.sync.worker import drain
from stores.clients import bigcommerce_for
from stores.models import Store
from tests.orders.merchant import Merchant
from tests.reports import test_drift
from tests.reports.shipments import Shipments
from tests.stores.conftest import Panel, panel_for


@pytest.fixture
def panel(shipments: Shipments) -> Panel:
    return panel_for(shipments.store)


@pytest.fixture
def merchants_panel(merchant: Merchant) -> Panel:
    return panel_for(merchant.store)


def text(response: object) -> str:
    return getattr(response, "content", b"").decode()


def test_the_dry_run_says_what_would_be_told_and_sends_nothing(
    shipments: Shipments, panel: Panel
) -> None:
    orders = shipments.ship("ES", range(1, 30))
    shipments.break_one(orders[20])

    page = text(panel.get("shipping/"))

    assert "29 orders" in page
    assert "and 18 more" in page
    assert "the items add up to 4590" in page
    assert "No new shipments" in page  # in France
    assert shipments.posts() == []
    document = json.loads(text(panel.get("shipping/report.json?merchant=demo_es")))
    assert len(document["delivery_report"]["orders"]) == 28
    assert len(document["delivery_report"]["broken_orders"]) == 1
    assert panel.get("shipping/report.json?merchant=nobody").status_code == 404


def test_send_now_starts_one_run_and_shows_how_far_it_is(
    shipments: Shipments, panel: Panel
) -> None:
    shipments.ship("ES", range(1, 4))

    first = panel.post("shipping/send", {})
    second = panel.post("shipping/send", {})

    assert "done=sending" in first["Location"]
    assert "done=under_way" in second["Location"]
    run = ReportRun.objects.get()
    assert run.cause == "person"
    run.reports.create(
        connection=shipments.connection, merchant_ref="demo_es", orders=10, told=4, broken=1
    )
    progress = json.loads(text(panel.get("shipping/progress")))
    assert progress == {"running": True, "done": 5, "total": 10, "percent": 50}
    assert "Send now" not in text(panel.get("shipping/")).partition("accepted")[0]
    run.reports.all().delete()
    shipments.go_on()
    assert json.loads(text(panel.get("shipping/progress"))) == {"running": False}
    assert "Accepted" in text(panel.get("shipping/"))


def test_shipped_and_not_told_with_its_reason(merchant: Merchant, merchants_panel: Panel) -> None:
    refused = test_drift.rejected(merchant)

    page = text(merchants_panel.get("shipping/"))

    assert f">{refused.bigcommerce_id}</a>" in page
    assert "SeQura rejected this shipment" in page


def test_statuses_that_cannot_mean_shipped_are_warned_about(
    shipments: Shipments, panel: Panel
) -> None:
    assert "Check the statuses" not in text(panel.get("shipping/"))
    for odd in ([], [2, 5]):
        Store.objects.update(shipped_statuses=odd)
        assert "Check the statuses that count as shipped" in text(panel.get("shipping/"))


def test_where_automatic_reports_are_off_the_page_says_so(
    shipments: Shipments, panel: Panel
) -> None:
    assert "Sends automatically on" in text(panel.get("shipping/"))
    Store.objects.update(reports_enabled=False)
    assert "Automatic sending is off" in text(panel.get("shipping/"))


def test_drift_is_listed_with_what_to_do(merchant: Merchant, merchants_panel: Panel) -> None:
    stray, lost = test_drift.incomplete(merchant), test_drift.missed(merchant)
    assert "No checks yet" in text(merchants_panel.get("reconciliation/"))

    answer = merchants_panel.post("reconciliation/check", {})
    assert "done=checking" in answer["Location"]
    running = text(merchants_panel.get("reconciliation/"))
    assert "0 of 2 orders" in running
    assert json.loads(text(merchants_panel.get("reconciliation/progress")))["total"] == 2
    checks.check_due()

    page = text(merchants_panel.get("reconciliation/"))
    assert "2 of 2 orders" in page
    assert "Change to the paid status" in page
    assert "Fixed" in page
    check = DriftCheck.objects.get()
    file = text(merchants_panel.get(f"reconciliation/{check.pk}.csv")).removeprefix("\ufeff")
    rows = {int(row["Order"]): row for row in csv.DictReader(StringIO(file))}
    assert rows[stray.bigcommerce_id]["Fixed"] == "no"
    assert rows[lost.bigcommerce_id]["Problem"] == "Missed change"


def test_an_incomplete_order_gets_the_paid_status(
    merchant: Merchant, merchants_panel: Panel
) -> None:
    order = test_drift.incomplete(merchant)

    answer = merchants_panel.post(
        f"orders/{order.bigcommerce_id}/finish", {"page": "reconciliation"}
    )

    assert answer["Location"].endswith(
        f"/reconciliation/?done=finished&about={order.bigcommerce_id}"
    )
    now = bigcommerce_for(merchant.store).order(order.bigcommerce_id)
    assert now["status_id"] == merchant.store.status_approved


def test_sequra_is_told_again_even_where_nothing_differs(
    merchant: Merchant, merchants_panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = merchant.order()
    merchant.does("ship", order)
    before = len(merchant.entries(order))
    monkeypatch.setattr("orders.sync.retry.wake_worker", drain)

    answer = merchants_panel.post(f"orders/{order.bigcommerce_id}/again", {"page": "order_panel"})

    assert answer["Location"].endswith("done=accepted")
    assert [call["body"] for call in merchant.updates()] == [merchant.updates()[0]["body"]] * 2
    assert merchant.entries(order)[before:] == [("resend", "accepted", "")]
    assert Order.objects.get(pk=order.pk).attempts == 0
    assert "Order sent again" in text(merchants_panel.get(f"orders/{order.bigcommerce_id}/"))


def test_a_correction_is_entered_shown_and_decided_on_the_panel(
    merchant: Merchant, merchants_panel: Panel
) -> None:
    order = merchant.order()
    address = f"orders/{order.bigcommerce_id}"
    wrong = merchants_panel.post(f"{address}/corrections", {"path": "customer.email", "value": "x"})
    assert wrong.status_code == 400

    for path, value in (("customer.email", "a@b.es"), ("delivery_address.city", "Badalona")):
        given = {"path": path, "value": value, "page": "order_panel"}
        assert "done=entered" in merchants_panel.post(f"{address}/corrections", given)["Location"]
    page = text(merchants_panel.get(f"{address}/"))
    assert "Shipping address: City" in page
    assert "<b>Badalona</b>" in page

    first, second = Correction.objects.order_by("path")
    merchants_panel.post(f"{address}/corrections/{first.pk}/apply", {"page": "order_panel"})
    merchants_panel.post(f"{address}/corrections/{second.pk}/keep", {"page": "order_panel"})

    decided = dict(Correction.objects.values_list("path", "decision"))
    assert decided == {"customer.email": "applied", "delivery_address.city": "kept"}
    assert 'id="corrections"' not in text(merchants_panel.get(f"{address}/"))
    again = merchants_panel.post(f"{address}/corrections/{first.pk}/apply", {"page": "order_panel"})
    assert "done=settled" in again["Location"]


def test_bigcommerce_refuses_and_the_merchant_is_told(
    merchant: Merchant, merchants_panel: Panel
) -> None:
    order = merchant.order()
    corrections.enter(order, "customer.email", "a@b.es", "ana@example.com")
    row = Correction.objects.get()
    merchant.sandbox.fault("/v2/orders/", method="PUT", status=422)

    answer = merchants_panel.post(
        f"orders/{order.bigcommerce_id}/corrections/{row.pk}/apply", {"page": "order_panel"}
    )

    assert "done=bigcommerce_failed" in answer["Location"]
    assert Correction.objects.get().decision == Correction.Decision.OPEN


def test_hostile_values_stay_text(merchant: Merchant, merchants_panel: Panel) -> None:
    order = merchant.order()
    corrections.enter(order, "delivery_address.city", "<script>alert(1)</script>", "=1+1")

    page = text(merchants_panel.get(f"orders/{order.bigcommerce_id}/"))

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_the_panel_says_since_when_an_order_is_reported(
    merchant: Merchant, merchants_panel: Panel
) -> None:
    order = merchant.order()
    Order.objects.update(reported_at=timezone.now())
    assert "Reported to SeQura since" in text(
        merchants_panel.get(f"orders/{order.bigcommerce_id}/")
    )
