"""The shop's own reference of an order: unique per merchant, and the key of order updates."""

from typing import Any

from django.db import connection

from sandbox.sequra.answers import refuse
from sandbox.sequra.knobs import knobs
from sandbox.sequra.models import Order


def take_reference(order: Order, found: dict[str, Any] | None) -> None:
    """Note the references on the order; 409 for one that another order of the merchant has."""
    if found is None:
        return
    first, second = str(found["order_ref_1"]), str(found.get("order_ref_2", ""))
    if order.order_ref_1 and order.order_ref_1 != first and knobs.reference_change == "refused":
        refuse(409, f"order_ref_1 can't be changed from '{order.order_ref_1}' to '{first}'")
    refuse_duplicate(order, first)
    if order.order_ref_1 != first:
        order.note(f"Known in the shop as {first}")
    order.order_ref_1, order.order_ref_2 = first, second or order.order_ref_2


def refuse_duplicate(order: Order, reference: str) -> None:
    lock(f"{order.merchant}/{reference}")
    others = Order.objects.filter(merchant=order.merchant, order_ref_1=reference)
    if others.exclude(pk=order.pk).exists():
        refuse(
            409,
            f"Invalid data: order_ref_1 '{reference}' is already taken "
            f"by another order of merchant '{order.merchant}'",
        )


def lock(name: str) -> None:
    """Two orders that come with one reference at one moment are looked at one after the other."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [name])
