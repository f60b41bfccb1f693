"""`manage.py inbox` counts events again; `manage.py dry_run` shows what would be sent."""

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from orders.management.commands.dry_run import faults
from orders.models import Order, WebhookEvent
from orders.queue import claim
from orders.sync.worker import drain, take_events
from stores.models import Store
from tests.orders.merchant import Merchant

Outcome = WebhookEvent.Outcome


def run(*arguments: Any) -> str:
    out = StringIO()
    call_command(*map(str, arguments), stdout=out)
    return out.getvalue()


def event(store: Store, number: int | None, name: str, **payload: Any) -> WebhookEvent:
    scope = payload.pop("scope", "store/order/statusUpdated")
    return WebhookEvent.objects.create(
        store=store, scope=scope, hash=name, bigcommerce_order_id=number, payload=payload
    )


# --- inbox ---------------------------------------------------------------------------------------


def test_an_event_that_is_replayed_sends_what_was_missed_and_nothing_twice(
    merchant: Merchant,
) -> None:
    order = merchant.order()
    lost = event(merchant.store, order.bigcommerce_id, "lost", data={"id": order.bigcommerce_id})
    drain()
    merchant.acts("ship", order)
    before = len(merchant.updates())

    assert run("inbox", "replay", merchant.store.hash, "--event", lost.pk) == (
        "1 events are new again\n"
    )
    drain()
    assert len(merchant.updates()) == before + 1
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []

    for _ in range(3):
        run("inbox", "replay", merchant.store.hash, "--order", order.bigcommerce_id)
        drain()
    assert len(merchant.updates()) == before + 1
    assert set(WebhookEvent.objects.values_list("outcome", flat=True)) <= {"folded", "ignored"}


@pytest.mark.django_db
def test_a_range_is_of_one_store_alone() -> None:
    ours, other = (Store.objects.create(hash=name) for name in ("abc", "def"))
    keys = [event(ours, None, f"e{n}", scope="store/cart/created").pk for n in range(4)]
    stranger = event(other, None, "s", scope="store/cart/created")
    WebhookEvent.objects.update(outcome=Outcome.IGNORED)

    run("inbox", "replay", "abc", "--first", keys[1], "--last", stranger.pk)

    new = WebhookEvent.objects.filter(outcome=Outcome.NEW).order_by("pk")
    assert list(new.values_list("pk", flat=True)) == keys[1:]


@pytest.mark.django_db
def test_a_replayed_event_does_not_bring_back_a_status_that_the_order_has_left() -> None:
    store = Store.objects.create(hash="abc")
    status = {"new_status_id": 2}
    folded = event(store, 250, "h", data={"id": 250, "status": status})
    odd = event(store, 250, "o", data="status")
    parked = event(store, 251, "p", data={"id": 251, "status": status})
    WebhookEvent.objects.exclude(pk=parked.pk).update(outcome=Outcome.FOLDED)
    WebhookEvent.objects.filter(pk=parked.pk).update(outcome=Outcome.PARKED)

    assert claim.replay([folded.pk, odd.pk, parked.pk]) == 3
    assert claim.replay([folded.pk, odd.pk, parked.pk]) == 0

    data = dict(WebhookEvent.objects.values_list("hash", "payload__data"))
    assert data == {"h": {"id": 250}, "o": "status", "p": {"id": 251, "status": status}}


@pytest.mark.django_db
def test_an_old_uninstallation_that_is_replayed_does_not_uninstall_the_store_again() -> None:
    store = Store.objects.create(hash="abc", access_token="t", installed_at=timezone.now())
    event(store, None, "u", scope="store/app/uninstalled", created_at=1_700_000_000)
    WebhookEvent.objects.update(outcome=Outcome.IGNORED)

    run("inbox", "replay", "abc", "--since", "2020-01-01")
    take_events()

    store.refresh_from_db()
    assert store.state == Store.State.INSTALLED
    assert store.access_token == "t"


@pytest.mark.django_db
def test_the_list_names_what_can_be_replayed() -> None:
    store = Store.objects.create(hash="abc")
    one = event(store, 250, "a", data={"id": 250, "note": "Ana Pérez"})
    event(store, 251, "b", data={"id": 251})

    (line,) = run("inbox", "list", "abc", "--order", 250).splitlines()

    number, _, *rest = line.split("\t")
    assert (int(number), rest) == (one.pk, ["store/order/statusUpdated", "250", "new", "1"])
    assert run("inbox", "list", "abc", "--outcome", "folded") == ""


