"""The app is uninstalled while somebody pays: finished or taken back at SeQura, then forgotten."""

from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django.fixtures import Settings

from payments import tasks
from payments.confirm import confirm
from payments.models import Solicitation
from payments.retention import erase_passwords
from stores.connect import Login, _connect
from stores.install import uninstall
from stores.models import Connection, Store
from tests.payments.shop import Shop
from tests.payments.web import Web
from transaction_log.models import Entry

CALLS = {
    "confirming": (r"^/orders/", "PUT"),
    "confirmed": (r"/v3/checkouts/[^/]+/token$", "POST"),
    "creating": (r"/v3/checkouts/[^/]+/orders$", "POST"),
    "created": (r"/v2/orders/\d+$", "GET"),
    "settled": (r"/v2/orders/\d+$", "PUT"),
}


@pytest.fixture(autouse=True)
def sweep_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The sweep works in this thread, so that nothing has to be waited for."""
    monkeypatch.setattr(tasks, "help_along", confirm)


def stopped_at(shop: Shop, phase: str) -> Solicitation:
    """A payment that stands at this phase, because its next call failed."""
    solicitation = shop.approved()
    path, method = CALLS[phase]
    shop.sandbox.fault(path, method=method, status=503, effect="before")
    confirm(solicitation.pk)
    solicitation.refresh_from_db()
    assert solicitation.phase == phase
    return solicitation


def sweep() -> None:
    Solicitation.objects.filter(next_at__isnull=False).update(next_at=timezone.now())
    tasks.resume_solicitations()


def state(shop: Shop) -> list[str]:
    return [one["state"] for one in shop.sandbox.held("sequra_orders")]


def passwords(shop: Shop) -> list[str]:
    return [connection.password for connection in Connection.objects.filter(store=shop.store)]


@pytest.mark.parametrize("phase", ["confirming", "confirmed", "creating", "created"])
def test_payment_without_placed_order_is_taken_back_and_then_the_password_goes(
    shop: Shop, phase: str
) -> None:
    solicitation = stopped_at(shop, phase)
    calls, asked = len(shop.sandbox.calls()), len(shop.sandbox.calls("bigcommerce"))

    uninstall(shop.store)

    assert len(shop.sandbox.calls()) == calls  # BigCommerce waits for no call of ours
    entry = Entry.objects.get(closed_at=None)
    assert (entry.outcome, entry.reason, entry.reference) == (
        "delayed",
        "uninstalled",
        solicitation.reference,
    )
    assert passwords(shop) == ["demo-secret"]

    sweep()

    solicitation.refresh_from_db()
    assert (solicitation.refusal, state(shop), passwords(shop)) == (
        "uninstalled",
        ["cancelled"],
        [""],
    )
    assert len(shop.sandbox.calls("bigcommerce")) == asked
    entry = Entry.objects.get(closed_at=None)
    assert (entry.outcome, entry.reason) == ("rejected", "uninstalled")


def test_order_that_is_placed_gets_its_number_though_bigcommerce_is_gone(shop: Shop) -> None:
    solicitation = stopped_at(shop, "settled")  # placed, and the answer was lost
    uninstall(shop.store)

    sweep()

    solicitation.refresh_from_db()
    [order] = shop.sandbox.held("sequra_orders")
    assert (solicitation.phase, order["state"]) == ("done", "confirmed")
    assert order["order_ref_1"] == str(solicitation.order_id)
    assert passwords(shop) == [""]
    entry = Entry.objects.get(closed_at=None)
    assert (entry.reason, entry.bigcommerce_id) == ("placed_unseen", solicitation.order_id)


def test_credit_that_an_uninstalled_shop_cannot_return_is_shown(shop: Shop) -> None:
    solicitation = shop.approved_with_credit("20.00")
    shop.sandbox.fault(r"/payments$", method="POST", status=503, effect="before")
    confirm(solicitation.pk)
    uninstall(shop.store)

    sweep()

    reasons = Entry.objects.filter(closed_at=None).values_list("reason", flat=True)
    assert (set(reasons), state(shop)) == ({"credit_to_return", "uninstalled"}, ["cancelled"])


@pytest.mark.parametrize("way", ["notification", "event"])
def test_cancellation_by_sequra_ends_what_it_refuses_to_take_back(
    web: Web, shop: Shop, way: str
) -> None:
    solicitation = stopped_at(shop, "creating")
    uninstall(shop.store)
    shop.sandbox.fault(r"^/(orders|merchants)/", method="PUT", status=404, times=0)
    sweep()
    solicitation.refresh_from_db()
    assert (solicitation.undone_at, passwords(shop)) == (None, ["demo-secret"])
    sent = len(shop.sandbox.calls("sequra"))

    reply = getattr(web, {"notification": "notify"}.get(way, way))(solicitation, "cancelled")

    assert reply.status_code == 200
    sweep()
    solicitation.refresh_from_db()
    assert solicitation.undone_at
    assert (passwords(shop), len(shop.sandbox.calls("sequra"))) == ([""], sent)
    assert web.notify(solicitation, "cancelled").status_code == 404  # nothing is left to end


def test_number_that_sequra_misses_is_sent_though_bigcommerce_is_gone(web: Web, shop: Shop) -> None:
    solicitation = stopped_at(shop, "settled")
    uninstall(shop.store)

    assert web.notify(solicitation, "confirmed-without-number").status_code == 200

    [order] = shop.sandbox.held("sequra_orders")
    solicitation.refresh_from_db()
    assert order["order_ref_1"] == str(solicitation.order_id)


def test_other_news_of_an_uninstalled_store_and_unsigned_ones_find_nothing(
    web: Web, shop: Shop
) -> None:
    solicitation = stopped_at(shop, "creating")
    uninstall(shop.store)
    shop.sandbox.fault(r"^/(orders|merchants)/", method="PUT", status=404, times=0)
    sweep()
    calls = len(shop.sandbox.calls())

    assert [web.notify(solicitation, said).status_code for said in ("approved", "odd")] == [404] * 2
    assert web.event(solicitation, "cancel").status_code == 404
    assert web.event(solicitation, "risk_assessment", risk_level="low_risk").status_code == 404
    solicitation.signature = "not ours"
    assert web.notify(solicitation, "cancelled").status_code == 404
    assert web.event(solicitation, "cancelled").status_code == 404

    solicitation.refresh_from_db()
    assert (solicitation.state, solicitation.undone_at) == ("approved", None)
    assert len(shop.sandbox.calls()) == calls


def test_store_without_payments_under_way_keeps_nothing(shop: Shop) -> None:
    confirm(shop.approved().pk)
    shop.approved()  # approved, and not confirmed: nobody owes anything

    uninstall(shop.store)

    assert passwords(shop) == [""]


def test_second_news_of_the_uninstallation_gives_no_more_time(shop: Shop) -> None:
    """BigCommerce calls, and sends a webhook event as well."""
    stopped_at(shop, "creating")
    uninstall(shop.store)
    [until] = Connection.objects.values_list("erase_at", flat=True)

    uninstall(shop.store)

    assert list(Connection.objects.values_list("erase_at", flat=True)) == [until]
    assert until
    assert until <= timezone.now() + timedelta(hours=24)
    assert Entry.objects.filter(closed_at=None).count() == 1


def test_what_cannot_be_ended_in_time_is_reported_and_the_password_goes(shop: Shop) -> None:
    solicitation = stopped_at(shop, "creating")
    uninstall(shop.store)
    shop.sandbox.fault(r"^/(orders|merchants)/", method="PUT", status=503, times=0)
    sweep()
    assert passwords(shop) == ["demo-secret"]

    Connection.objects.update(erase_at=timezone.now())
    erase_passwords()

    solicitation.refresh_from_db()
    assert (passwords(shop), solicitation.next_at) == ([""], None)
    entry = Entry.objects.get(closed_at=None)
    assert (entry.outcome, entry.reason) == ("rejected", "left_by_uninstallation")
    erase_passwords()
    assert Entry.objects.get(closed_at=None).attempts == entry.attempts


def test_account_that_is_connected_again_keeps_its_password(shop: Shop, settings: Settings) -> None:
    settings.ORDER_LOOKUP_SETTLE_SECONDS = 0
    solicitation = stopped_at(shop, "creating")
    store, token = shop.store, Store.objects.get(pk=shop.store.pk).access_token
    uninstall(store)
    Store.objects.filter(pk=store.pk).update(state="installed")
    Store.objects.filter(pk=store.pk).update(access_token=token)
    _connect(Store.objects.get(pk=store.pk), "sandbox", {"sequra": Login("demo", "demo-secret")})
    Connection.objects.filter(erase_at__isnull=False).update(erase_at=timezone.now())

    sweep()

    solicitation.refresh_from_db()
    assert (solicitation.phase, passwords(shop)) == ("done", ["demo-secret"])
