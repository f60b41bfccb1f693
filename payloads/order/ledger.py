"""What SeQura accepted of an order, kept as facts so that a later status cannot re-interpret them.

The ledger of an order names every line with the units that had left, and every refund with the side
it was taken from. It is stored with the statement that SeQura accepted; the next statement keeps
what is in it and places only what is new. Pure. The rules are ADR 8.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from payloads.order.lines import Charge, Document, Goods
from payloads.order.refunds import Remains, refunded

# The refund that a status made alone, beside those that have a number.
BY_STATUS = "status"


class _Sides(NamedTuple):
    """Units or cents, by the cart they were taken from."""

    unshipped: int = 0
    shipped: int = 0


class Taken(TypedDict):
    """What one refund took: units by id of the goods, and the cents that belong to no line."""

    units: dict[str, Sequence[int]]
    amount: Sequence[int]


class Ledger(TypedDict, total=False):
    """The facts of one accepted statement; empty while SeQura has accepted none."""

    lines: dict[str, Sequence[int]]  # id of the goods: product id, units, units that had left
    refunds: dict[str, Taken]  # by id of the refund, or BY_STATUS
    weights: Sequence[int]  # in what proportion the charges were shared
    cancelled: bool
    reopened: bool  # an accepted cancellation was undone
    status: int  # BigCommerce's, when the statement was made
    refund_count: int  # BigCommerce's refunds, whatever they took
    # Refunds of an amount that came with a cancellation, or after one was undone: the goods they
    # were taken from are cancelled, and they may have been meant for those that left.
    unclear: list[str]
    # What the merchant is asked about: cents by reason of the transaction log.
    asked: dict[str, int]
    # What travelled in which parcel: units by reference of the line, by id of the shipment.
    parcels: dict[str, dict[str, int]]


def products(ledger: Ledger) -> dict[int, int]:
    """Return the product of every line that is known, also of lines that an edit has replaced."""
    return {int(key): line[0] for key, line in ledger.get("lines", {}).items()}


def known_goods(ledger: Ledger, column: int) -> list[Document]:
    """Return the accepted lines as a shipment names them: 1 all their units, 2 those that left."""
    return [
        {"order_product_id": int(key), "product_id": line[0], "quantity": line[column]}
        for key, line in ledger.get("lines", {}).items()
    ]


def kept_weights(
    ledger: Ledger, goods: Iterable[Goods], shipped: Mapping[int, int]
) -> Sequence[int] | None:
    """Return how charges were shared in a cancelled order, while its goods stay where they are.

    A refund changes what the goods of a side are worth, and must not move charges into the
    cancelled cart or out of it.
    """
    if not (ledger.get("cancelled") or ledger.get("reopened")):
        return None
    # By product: an edit in the control panel may give lines new ids.
    lines = sorted([one.product_id, one.quantity, shipped[one.id]] for one in goods)
    known = sorted(list(line) for line in ledger["lines"].values() if line[1])
    return ledger.get("weights") if lines == known else None


def _is_known(ledger: Ledger, refund_id: object) -> bool:
    return str(refund_id) in ledger.get("refunds", {})


def shipped_units_taken(ledger: Ledger) -> Counter[tuple[str, str]]:
    """Return the units that each accepted refund took from what had left, of each line.

    Lines are named by id, and by product for those that an edit has renumbered.
    """
    known, found = products(ledger), Counter[tuple[str, str]]()
    for key, refund in ledger.get("refunds", {}).items():
        for line, sides in refund["units"].items():
            found[key, line] = sides[1]
            if product := known.get(int(line)):
                found[key, f"product {product}"] += sides[1]
    return found


def units_by_side(
    line: Goods,
    remains: Remains,
    shipped: int,
    ledger: Ledger,
    reported: Counter[tuple[str, str]],
) -> dict[str, _Sides]:
    """Return from which side each refund took its units of a line.

    A refund that was accepted stays on its side as long as the side has so many units. A new one
    takes units that have not left first; of an order that was cancelled before, those that have.
    """
    wanted = {str(key): taken[line.id] for key, taken in remains.taken.items() if taken[line.id]}
    room = {"unshipped": line.quantity - shipped, "shipped": shipped}

    def take(side: str, units: int) -> int:
        units = min(units, room[side])
        room[side] -= units
        return units

    kept = {
        key: take("shipped", min(units, _of_line(reported, key, line)))
        for key, units in wanted.items()
        if _is_known(ledger, key)
    }
    found: dict[str, _Sides] = {}
    for key in sorted(wanted, key=lambda key: key not in kept):  # those that are known come first
        from_shipped = kept.get(key, 0)
        if key not in kept and ledger.get("cancelled"):
            from_shipped = take("shipped", wanted[key])
        from_unshipped = take("unshipped", wanted[key] - from_shipped)
        rest = take("shipped", wanted[key] - from_shipped - from_unshipped)
        found[key] = _Sides(from_unshipped, from_shipped + rest)
    return found


def _of_line(reported: Counter[tuple[str, str]], key: str, line: Goods) -> int:
    """Return what a refund took of a line, or of its product if an edit has renumbered it."""
    own, product = (key, str(line.id)), (key, f"product {line.product_id}")
    return reported[own] if own in reported else reported[product]


def refunded_before(ledger: Ledger, line: Goods) -> int:
    """Return the units of a line that were refunded before they could leave."""
    taken = (one["units"].get(str(line.id)) for one in ledger.get("refunds", {}).values())
    return min(line.quantity, sum(sides[0] for sides in taken if sides))


def wanted_in_unshipped(charge: Charge, ledger: Ledger, sent: int) -> int:
    """Return the cents, below zero, that a refund of an amount should take from the unshipped cart.

    `sent` is the worth of the shipped cart, which bears what is new after a cancellation.
    """
    key = charge.key.removeprefix("r_")
    if _is_known(ledger, key):
        return -min(-charge.amount, ledger["refunds"][key]["amount"][0] + _news(charge, ledger))
    return min(0, charge.amount + sent) if ledger.get("cancelled") else charge.amount


def _news(charge: Charge, ledger: Ledger) -> int:
    """Return the cents of an accepted refund that are an amount only since an edit."""
    accepted = ledger["refunds"][charge.key.removeprefix("r_")]["amount"]
    return 0 if ledger.get("cancelled") else max(0, -charge.amount - sum(accepted))


def by_status(ledger: Ledger, refunds: Iterable[Document], owed: int) -> list[Charge]:
    """Return the refund that a status alone has made, less what was recorded of it since."""
    taken = ledger.get("refunds", {}).get(BY_STATUS)
    left = min(sum(taken["amount"]) - refunded(refunds), owed) if taken else 0
    return [Charge(f"r_{BY_STATUS}", "r_status", "Refund", -left, "other_payment")] * (left > 0)


def written(
    before: Ledger,
    goods: Sequence[Goods],
    shipped: Mapping[int, int],
    taken: Mapping[str, Taken],
    refunds: Iterable[Document],
    **facts: Any,
) -> Ledger:
    """Return the ledger of a new statement. Replaced lines stay while a refund names them."""
    named = {str(item.get("item_id")) for one in refunds for item in one.get("items") or ()}
    gone = {key: [line[0], 0, 0] for key, line in before.get("lines", {}).items() if key in named}
    lines = {str(one.id): [one.product_id, one.quantity, shipped.get(one.id, 0)] for one in goods}
    ledger: Ledger = {"lines": gone | lines, "refunds": dict(taken), **facts}  # type: ignore[typeddict-item]
    return ledger
