"""Compare two order updates, and line by line three views of an order. Pure.

The views are the shop's, SeQura's, and the next update. Amounts are cents with tax. Lines are
matched by reference. SeQura's two carts are added up, and the number of shipped units is shown
beside.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from payloads.order import lines, people
from payloads.order.carts import shipped_units, trackings
from payloads.order.ledger import Ledger
from payloads.order.order_update import Rules, Snapshot
from payloads.order.refunds import refunded, through_sequra

Update = Mapping[str, Any]
CARTS = ("unshipped_cart", "shipped_cart")
_GOODS = ("product", "service")


@dataclass
class _Cell:
    """A line in one of the three views."""

    amount: int = 0
    units: int = 0
    shipped: int = 0

    def add(self, amount: int, units: int = 0, shipped: int = 0) -> None:
        self.amount, self.units = self.amount + amount, self.units + units
        self.shipped += shipped


@dataclass
class Row:
    """A line in all three views."""

    reference: str
    name: str
    shop: _Cell | None = None
    accepted: _Cell | None = None
    wanted: _Cell | None = None

    @property
    def mark(self) -> str:
        """Return `added`, `removed` or `changed` for what the next update changes; else nothing."""
        if self.accepted == self.wanted:
            return ""
        if self.accepted is None:
            return "added"
        return "removed" if self.wanted is None else "changed"

    @property
    def taken_back(self) -> int:
        """Return the cents that SeQura no longer asks for this line: refunded or removed."""
        approved, accepted = self.shop or _Cell(), self.accepted or _Cell()
        return max(0, approved.amount - accepted.amount)

    @property
    def difference(self) -> int:
        """Return by how many cents the next update changes the line."""
        wanted, accepted = self.wanted or _Cell(), self.accepted or _Cell()
        return wanted.amount - accepted.amount


@dataclass(frozen=True)
class _Parcel:
    """How SeQura knows a parcel, if it can be followed, and its units by name of the line."""

    tracking: Update
    units: list[tuple[str, int]]


@dataclass(frozen=True)
class _Text:
    """An address, or another detail, as all three see it."""

    name: str  # a key of the order update
    shop: str
    accepted: str
    wanted: str

    @property
    def differs(self) -> bool:
        return self.accepted != self.wanted


@dataclass
class Comparison:
    """Rows in the order of the shop, then those that only SeQura has.

    `wanted`: there is an update.
    """

    wanted: bool
    rows: list[Row] = field(default_factory=list)
    totals: list[Row] = field(default_factory=list)
    texts: list[_Text] = field(default_factory=list)

    @property
    def lines_differ(self) -> bool:
        return self.wanted and any(row.mark for row in self.rows)

    @property
    def texts_differ(self) -> bool:
        return self.wanted and any(text.differs for text in self.texts)


def compare(snapshot: Snapshot, accepted: Update, wanted: Update | None) -> Comparison:
    """Compare the views. `wanted` is None when no update can be made: then nothing is marked."""
    rows: dict[str, Row] = {}
    shop_total = _shop(rows, snapshot)
    _sequra(rows, "accepted", accepted)
    if wanted is not None:
        _sequra(rows, "wanted", wanted)
    return Comparison(
        wanted is not None,
        list(rows.values()),
        _totals(shop_total, accepted, wanted),
        _texts(snapshot, accepted, wanted),
    )


def standing(solicited: Update, accepted: Update) -> list[Row]:
    """Return each line as it was approved (`shop`), and as SeQura holds it now (`accepted`)."""
    rows: dict[str, Row] = {}
    _sequra(rows, "shop", as_accepted(None, solicited))
    _sequra(rows, "accepted", accepted)
    return list(rows.values())


def parcels(accepted: Update, ledger: Ledger, rows: Iterable[Row]) -> list[_Parcel]:
    """Return the parcels, by their number, with the units of each line that travelled in it."""
    units = ledger.get("parcels", {})
    followed = {str(one["reference"]): one for one in accepted.get("trackings") or ()}
    names = {row.reference: row.name for row in rows}
    return [
        _Parcel(
            followed.get(key, {}),
            [(names.get(line, line), count) for line, count in units.get(key, {}).items()],
        )
        for key in sorted({*units, *followed}, key=lambda key: (len(key), key))
    ]


def as_accepted(order_update: Update | None, solicited: Update) -> Update:
    """Return what SeQura holds: the last update, or the purchase before any."""
    if order_update is not None:
        return order_update
    return {**solicited, "unshipped_cart": solicited.get("cart") or {"items": []}}


def _shop(rows: dict[str, Row], snapshot: Snapshot) -> int:
    """BigCommerce's lines, as ordered, and its refunds as lines below zero. Returns their sum."""
    goods = lines.goods(snapshot["products"])
    shipped = shipped_units(goods, snapshot.get("shipments") or ())
    for line in goods:
        row = _row(rows, line.reference, line.name)
        _cell(row, "shop").add(line.amount, line.quantity, shipped[line.id])
    charges = lines.charges(snapshot["order"], goods, snapshot.get("fees") or ())
    for charge in charges:
        _cell(_row(rows, charge.reference, charge.name), "shop").add(charge.amount)
    for refund in snapshot["refunds"]:
        if money := through_sequra(refund):
            row = _row(rows, f"r_{refund['id']}", "Refund")
            _cell(row, "shop").add(-money)
    return sum(row.shop.amount for row in rows.values() if row.shop)


