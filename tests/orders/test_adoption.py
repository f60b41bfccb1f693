"""Orders that SeQura finances and whose rows are gone: found in BigCommerce, rebuilt, told."""

import uuid
from datetime import timedelta
from email.utils import parsedate_to_datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from bigcommerce.client import BigCommerce
from orders.drift import checks
from orders.drift.reconcile import reconcile
from orders.models import Drift, DriftCheck, Order, Reconciliation, WebhookEvent
from orders.queue import claim
from orders.sync.worker import drain
from payloads.order.comparison import agrees
from payments.confirm import confirm
from payments.models import Solicitation
from payments.notifications import record_state
from stores.clients import bigcommerce_for
from stores.models import Connection, Store
from stores.models import Merchant as MerchantId
from tests.orders.merchant import Merchant
from tests.stores.conftest import panel_for
from transaction_log.models import Entry

Kind = Drift.Kind
NOTHING: dict[str, Any] = {"items": []}
SEQURAS_METHODS = "^/orders/.*/payment_methods$"


def forget(*orders: Order, payments: bool = True) -> None:
    """The database is older than these orders."""
    for order in orders:
        if payments:
            Solicitation.objects.filter(reference=order.reference).delete()
        Entry.objects.filter(bigcommerce_id=order.bigcommerce_id).delete()
        WebhookEvent.objects.filter(bigcommerce_order_id=order.bigcommerce_id).delete()
        order.delete()


def command(*arguments: str) -> str:
    out = StringIO()
    call_command("reconcile", *arguments, stdout=out, stderr=StringIO())
    return out.getvalue()


def found(kind: Kind) -> list[tuple[int, str]]:
    """What the newest check lists under this kind: order and detail."""
    rows = Drift.objects.filter(kind=kind).order_by("bigcommerce_id")
    return list(rows.values_list("bigcommerce_id", "detail"))


def rewrite(merchant: Merchant, order: Order, **fields: Any) -> None:
    """Somebody writes into the BigCommerce order."""
    bigcommerce_for(merchant.store).update_order(order.bigcommerce_id, fields)


def known(order: Order) -> Order:
    return Order.objects.get(bigcommerce_id=order.bigcommerce_id)


def facts(order: Order) -> dict[str, Any]:
    names = (
        "connection_id merchant_ref bigcommerce_id reference order_ref_1 status payment_method"
        " amount currency"
    )
    return {name: getattr(order, name) for name in names.split()}


def test_a_lost_order_is_rebuilt_and_told_whole(merchant: Merchant) -> None:
    order = merchant.order()
    forget(order)
    merchant.acts("ship", order)
    before = len(merchant.updates())

    told = command(merchant.store.hash)

    again = known(order)
    assert facts(again) == facts(order)
    created = bigcommerce_for(merchant.store).order(order.bigcommerce_id)["date_created"]
    assert again.placed_at == parsedate_to_datetime(created)
    assert (again.unsure, again.accepted_update, again.changed > again.synced) == (True, None, True)
    whole = {**again.solicited, "unshipped_cart": again.solicited["cart"], "shipped_cart": NOTHING}
    assert agrees(whole, order.solicited)
    assert f"order {order.bigcommerce_id}: adopted" in told
    assert merchant.entries(order) == [("adopted", "accepted", "adopted")]

    drain()
    assert len(merchant.updates()) == before + 1
    assert merchant.at_sequra(order)["unshipped_cart"]["items"] == []
    assert merchant.at_sequra(order)["shipped_cart"]["order_total_with_tax"] == order.amount
    command(merchant.store.hash)
    drain()
    assert len(merchant.updates()) == before + 1  # it is known now


def test_an_adopted_order_that_nobody_changed_is_told_too(merchant: Merchant) -> None:
    order = merchant.order()
    forget(order)
    before = len(merchant.updates())
    command(merchant.store.hash)
    drain()
    assert len(merchant.updates()) == before + 1
    assert known(order).unsure is False


def test_changes_since_the_backup_lead_to_what_it_lost(merchant: Merchant) -> None:
    """The look at what changed, every RECONCILE_SECONDS, remembers the backup's last time."""
    until = timezone.now() - timedelta(hours=3)
    Reconciliation.objects.create(store=merchant.store, until=until)
    order = merchant.order()
    forget(order)
    assert reconcile(merchant.store)
    assert known(order).reference == order.reference
    assert merchant.entries(order) == [("adopted", "accepted", "adopted")]


def test_webhooks_that_came_before_the_adoption_count(merchant: Merchant) -> None:
    order = merchant.order()
    forget(order)
    for number, outcome in enumerate(("parked", "ignored")):
        WebhookEvent.objects.create(
            store=merchant.store,
            scope="store/shipment/created",
            hash=str(number),
            bigcommerce_order_id=order.bigcommerce_id,
            payload={},
            outcome=outcome,
        )
    command(merchant.store.hash)
    claim.fold()
    events = WebhookEvent.objects.filter(bigcommerce_order_id=order.bigcommerce_id)
    assert set(events.values_list("outcome", flat=True)) == {"folded"}
    assert known(order).changed == 3


