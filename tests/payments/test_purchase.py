"""One purchase against the pretend BigCommerce and SeQura: what both hold, what left the house."""

from django.db import connection

from orders.models import Order
from panel.templatetags.labels import _MOMENTS
from payments.confirm import confirm
from payments.models import Solicitation
from tests.payments.shop import Shop
from transaction_log.models import Entry


def test_approved_purchase_becomes_one_paid_order(shop: Shop) -> None:
    solicitation = shop.approved()

    confirm(solicitation.pk)

    solicitation.refresh_from_db()
    assert (solicitation.phase, solicitation.last_error, solicitation.next_at) == ("done", "", None)
    world = shop.sandbox.world()
    [placed], [financed] = world["bigcommerce_orders"], world["sequra_orders"]
    placed = placed["order"]
    assert placed["status_id"] == 11
    assert placed["payment_provider_id"] == str(solicitation.reference)
    assert placed["payment_method"].startswith("SeQura - ")
    assert (financed["state"], financed["order_ref_1"]) == ("confirmed", str(placed["id"]))
    assert solicitation.checkout_id not in world["carts"]


def test_purchase_is_linked_and_logged(shop: Shop) -> None:
    solicitation = shop.approved()

    confirm(solicitation.pk)

    solicitation.refresh_from_db()
    order, entry = Order.objects.get(), Entry.objects.get()
    assert solicitation.notified_at
    assert solicitation.confirm_intent_at
    assert order.beginnings == [
        ["solicited", solicitation.created_at.isoformat()],
        ["approved", solicitation.notified_at.isoformat()],
        ["confirmed", solicitation.confirm_intent_at.isoformat()],
    ]
    assert {name for name, _ in order.beginnings} <= set(_MOMENTS)
    assert (order.status, order.amount) == ("approved", solicitation.amount)
    assert order.order_ref_1 == str(order.bigcommerce_id)
    assert (entry.event, entry.outcome, entry.closed_at is None) == ("purchase", "accepted", False)


def test_a_purchase_costs_these_calls_and_no_more(shop: Shop) -> None:
    solicitation = shop.solicited()
    calls = [f"{call['method']} {call['path']}" for call in shop.sandbox.calls()]
    before = len(calls)
    shop.approve(solicitation)
    Solicitation.objects.filter(pk=solicitation.pk).update(state="approved", product="pp3")

    confirm(solicitation.pk)

    checkout, order = solicitation.checkout_id, Order.objects.get().bigcommerce_id
    reference = solicitation.reference
    hash_ = shop.store.hash
    made = [f"{call['method']} {call['path']}" for call in shop.sandbox.calls()][before:]
    assert made == [
        f"GET /stores/{hash_}/v3/checkouts/{checkout}",
        f"PUT /orders/{reference}",
        f"POST /stores/{hash_}/v3/checkouts/{checkout}/token",
        f"POST /stores/{hash_}/v3/checkouts/{checkout}/orders",
        f"GET /stores/{hash_}/v2/orders/{order}",
        f"PUT /stores/{hash_}/v2/orders/{order}",
        f"PUT /orders/{reference}",
        f"DELETE /stores/{hash_}/v3/carts/{checkout}",
    ]


def test_no_secret_of_a_payment_is_stored_readably(shop: Shop) -> None:
    solicitation = shop.approved()
    confirm(solicitation.pk)

    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(s)::text FROM payments_solicitation s")
        row = cursor.fetchone()[0]
        cursor.execute("SELECT row_to_json(o)::text FROM orders_order o")
        row += cursor.fetchone()[0]

    solicitation.refresh_from_db()
    secrets = [solicitation.token, solicitation.signature, solicitation.checkout_token]
    assert all(secrets)
    assert [secret for secret in secrets if secret in row] == []