def _sequra(rows: dict[str, Row], side: str, update: Update) -> None:
    for key in ("unshipped_cart", "shipped_cart"):
        for item in _items(update, key):
            reference, name = str(item.get("reference")), str(item.get("name") or "")
            units = int(item.get("quantity") or 0) if item.get("type") in _GOODS else 0
            shipped = units if key == "shipped_cart" else 0
            cell = _cell(_row(rows, reference, name), side)
            cell.add(int(item["total_with_tax"]), units, shipped)


def _items(update: Update, key: str) -> Sequence[Mapping[str, Any]]:
    items: Sequence[Mapping[str, Any]] = (update.get(key) or {}).get("items") or ()
    return items


def _row(rows: dict[str, Row], reference: str, name: str) -> Row:
    return rows.setdefault(reference, Row(reference, name))


def _cell(row: Row, side: str) -> _Cell:
    cell: _Cell | None = getattr(row, side)
    if cell is None:
        cell = _Cell()
        setattr(row, side, cell)
    return cell


def _totals(shop: int, accepted: Update, wanted: Update | None) -> list[Row]:
    """Still to ship, shipped, and both together, which is what the shopper owes."""
    parts = (("unshipped", ("unshipped_cart",)), ("shipped", ("shipped_cart",)))
    both = ("unshipped_cart", "shipped_cart")
    rows = [Row(name, name, None, *_sums(keys, accepted, wanted)) for name, keys in parts]
    return [*rows, Row("owed", "owed", _Cell(shop), *_sums(both, accepted, wanted))]


def _sums(keys: Iterable[str], accepted: Update, wanted: Update | None) -> list[_Cell | None]:
    keys = tuple(keys)
    return [
        None if update is None else _Cell(sum(cart_total(update, key) for key in keys))
        for update in (accepted, wanted)
    ]


def cart_total(update: Update, key: str) -> int:
    """Return the total of one of the two carts in cents; 0 for a missing one."""
    return int((update.get(key) or {}).get("order_total_with_tax") or 0)


def _texts(snapshot: Snapshot, accepted: Update, wanted: Update | None) -> list[_Text]:
    shop = _details(_of_shop(snapshot))
    old, new = _details(accepted), _details(accepted if wanted is None else wanted)
    return [
        _Text(name, shop[name], old[name], new[name] if wanted is not None else "")
        for name in shop
        if shop[name] or old[name] or new[name]
    ]


