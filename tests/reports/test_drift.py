"""Drift of every class, made in the sandbox, found, and repaired where that is safe."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from orders import corrections
from orders.drift import checks
from orders.models import Drift, DriftCheck, Order, Reconciliation
from orders.queue import throttle
from orders.sync.worker import drain
from payments.confirm import confirm
from payments.models import Solicitation
from payments.notifications import record_state
from tests.orders.merchant import Merchant
from transaction_log.models import Entry

Kind = Drift.Kind
AN_HOUR_AGO = timedelta(hours=1)


def check(merchant: Merchant) -> dict[int, str]:
    """Kinds of drift by order."""
    assert checks.start(merchant.store, DriftCheck.Cause.PERSON)
    found = DriftCheck.objects.latest("id")
    checks.CHECKS.continue_run(found.pk)
    found.refresh_from_db()
    assert found.state == DriftCheck.State.DONE, found.words
    assert found.checked == found.total
    return dict(found.drifts.values_list("bigcommerce_id", "kind"))


def placed(order: Order, ago: timedelta) -> None:
    Order.objects.filter(pk=order.pk).update(placed_at=timezone.now() - ago)


def missed(merchant: Merchant) -> Order:
    """Shipped, and no webhook came."""
    order = merchant.order()
    merchant.acts("ship", order)
    return order


def rejected(merchant: Merchant) -> Order:
    order = merchant.order()
    merchant.sandbox.fault(
        "^/merchants/.*/orders/", method="PUT", status=409, body='{"errors":["no"]}', times=9
    )
    merchant.does("ship", order)
    merchant.sandbox.clear_faults()
    return order


def cancelled_in_the_portal(merchant: Merchant) -> Order:
    order = merchant.order()
    merchant.sandbox.drive(
        "corrupt", str(order.reference), state="cancelled", cancelled_by="sequra"
    )
    merchant.does("ship", order)
    return order


def in_review(merchant: Merchant) -> Order:
    attempt = merchant.shop.solicited()
    merchant.shop.review(attempt)
    record_state(attempt, Solicitation.State.NEEDS_REVIEW, "pp3")
    confirm(attempt.pk)
    drain()
    order = Order.objects.get(reference=attempt.sequra_order)
    placed(order, timedelta(days=3))
    return order


def incomplete(merchant: Merchant) -> Order:
    order = merchant.order()
    merchant.does("set_status", order, status_id=0)
    placed(order, AN_HOUR_AGO)
    return order


def without_reference(merchant: Merchant) -> Order:
    """SeQura takes the confirmation, and then does not answer any more."""
    attempt = merchant.shop.approved()
    path = f"^/orders/{attempt.reference}$"
    merchant.sandbox.fault(path, method="PUT", status=200, body="", effect="before")
    merchant.sandbox.fault(path, method="PUT", status=503, times=9)
    confirm(attempt.pk)
    merchant.sandbox.clear_faults()
    order = Order.objects.get(reference=attempt.sequra_order)
    placed(order, AN_HOUR_AGO)
    return order


def test_drift_of_every_class_is_found(merchant: Merchant) -> None:
    made = {
        missed(merchant): Kind.MISSED,
        rejected(merchant): Kind.REJECTED,
        cancelled_in_the_portal(merchant): Kind.PORTAL,
        in_review(merchant): Kind.REVIEW,
        incomplete(merchant): Kind.STRAY,
        without_reference(merchant): Kind.WITHOUT_REFERENCE,
    }
    merchant.order()  # nothing is wrong with this one

    found = check(merchant)

    assert found == {order.bigcommerce_id: kind.value for order, kind in made.items()}
    assert list(Drift.objects.filter(repaired=True).values_list("kind")) == [("missed",)]

    drain()
    (shipped,) = [order for order, kind in made.items() if kind == Kind.MISSED]
    assert merchant.at_sequra(shipped)["unshipped_cart"]["items"] == []
    assert set(check(merchant).values()) == set(made.values()) - {Kind.MISSED}


def test_a_change_that_was_given_up_is_found_when_its_entry_is_dismissed(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    """BigCommerce shows no change since that reading, and SeQura does not hold it."""
    monkeypatch.setattr("payloads.order.order_update._STOOD_STILL", timedelta(seconds=-5))
    order = merchant.order()
    merchant.sandbox.fault("^/merchants/.*/orders/", method="PUT", status=429, times=9)
    Order.objects.update(failing_since=timezone.now() - timedelta(days=8))
    merchant.does("ship", order)
    merchant.sandbox.clear_faults()
    assert merchant.entries(order)[-1] == ("ship", "rejected", "gave_up")
    Entry.objects.update(closed_at=timezone.now())

    assert check(merchant) == {order.bigcommerce_id: "missed"}

    drain()
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []


def test_the_command_repairs_and_tells(merchant: Merchant) -> None:
    order = missed(merchant)
    stray = incomplete(merchant)
    merchant.sandbox.control("POST", "webhooks/hold", {})
    Reconciliation.objects.filter(store=merchant.store).update(until=timezone.now())
    out = StringIO()

    call_command("reconcile", merchant.store.hash, stdout=out)
    drain()

    assert out.getvalue().splitlines()[0] == "2 orders checked"
    assert f"order {stray.bigcommerce_id}: stray" in out.getvalue()
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []
    with pytest.raises(CommandError, match="no store nobody"):
        call_command("reconcile", "nobody")


def test_an_order_that_stood_still_is_not_read_again(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("payloads.order.order_update._STOOD_STILL", timedelta(seconds=-5))
    merchant.order()
    check(merchant)
    before = readings(merchant)

    assert check(merchant) == {}

    assert readings(merchant) == before


def readings(merchant: Merchant) -> int:
    calls = merchant.sandbox.calls("bigcommerce")
    return sum(call["path"].endswith("/products") for call in calls)


def test_incomplete_orders_of_ours_that_we_do_not_know(merchant: Merchant) -> None:
    order = merchant.order()
    merchant.acts("set_status", order, status_id=0)
    Order.objects.all().delete()

    assert check(merchant) == {order.bigcommerce_id: Kind.STRAY}


def test_a_correction_nobody_decided_about_is_drift(merchant: Merchant) -> None:
    order = merchant.order()
    corrections.enter(order, "customer.email", "right@example.com", "ana@example.com")
    drain()

    assert check(merchant) == {order.bigcommerce_id: Kind.CORRECTED}


def test_deleted_and_cancelled_orders_are_no_drift(merchant: Merchant) -> None:
    archived, cancelled = merchant.order(), merchant.order()
    merchant.does("archive", archived)
    Order.objects.filter(pk=cancelled.pk).update(status=Order.Status.CANCELLED)

    assert check(merchant) == {}


def test_bigcommerce_goes_away_and_the_next_check_goes_on(merchant: Merchant) -> None:
    merchant.order()
    merchant.sandbox.fault("/v2/orders", method="GET", status=503, times=9)
    checks.start(merchant.store, DriftCheck.Cause.NIGHT)
    checks.check_due()

    broken = DriftCheck.objects.get()
    assert (broken.state, broken.checked) == (DriftCheck.State.FAILED, 0)
    assert broken.words

    merchant.sandbox.clear_faults()
    assert check(merchant) == {}


def test_after_an_outage_every_open_order_is_looked_at(merchant: Merchant) -> None:
    order = merchant.order()
    DriftCheck.objects.create(store=merchant.store, state=DriftCheck.State.DONE)
    checks.check_due()
    assert DriftCheck.objects.count() == 1

    throttle.after_outage(merchant.store)
    gate = merchant.store.gates.get(host="bigcommerce")
    gate.failures = 6
    gate.save()
    checks.check_due()
    assert DriftCheck.objects.count() == 1  # not while it lasts

    gate.failures = 0
    gate.save()
    merchant.acts("ship", order)
    checks.check_due()

    assert DriftCheck.objects.latest("id").cause == DriftCheck.Cause.OUTAGE
    assert Drift.objects.get().kind == Kind.MISSED
    checks.check_due()
    assert DriftCheck.objects.count() == 2


def test_one_check_at_a_time(merchant: Merchant) -> None:
    assert checks.start(merchant.store, DriftCheck.Cause.PERSON)
    assert not checks.start(merchant.store, DriftCheck.Cause.NIGHT)