def test_an_order_that_is_not_paid_is_left_alone(merchant: Merchant) -> None:
    order = merchant.order()
    rewrite(merchant, order, status_id=0)
    forget(order)
    command(merchant.store.hash)
    assert not Order.objects.exists()
    assert found(Kind.ADOPTED) + found(Kind.NOT_ADOPTED) == []
    assert [number for number, _ in found(Kind.STRAY)] == [order.bigcommerce_id]


def test_an_order_that_stays_incomplete_by_wish_is_paid(merchant: Merchant) -> None:
    Store.objects.filter(pk=merchant.store.pk).update(status_approved=None)
    merchant.store.refresh_from_db()
    order = merchant.order()
    forget(order)
    command(merchant.store.hash)
    assert known(order).reference == order.reference


def test_an_order_is_paid_by_the_statuses_of_its_storefront(merchant: Merchant) -> None:
    own = {"3": {"status_approved": None}}
    order = merchant.order(channel_id=3)
    rewrite(merchant, order, status_id=0)
    forget(order)
    command(merchant.store.hash)
    assert not Order.objects.exists()

    Store.objects.filter(pk=merchant.store.pk).update(channel_settings=own)
    command(merchant.store.hash)

    assert (known(order).reference, known(order).channel_id) == (order.reference, 3)


def test_an_order_that_was_taken_back_is_left_alone(merchant: Merchant) -> None:
    order = merchant.order()
    rewrite(merchant, order, status_id=5, staff_notes="SeQura: not paid (cart_changed).")
    forget(order)
    command(merchant.store.hash)
    assert not Order.objects.exists()


def test_one_row_for_a_reference(merchant: Merchant) -> None:
    """Somebody copied the reference into another order."""
    first, copy = merchant.order(), merchant.order()
    rewrite(
        merchant,
        copy,
        external_order_id=str(first.reference),
        payment_provider_id=str(first.reference),
        staff_notes="",
    )
    forget(first, copy)
    command(merchant.store.hash)
    assert known(first).reference == first.reference
    assert Order.objects.count() == 1
    assert found(Kind.NOT_ADOPTED) == [(copy.bigcommerce_id, "adoption_reference_taken")]
    assert merchant.entries(copy) == [("adopted", "rejected", "adoption_reference_taken")]


def test_a_cancelled_copy_does_not_take_the_reference(merchant: Merchant) -> None:
    copy, living = merchant.order(), merchant.order()
    rewrite(
        merchant,
        copy,
        status_id=5,
        external_order_id=str(living.reference),
        payment_provider_id=str(living.reference),
        staff_notes="",
    )
    forget(copy, living)
    command(merchant.store.hash)
    assert known(living).reference == living.reference
    assert found(Kind.NOT_ADOPTED) == [(copy.bigcommerce_id, "adoption_reference_taken")]


def test_an_order_that_sequra_does_not_know_here_is_listed(merchant: Merchant) -> None:
    order = merchant.order()
    other = str(uuid.uuid4())
    rewrite(merchant, order, external_order_id=other, payment_provider_id=other, staff_notes="")
    forget(order)

    assert f"order {order.bigcommerce_id}: not_adopted adoption_foreign" in command(
        merchant.store.hash
    )
    command(merchant.store.hash)

    assert not Order.objects.exists()
    assert merchant.entries(order) == [("adopted", "rejected", "adoption_foreign")]

    mine = str(order.reference)  # somebody mends it
    rewrite(merchant, order, external_order_id=mine, payment_provider_id=mine)
    command(merchant.store.hash)
    assert known(order).reference == order.reference
    assert not Entry.objects.filter(closed_at=None).exists()


def test_a_payment_of_another_store_is_never_adopted(merchant: Merchant) -> None:
    order = merchant.order()
    neighbour = Store.objects.create(hash="neighbour")
    Solicitation.objects.filter(reference=order.reference).update(store=neighbour)
    forget(order, payments=False)
    command(merchant.store.hash)
    assert not Order.objects.exists()
    assert found(Kind.NOT_ADOPTED) == [(order.bigcommerce_id, "adoption_foreign")]


