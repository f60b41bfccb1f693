"""What must hold in both systems when everything is quiet (facts about money, I1 to I5)."""

from decimal import Decimal
from typing import Any

INCOMPLETE, CANCELLED = 0, 5
FINANCED = ("confirmed", "on_hold", "shipped")


def violations(world: dict[str, Any]) -> list[str]:
    """Everything that is wrong, in words; empty is what we want."""
    placed = [one["order"] for one in world["bigcommerce_orders"]]
    financed = world["sequra_orders"]
    return [
        *(f"order {order['id']} is a stray" for order in placed if is_stray(order)),
        *(problem for order in financed for problem in sequra_problems(order, placed)),
        *(problem for order in placed for problem in shop_problems(order, financed)),
    ]


def is_stray(order: dict[str, Any]) -> bool:
    return bool(order["status_id"] == INCOMPLETE)


def sequra_problems(order: dict[str, Any], placed: list[dict[str, Any]]) -> list[str]:
    """A financed order has exactly one paid order, of the same amount, and knows its number."""
    if order["state"] not in FINANCED:
        return []
    own = [one for one in placed if one["payment_provider_id"] == order["uuid"]]
    paid = [one for one in own if one["status_id"] not in (INCOMPLETE, CANCELLED)]
    if len(paid) != 1:
        return [f"SeQura order {order['uuid']} has {len(paid)} paid orders"]
    problems = []
    if order["order_ref_1"] != str(paid[0]["id"]):
        problems.append(f"SeQura knows order {paid[0]['id']} as {order['order_ref_1']!r}")
    if order["total"] != owed(paid[0]):
        problems.append(f"order {paid[0]['id']}: {owed(paid[0])} cents, SeQura {order['total']}")
    return problems


def owed(order: dict[str, Any]) -> int:
    """What SeQura finances of a BigCommerce order, in cents."""
    credit = Decimal(order["store_credit_amount"]) + Decimal(order["gift_certificate_amount"])
    return int((Decimal(order["total_inc_tax"]) - credit) * 100)


def shop_problems(order: dict[str, Any], financed: list[dict[str, Any]]) -> list[str]:
    """Nothing is paid that SeQura does not finance."""
    if order["status_id"] in (INCOMPLETE, CANCELLED):
        return []
    behind = [one for one in financed if one["uuid"] == order["payment_provider_id"]]
    if [one["state"] in FINANCED for one in behind] != [True]:
        return [f"order {order['id']} counts as paid, and nobody finances it"]
    return []