def _of_shop(snapshot: Snapshot) -> Update:
    """BigCommerce's documents under the names of an order update."""
    order, addresses = snapshot["order"], snapshot.get("shipping_addresses") or ()
    return {
        "delivery_address": people.delivery_address(order, addresses),
        "invoice_address": people.sequra_address(order["billing_address"]),
        "customer": people.customer(order, {}),
        "trackings": trackings(snapshot.get("shipments") or ()),
    }


def _details(update: Update) -> dict[str, str]:
    return {
        "delivery_address": _address(update.get("delivery_address") or {}),
        "invoice_address": _address(update.get("invoice_address") or {}),
        "customer": _joined(update.get("customer") or {}, "given_names surnames", "email"),
        "trackings": "\n".join(
            _joined(parcel, "carrier tracking_number", "tracking_url")
            for parcel in update.get("trackings") or ()
        ),
    }


def _address(address: Mapping[str, Any]) -> str:
    return _joined(
        address,
        "given_names surnames",
        "company",
        "address_line_1",
        "address_line_2",
        "postal_code city",
        "country_code",
        "phone",
    )


def _joined(document: Mapping[str, Any], *keys: str) -> str:
    """A line for each group of keys that has something to say."""
    found = (" ".join(str(document.get(key) or "") for key in group.split()) for group in keys)
    return "\n".join(line.strip() for line in found if line.strip())


def what_happened(before: Update | None, after: Update, snapshot: Snapshot, rules: Rules) -> str:
    """Return `cancel`, `refund`, `ship`, `address` or `edit`: the most important that applies.

    Without a `before` the whole order is new: then the order itself decides. What SeQura accepted
    before is a `resend` of the whole order.
    """
    if before == after:
        return "resend"
    if _is_cancelled(after, snapshot, rules) and (
        before is None or before["unshipped_cart"]["items"]
    ):
        return "cancel"
    if refunded(snapshot["refunds"]) and (before is None or _total(after) < _total(before)):
        return "refund"
    if _shipment(before) != _shipment(after):
        return "ship"
    if before is not None and all(before[cart] == after[cart] for cart in CARTS):
        return "address"
    return "edit"


def _is_cancelled(after: Update, snapshot: Snapshot, rules: Rules) -> bool:
    cancels = snapshot["order"]["status_id"] in rules.cancelling_statuses
    return cancels and not after["unshipped_cart"]["items"]


def _total(update: Update) -> int:
    return sum(int(update[cart]["order_total_with_tax"]) for cart in CARTS)


def _shipment(update: Update | None) -> tuple[Counter[str], Any]:
    """Units in the shipped cart, and the parcels they travel in."""
    units = Counter[str]()
    for item in update["shipped_cart"]["items"] if update else ():
        units[str(item.get("reference"))] += int(item.get("quantity", 0))
    return units, (update or {}).get("trackings") or []


_PLACE = (
    "given_names",
    "surnames",
    "company",
    "address_line_1",
    "address_line_2",
    "postal_code",
    "city",
    "country_code",
    "phone",
)


def agrees(update: Update, solicited: Update) -> bool:
    """Return whether this update is the purchase as solicited, with nothing shipped yet.

    The checkout (V3) and the order (V2) describe the same purchase differently, especially
    discounts. When total, units, addresses and customer agree, SeQura holds this update already.
    """
    if "cart" not in solicited or update["shipped_cart"]["items"]:
        return False
    return _essence(update, update["unshipped_cart"]) == _essence(solicited, solicited["cart"])


def _essence(order: Update, cart: Update) -> dict[str, Any]:
    return {
        "currency": cart["currency"],
        "total": cart["order_total_with_tax"],
        "units": _units(cart),
        "delivery": _place(order.get("delivery_address") or {}),
        "invoice": _place(order.get("invoice_address") or {}),
        "email": str((order.get("customer") or {}).get("email", "")).casefold(),
    }


def _units(cart: Update) -> Counter[str]:
    units = Counter[str]()
    for item in cart["items"]:
        if item["type"] in ("product", "service"):
            units[str(item["reference"])] += int(item["quantity"])
    return units


def _place(address: Update) -> list[str]:
    return [" ".join(str(address.get(key) or "").split()).casefold() for key in _PLACE]