@pytest.mark.django_db
def test_a_replay_without_a_choice_and_an_unknown_store_are_refused() -> None:
    Store.objects.create(hash="abc")
    with pytest.raises(CommandError, match="choose events"):
        run("inbox", "replay", "abc")
    with pytest.raises(CommandError, match="there is no store nobody"):
        run("inbox", "list", "nobody")


# --- dry_run -------------------------------------------------------------------------------------


def rows() -> list[tuple[Any, ...]]:
    return list(Order.objects.order_by("pk").values_list())


def test_a_dry_run_shows_the_statement_and_sends_nothing(merchant: Merchant) -> None:
    orders = [merchant.order() for _ in range(2)]
    merchant.acts("ship", orders[1])
    before, at_sequra = rows(), len(merchant.sandbox.calls("sequra"))

    first, second = map(json.loads, run("dry_run", merchant.store.hash).splitlines())

    assert (first["order"], first["outcome"], first["event"]) == (
        orders[1].bigcommerce_id, "would_be_sent", "ship",
    )  # fmt: skip
    assert (second["order"], second["outcome"], second["update"]) == (
        orders[0].bigcommerce_id, "unchanged", None,
    )  # fmt: skip
    assert first["faults"] == second["faults"] == []
    assert len(merchant.sandbox.calls("sequra")) == at_sequra
    shop_calls = merchant.sandbox.calls("bigcommerce")
    changing = [one for one in shop_calls if one["method"] != "GET"]
    run("dry_run", merchant.store.hash, orders[1].bigcommerce_id)
    after = [one for one in merchant.sandbox.calls("bigcommerce") if one["method"] != "GET"]
    assert after == changing
    assert rows() == before

    merchant.notices(orders[1])
    assert merchant.updates()[-1]["body"]["order"] == first["update"]


def test_a_dry_run_shows_the_statement_that_sequra_rejected(merchant: Merchant) -> None:
    order = merchant.order()
    lines = [{"name": "Engraving", "price": "5000.00", "quantity": 1}]
    merchant.acts("edit_order", order, lines=lines)
    merchant.notices(order)
    (found,) = map(json.loads, run("dry_run", merchant.store.hash).splitlines())

    assert (found["outcome"], found["event"]) == ("already_rejected", "edit")
    assert found["update"] == merchant.updates()[-1]["body"]["order"]


def test_an_order_that_cannot_be_read_ends_the_dry_run_non_zero(merchant: Merchant) -> None:
    order = merchant.order()
    merchant.sandbox.fault(f"/v2/orders/{order.bigcommerce_id}$", status=500)
    with pytest.raises(CommandError, match="1 orders could not be read"):
        run("dry_run", merchant.store.hash, order.bigcommerce_id)


@pytest.mark.django_db
def test_a_dry_run_names_what_it_cannot_look_at() -> None:
    Store.objects.create(hash="abc", access_token="t")
    Store.objects.create(hash="def", state=Store.State.UNINSTALLED)
    with pytest.raises(CommandError, match="order 9 was not paid with SeQura"):
        run("dry_run", "abc", 9)
    with pytest.raises(CommandError, match="no access"):
        run("dry_run", "def")


def test_a_statement_that_sequra_would_reject_is_found_without_asking_it() -> None:
    cart = {"items": [{"total_with_tax": 100}], "order_total_with_tax": 100}
    whole = {"merchant_reference": {"order_ref_1": "250"}, "unshipped_cart": cart}
    wrong = {**cart, "order_total_with_tax": 101}
    assert list(faults({**whole, "shipped_cart": cart})) == []
    assert list(faults(whole)) == ["shipped_cart is missing"]
    assert list(faults({**whole, "shipped_cart": wrong})) == [
        "shipped_cart: the lines add up to 100, order_total_with_tax is not that"
    ]
    assert list(faults({**whole, "shipped_cart": cart, "merchant_reference": {"a": ""}})) == [
        "merchant_reference is incomplete"
    ]