def test_hostile_orders_stop_nobody(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> None:
    order = merchant.order()
    forget(order)
    odd: list[dict[str, Any]] = [
        {"id": 1, "payment_method": "SeQura"},
        {"id": 2, "status_id": "11", "payment_method": "SeQura"},
        {"id": 3, "status_id": 11, "payment_method": "SeQura\0", "staff_notes": None},
    ]
    real = BigCommerce.orders

    def orders(api: BigCommerce, **filters: Any) -> list[Any]:
        return [*odd, *real(api, **filters)] if "min_id" in filters else real(api, **filters)

    monkeypatch.setattr(BigCommerce, "orders", orders)
    command(merchant.store.hash)
    assert known(order).reference == order.reference


def test_an_order_long_over_that_cannot_be_linked_is_nobodys_task(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = merchant.order()
    merchant.does("ship", order)
    other = str(uuid.uuid4())
    rewrite(merchant, order, external_order_id=other, payment_provider_id=other, staff_notes="")
    forget(order)
    monkeypatch.setattr("orders.drift.adopt._STOOD_STILL", timedelta(seconds=-5))
    command(merchant.store.hash)
    assert found(Kind.NOT_ADOPTED) == [(order.bigcommerce_id, "adoption_foreign")]
    assert merchant.entries(order) == []


def test_an_order_without_a_connection_is_listed(merchant: Merchant) -> None:
    order = merchant.order()
    forget(order)
    MerchantId.objects.filter(store=merchant.store).delete()
    command(merchant.store.hash)
    assert found(Kind.NOT_ADOPTED) == [(order.bigcommerce_id, "adoption_not_connected")]


def test_the_account_that_was_paid_is_found_among_several(merchant: Merchant) -> None:
    """The country sells with another merchant id by now; the order keeps its own."""
    order = merchant.order()
    forget(order)
    MerchantId.objects.filter(store=merchant.store).update(selling=False)
    MerchantId.objects.create(
        store=merchant.store,
        connection=order.connection,
        country="ES",
        ref="demo_fr",
        selling=True,
    )
    command(merchant.store.hash)
    assert facts(known(order)) == facts(order)


def test_an_order_of_another_app_is_found_by_its_notes(merchant: Merchant) -> None:
    order = merchant.order()
    rewrite(
        merchant,
        order,
        external_order_id="ERP-77",
        payment_provider_id="",
        external_source="erp",
        payment_method="Pay later",
        staff_notes=f"call first\n[SeQura]\n{order.reference}\n[/SeQura]",
    )
    forget(order)
    command(merchant.store.hash)
    assert known(order).reference == order.reference


def test_an_order_without_a_reference_is_listed(merchant: Merchant) -> None:
    order = merchant.order()
    rewrite(merchant, order, external_order_id="", payment_provider_id="", staff_notes="call first")
    forget(order)
    command(merchant.store.hash)
    assert found(Kind.NOT_ADOPTED) == [(order.bigcommerce_id, "adoption_without_reference")]


def test_a_shared_merchant_id_puts_the_store_in_front(merchant: Merchant) -> None:
    order = merchant.order()
    forget(order)
    neighbour = Store.objects.create(hash="neighbour")
    theirs = Connection.objects.create(
        store=neighbour,
        deployment="sequra",
        environment="sandbox",
        username="demo",
        password="demo-secret",
        api_url=order.connection.api_url,
    )
    MerchantId.objects.create(
        store=neighbour, connection=theirs, country="ES", ref=order.merchant_ref
    )
    command(merchant.store.hash)
    assert known(order).order_ref_1 == f"{merchant.store.hash}-{order.bigcommerce_id}"


def test_another_shops_number_is_not_used_bare(merchant: Merchant) -> None:
    """SeQura once refused the bare number: somebody else counts with this merchant id."""
    longer = merchant.order()
    Order.objects.filter(pk=longer.pk).update(
        order_ref_1=f"{merchant.store.hash}-{longer.bigcommerce_id}"
    )
    order = merchant.order()
    forget(order)
    command(merchant.store.hash)
    assert known(order).order_ref_1 == f"{merchant.store.hash}-{order.bigcommerce_id}"


def test_an_order_in_review_is_shown_in_review(merchant: Merchant) -> None:
    attempt = merchant.shop.solicited()
    merchant.shop.review(attempt)
    record_state(attempt, Solicitation.State.NEEDS_REVIEW, "pp3")
    confirm(attempt.pk)
    drain()
    order = Order.objects.get(reference=attempt.sequra_order)
    forget(order)
    merchant.acts("ship", order)
    before = len(merchant.updates())
    command(merchant.store.hash)
    drain()
    assert known(order).status == Order.Status.IN_REVIEW
    assert ("adopted", "accepted", "adopted_in_review") in merchant.entries(order)
    assert len(merchant.updates()) == before  # SeQura takes none before it has decided


def test_an_order_that_sequra_cancelled_stays_cancelled(merchant: Merchant) -> None:
    order = merchant.order()
    Order.objects.filter(pk=order.pk).update(status=Order.Status.CANCELLED)
    merchant.does("set_status", order, status_id=5)  # the notes say who cancelled
    forget(order)
    before = len(merchant.updates())
    command(merchant.store.hash)
    drain()
    assert known(order).status == Order.Status.CANCELLED
    assert len(merchant.updates()) == before


def test_a_cancellation_that_was_lost_is_told(merchant: Merchant) -> None:
    order = merchant.order()
    forget(order)
    merchant.acts("cancel", order)
    command(merchant.store.hash)
    drain()
    assert merchant.at_sequra(order)["state"] == "cancelled"


def test_an_order_that_is_long_over_is_linked_and_nothing_sent(
    merchant: Merchant, monkeypatch: pytest.MonkeyPatch
) -> None:
    order = merchant.order()
    merchant.does("ship", order)
    forget(order)
    monkeypatch.setattr("orders.drift.adopt._STOOD_STILL", timedelta(seconds=-5))
    before = len(merchant.updates())
    command(merchant.store.hash)
    drain()
    assert checks.start(merchant.store, DriftCheck.Cause.NIGHT)
    checks.check_due()
    drain()
    assert merchant.entries(order) == [("adopted", "accepted", "adopted_quietly")]
    assert len(merchant.updates()) == before

    merchant.does("add_note", known(order), text="The shopper called.")
    assert len(merchant.updates()) == before + 1


def test_what_sequra_cannot_answer_is_not_looked_at(merchant: Merchant) -> None:
    order, other = merchant.order(), merchant.order()
    forget(order, other)
    merchant.sandbox.fault(f"^/orders/{order.reference}/payment_methods$", status=503, times=99)
    with pytest.raises(CommandError, match="1 orders could not be looked at"):
        command(merchant.store.hash)
    assert [one.reference for one in Order.objects.all()] == [other.reference]
    merchant.sandbox.clear_faults()
    command(merchant.store.hash)
    assert Order.objects.count() == 2


def test_an_answer_about_something_else_leaves_the_country(merchant: Merchant) -> None:
    """SeQura may show no payment methods of an order that is paid: it is no "not yours"."""
    order = merchant.order()
    forget(order)
    merchant.sandbox.fault(SEQURAS_METHODS, status=409, body='{"errors":["closed"]}', times=99)
    command(merchant.store.hash)
    assert facts(known(order)) == facts(order)


def test_the_search_reads_pages_and_candidates_only(merchant: Merchant) -> None:
    orders = [merchant.order() for _ in range(3)]
    forget(orders[0])
    before = len(merchant.sandbox.calls("bigcommerce"))
    command(merchant.store.hash)
    calls = merchant.sandbox.calls("bigcommerce")[before:]
    lists = [call for call in calls if call["path"].endswith("/v2/orders")]
    read = {
        call["path"].split("/v3/orders/")[1].split("/")[0]
        for call in calls
        if call["path"].endswith("/payment_actions/refunds")
    }
    assert len(lists) <= 4  # changed since, searched, compared, strays
    assert str(orders[0].bigcommerce_id) in read


def test_every_store_is_looked_at_though_one_fails(merchant: Merchant) -> None:
    order = merchant.order()
    forget(order)
    Store.objects.create(hash="away", access_token="x", state=Store.State.NEEDS_REAUTHORISATION)
    Store.objects.create(hash="left", state=Store.State.UNINSTALLED)
    last = Store.objects.create(hash="zzz", access_token="nobody's")
    with pytest.raises(CommandError, match=f"of: away, {last.hash}$"):
        command("--all")
    assert known(order).reference == order.reference


def test_a_check_that_is_under_way_is_finished_first(merchant: Merchant) -> None:
    order = merchant.order()
    forget(order)
    assert checks.start(merchant.store, DriftCheck.Cause.NIGHT)
    DriftCheck.objects.update(since=timezone.now() + timedelta(days=1))
    assert "adopted" in command(merchant.store.hash)
    assert [one.state for one in DriftCheck.objects.all()] == ["done", "done"]


def test_the_merchant_reads_what_was_linked_and_what_was_not(merchant: Merchant) -> None:
    linked, other = merchant.order(), merchant.order()
    rewrite(merchant, other, external_order_id="", payment_provider_id="", staff_notes="")
    forget(linked, other)
    command(merchant.store.hash)
    panel = panel_for(merchant.store)

    page, log = panel.get("reconciliation/").content.decode(), panel.get("log/").content.decode()
    assert page.count("Unknown order linked") == 2  # counted, and listed
    assert "It has been linked again" in page
    assert "it has no SeQura reference" in page
    assert f"orders/{other.bigcommerce_id}/compare" not in page  # there is nothing to compare with
    assert log.count("Unknown order linked") >= 2
    check = DriftCheck.objects.get()
    file = panel.get(f"reconciliation/{check.pk}.csv").content.decode()
    assert "adoption_" not in file
    assert "it has no SeQura reference" in file
