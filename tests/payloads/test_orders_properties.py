"""What holds for every order: made-up orders with shipments, refunds and discounts."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from payloads.money import to_cents
from payloads.order import lines as order_lines
from payloads.order.order_update import Rules, Snapshot, _shipped_by_status, compute
from tests.payloads.orders_golden import facts

Update = dict[str, Any]
QUICKLY = settings.get_current_profile_name() == "quick"
ADDRESS = {"first_name": "Ana", "country_iso2": "ES", "zip": "08010", "email": "a@example.com"}


def examples(number: int) -> settings:
    """That many examples; as many as the profile says with QUICK=1."""
    return settings() if QUICKLY else settings(max_examples=number)


def text(cents: int) -> str:
    return f"{cents / 100:.4f}"


@st.composite
def product(draw: st.DrawFn, number: int) -> dict[str, Any]:
    quantity, amount = draw(st.integers(1, 6)), draw(st.integers(0, 50_000))
    return {
        "id": number,
        "product_id": 100 + number,
        "sku": f"SKU-{number}",
        "name": f"Thing {number}",
        "type": draw(st.sampled_from(["physical", "physical", "physical", "digital"])),
        "quantity": quantity,
        "total_inc_tax": text(amount),
        "discounted_total_inc_tax": text(amount),
    }


@st.composite
def shipments(draw: st.DrawFn, products: list[dict[str, Any]]) -> list[dict[str, Any]]:
    items = [
        {"order_product_id": p["id"], "quantity": draw(st.integers(0, p["quantity"]))}
        for p in products
        if p["type"] == "physical"
    ]
    return [{"id": 1, "tracking_number": "T1", "items": [i for i in items if i["quantity"]]}]


@st.composite
def refunds(draw: st.DrawFn, products: list[dict[str, Any]], left: int) -> list[dict[str, Any]]:
    """Refunds of units or of amounts that together never exceed what the order is worth."""
    made = []
    for number in range(draw(st.integers(0, 3))):
        amount = draw(st.integers(0, left))
        left -= amount
        line = draw(st.sampled_from(products))
        items = draw(
            st.sampled_from(
                [
                    [{"item_type": "ORDER", "item_id": 1, "requested_amount": amount / 100}],
                    [{"item_type": "PRODUCT", "item_id": line["id"], "quantity": 1}],
                    [{"item_type": "SHIPPING", "item_id": 9, "requested_amount": amount / 100}],
                    [],
                ]
            )
        )
        provider = draw(st.sampled_from(["custom", "custom", "custom", "storecredit"]))
        payment = {"provider_id": provider, "amount": amount / 100, "is_declined": False}
        made.append(
            {"id": number, "total_amount": amount / 100, "items": items, "payments": [payment]}
        )
    return made


@st.composite
def snapshots(draw: st.DrawFn) -> Snapshot:
    products = [draw(product(number)) for number in range(1, draw(st.integers(1, 5)) + 1)]
    goods, shipping = sum(to_cents(p["total_inc_tax"]) for p in products), draw(st.integers(0, 999))
    total = max(1, goods + shipping - draw(st.integers(-300, goods // 2)))
    credit = draw(st.integers(0, total // 3))
    order = {
        "id": 1,
        "status_id": draw(st.sampled_from([0, 1, 2, 3, 4, 7, 9, 10, 11, 12, 14])),
        "default_currency_code": "EUR",
        "total_inc_tax": text(total),
        "shipping_cost_inc_tax": text(shipping),
        "store_credit_amount": text(credit),
        "billing_address": ADDRESS,
    }
    return {
        "order": order,
        "products": products,
        "shipping_addresses": [ADDRESS],
        "shipments": draw(shipments(products)),
        "refunds": draw(refunds(products, total - credit)),
    }


def told(snapshot: Snapshot, **order: Any) -> Update:
    changed: Snapshot = {**snapshot, "order": {**snapshot["order"], **order}}
    return compute(changed, facts({}, {})).update


def owed(snapshot: Snapshot) -> int:
    order = snapshot["order"]
    back = sum(
        to_cents(payment["amount"])
        for refund in snapshot["refunds"]
        for payment in refund["payments"]
        if payment["provider_id"] == "custom"
    )
    return to_cents(order["total_inc_tax"]) - to_cents(order["store_credit_amount"]) - back


def total(update: Update) -> int:
    carts = (update["unshipped_cart"], update["shipped_cart"])
    return sum(cart["order_total_with_tax"] for cart in carts)


def units(update: Update, reference: str) -> int:
    items = update["unshipped_cart"]["items"] + update["shipped_cart"]["items"]
    return sum(
        i["quantity"] for i in items if i["type"] == "product" and i["reference"] == reference
    )


@given(snapshots())
@examples(400)
def test_both_carts_are_what_the_shopper_owes_and_the_sums_of_their_lines(s: Snapshot) -> None:
    update = told(s)
    assert total(update) == owed(s)
    for cart in (update["unshipped_cart"], update["shipped_cart"]):
        lines = sum(item["total_with_tax"] for item in cart["items"])
        assert cart["order_total_with_tax"] == lines >= 0


@given(snapshots())
@examples(200)
def test_no_line_has_the_wrong_sign_or_no_units(snapshot: Snapshot) -> None:
    update = told(snapshot)
    for item in update["unshipped_cart"]["items"] + update["shipped_cart"]["items"]:
        amount = item["total_with_tax"]
        assert {
            "product": amount >= 0 and item.get("quantity", 0) > 0,
            "handling": amount > 0,
            "discount": amount < 0,
            "other_payment": amount < 0,
        }[item["type"]]


@given(snapshots())
@examples(200)
def test_shipped_and_unshipped_units_are_the_ordered_less_the_refunded(snapshot: Snapshot) -> None:
    update = told(snapshot)
    for line in snapshot["products"]:
        refunded = sum(
            item["quantity"]
            for refund in snapshot["refunds"]
            for item in refund["items"]
            if item["item_type"] == "PRODUCT"
            and item["item_id"] == line["id"]
            and refund["payments"][0]["provider_id"] == "custom"
            and refund["payments"][0]["amount"] > 0
        )
        kept = max(0, line["quantity"] - refunded) if total(update) else 0
        assert units(update, line["sku"]) == kept


@given(snapshots())
@examples(200)
def test_shipping_never_changes_the_sum(snapshot: Snapshot) -> None:
    waiting: Snapshot = {**snapshot, "shipments": []}
    assert total(told(snapshot)) == total(told(waiting)) == total(told(snapshot, status_id=2))


@given(snapshots())
@examples(200)
def test_cancelling_empties_the_unshipped_cart_and_leaves_the_shipped_one(s: Snapshot) -> None:
    """With its refunds: the ones that came off the unshipped goods end with them."""
    before, after = told(s, status_id=11), told(s, status_id=5)
    assert after["unshipped_cart"]["items"] == []
    assert after["shipped_cart"] == before["shipped_cart"]
    assert told(s, status_id=6) == after


def part_shipped(status_id: int, *cents: int) -> Any:
    """Two units for 120 € that left, one for 40 € that did not, and refunds of amounts."""
    products = [
        {"id": 1, "product_id": 5, "sku": "A", "name": "A", "type": "physical", "quantity": 2,
         "total_inc_tax": "120.00", "discounted_total_inc_tax": "120.00"},
        {"id": 2, "product_id": 6, "sku": "B", "name": "B", "type": "physical", "quantity": 1,
         "total_inc_tax": "40.00", "discounted_total_inc_tax": "40.00"},
    ]  # fmt: skip
    order = {
        "id": 1,
        "status_id": status_id,
        "default_currency_code": "EUR",
        "total_inc_tax": "160.00",
        "billing_address": ADDRESS,
    }
    return {
        "order": order,
        "products": products,
        "shipping_addresses": [ADDRESS],
        "shipments": [{"id": 1, "items": [{"order_product_id": 1, "quantity": 2}]}],
        "refunds": [amount_refund(number, one) for number, one in enumerate(cents, start=1)],
    }


def amount_refund(number: int, cents: int) -> dict[str, Any]:
    return {
        "id": number,
        "total_amount": text(cents),
        "items": [{"item_type": "ORDER", "item_id": 1, "requested_amount": text(cents)}],
        "payments": [{"provider_id": "custom", "amount": text(cents), "is_declined": False}],
    }


@given(st.integers(1, 16_000))
def test_refund_of_an_amount_beyond_the_cancelled_goods_comes_off_the_shipped_ones(
    cents: int,
) -> None:
    assert total(told(part_shipped(5, cents))) == 12_000 - max(0, cents - 4_000)


@given(st.integers(1, 12_000), st.integers(0, 4_000))
def test_refund_of_an_amount_after_the_cancellation_comes_off_the_shipped_goods(
    cents: int, before: int
) -> None:
    """What SeQura accepted before stays where it was, also when the order comes back to life."""
    refunds = [before] if before else []
    shop = Accepting(part_shipped(14, *refunds))
    assert shop.totals == (4_000 - before, 12_000)
    shop.reads(part_shipped(5, *refunds))
    assert shop.totals == (0, 12_000)
    shop.reads(part_shipped(5, *refunds, cents))
    assert shop.totals == (0, 12_000 - cents)
    shop.reads(part_shipped(14, *refunds, cents))
    assert shop.totals == (4_000 - before, 12_000 - cents)


class Accepting:
    """An order whose statements SeQura accepts, one snapshot after the other."""

    def __init__(self, *snapshots: Any) -> None:
        self.facts = facts({}, {})
        for snapshot in snapshots:
            self.reads(snapshot)

    def reads(self, snapshot: Any, **rule: Any) -> None:
        self.facts = replace(self.facts, rules=Rules(**rule))
        self.computed = found = compute(snapshot, self.facts)
        self.facts = replace(
            self.facts,
            ledger=json.loads(json.dumps(found.ledger)),
            shipped_by_status=found.left_by_status,
            shipped_word=found.shipped_word,
        )

    @property
    def totals(self) -> tuple[int, int]:
        update = self.computed.update
        carts = (update["unshipped_cart"], update["shipped_cart"])
        unshipped, shipped = (cart["order_total_with_tax"] for cart in carts)
        return unshipped, shipped

    @property
    def questions(self) -> dict[str, int]:
        return dict(self.computed.questions)


def test_line_added_after_a_shipped_status_waits_until_the_status_says_so_again() -> None:
    both = part_shipped(2)
    both["shipments"] = []
    one = {**both, "products": both["products"][:1]}
    one["order"] = {**both["order"], "total_inc_tax": "120.00"}
    shop = Accepting(one)
    assert (shop.totals, shop.questions) == ((0, 12_000), {})
    shop.reads(both)
    assert (shop.totals, shop.questions) == ((4_000, 12_000), {"added_after_shipping": 4_000})
    for status_id in (2, 11, 14, 13):
        shop.reads({**both, "order": {**both["order"], "status_id": status_id}})
        assert shop.totals == (4_000, 12_000)
    shop.reads(both)
    assert (shop.totals, shop.questions) == ((0, 16_000), {})


def test_which_lines_left_by_status_is_known_without_a_ledger() -> None:
    snapshot = part_shipped(11)
    snapshot["shipments"] = []
    left = [{"order_product_id": 1, "product_id": 5, "quantity": 2}]
    update = compute(snapshot, facts({"shipped_by_status": left}, {})).update
    assert [item["reference"] for item in update["shipped_cart"]["items"]] == ["A"]


def test_units_that_left_by_status_are_not_shipped_once_more_by_their_parcels() -> None:
    waiting, shipped = part_shipped(11), part_shipped(2)
    waiting["shipments"], shipped["shipments"] = [], []
    shop = Accepting(waiting, shipped)
    more = part_shipped(3)
    more["products"][0] |= {"quantity": 3, "total_inc_tax": "180.00"}
    more["products"][0]["discounted_total_inc_tax"] = "180.00"
    more["order"]["total_inc_tax"] = "220.00"
    shop.reads(more)
    assert shop.totals == (6_000, 16_000)


def test_refund_of_a_shipped_unit_stays_there_when_another_one_is_added() -> None:
    unit = [{"item_type": "PRODUCT", "item_id": 1, "quantity": 1}]
    refund = {**amount_refund(1, 6_000), "items": unit}
    snapshot = part_shipped(14)
    snapshot["refunds"] = [refund]
    shop = Accepting(snapshot)
    assert shop.totals == (4_000, 6_000)
    snapshot["products"][0] |= {"quantity": 3, "total_inc_tax": "180.00"}
    snapshot["products"][0]["discounted_total_inc_tax"] = "180.00"
    snapshot["order"]["total_inc_tax"] = "220.00"
    shop.reads(snapshot)
    assert shop.totals == (10_000, 6_000)


def test_refund_stays_on_its_side_when_an_edit_renumbers_the_lines() -> None:
    unit = [{"item_type": "PRODUCT", "item_id": 1, "quantity": 1}]
    snapshot = part_shipped(14)
    snapshot["refunds"] = [{**amount_refund(1, 6_000), "items": unit}]
    shop = Accepting(snapshot)
    snapshot["products"][0]["id"], snapshot["products"][1]["id"] = 11, 12
    snapshot["shipments"][0]["items"][0]["product_id"] = 5
    shop.reads(snapshot)
    assert shop.totals == (4_000, 6_000)
    shop.reads({**snapshot, "order": {**snapshot["order"], "status_id": 5}})
    assert shop.totals == (0, 6_000)


def test_download_that_left_with_the_last_parcel_stays_shipped_when_goods_are_added() -> None:
    snapshot = part_shipped(2)
    snapshot["products"][1]["type"] = "digital"
    shop = Accepting(snapshot)
    assert shop.totals == (0, 16_000)
    added = {**snapshot["products"][0], "id": 3, "product_id": 7, "sku": "C"}
    more = {**snapshot, "products": [*snapshot["products"], added]}
    more["order"] = {**snapshot["order"], "total_inc_tax": "280.00"}
    shop.reads(more)
    assert shop.totals == (12_000, 16_000)
    shop.reads({**more, "shipments": [], "order": {**more["order"], "status_id": 11}})
    assert shop.totals == (28_000, 0)  # the merchant deleted the parcel


def test_order_refunded_by_status_owes_nothing_when_the_status_moves_on() -> None:
    rule = {"refunded_status_refunds": True}
    shop = Accepting()
    for status_id, refunds, owed in [(3, (), 16_000), (4, (), 0), (4, (), 0), (10, (), 0)]:
        shop.reads(part_shipped(status_id, *refunds), **rule)
        assert sum(shop.totals) == owed
    shop.reads(part_shipped(4, 5_000), **rule)  # the record follows, and is no second refund
    assert shop.totals == (0, 0)
    more = part_shipped(11, 5_000)
    more["products"][1] |= {"quantity": 2, "total_inc_tax": "80.00"}
    more["products"][1]["discounted_total_inc_tax"] = "80.00"
    more["order"]["total_inc_tax"] = "200.00"
    shop.reads(more, **rule)
    assert sum(shop.totals) == 4_000


@pytest.mark.parametrize(("status_id", "owed"), [(4, 0), (13, 0), (0, 0), (14, 4_000), (9, 4_000)])
def test_which_status_brings_a_cancelled_order_back(status_id: int, owed: int) -> None:
    shop = Accepting(part_shipped(3), part_shipped(5))
    assert shop.questions == {"shipped_before_cancelling": 12_000}
    shop.reads(part_shipped(status_id))
    assert shop.totals == (owed, 12_000)


def test_refund_that_comes_with_the_cancellation_is_asked_about_until_it_is_undone() -> None:
    shop = Accepting(part_shipped(3))
    shop.reads(part_shipped(5, 3_000))
    unclear = {"shipped_before_cancelling": 12_000, "refund_of_cancelled": 3_000}
    assert (shop.totals, shop.questions) == ((0, 12_000), unclear)
    shop.reads(part_shipped(5, 3_000))
    assert shop.questions == unclear
    shop.reads(part_shipped(14, 3_000))
    assert (shop.totals, shop.questions) == ((1_000, 12_000), {})


def test_refund_does_not_bring_a_declined_order_back() -> None:
    """BigCommerce sets Partially Refunded by itself; only a person means something by it."""
    shop = Accepting(part_shipped(3), part_shipped(6))
    shop.reads(part_shipped(14, 3_000))
    for _ in range(2):
        assert shop.totals == (0, 9_000)
        shop.reads(part_shipped(14, 3_000))
    shop.reads(part_shipped(14, 3_000, 1_000))
    assert shop.totals == (0, 8_000)
    shop.reads(part_shipped(11, 3_000, 1_000))
    assert shop.totals == (4_000, 8_000)


@pytest.mark.parametrize(
    ("line", "units", "cents", "left"),
    [(1, 1, 6_000, 6_750), (1, 2, 12_000, 750), (2, 1, 4_000, 12_750)],
)
def test_refund_of_goods_moves_no_charge_of_a_cancelled_order(
    line: int, units: int, cents: int, left: int
) -> None:
    """The shipped goods keep their share of the shipping costs: nobody has refunded it."""

    def shipped_for_ten(status_id: int, *refunds: Any) -> Any:
        found = part_shipped(status_id)
        found["order"] |= {"total_inc_tax": "170.00", "shipping_cost_inc_tax": "10.00"}
        found["refunds"] = list(refunds)
        return found

    items = [{"item_type": "PRODUCT", "item_id": line, "quantity": units}]
    refund = {**amount_refund(1, cents), "items": items}
    shop = Accepting(shipped_for_ten(3), shipped_for_ten(6))
    assert shop.totals == (0, 12_750)
    for _ in range(2):
        shop.reads(shipped_for_ten(14, refund))
        assert shop.totals == (0, left)


@pytest.mark.parametrize(
    ("line", "units", "cents", "left"),
    [(1, 1, 5_850, 6_150), (1, 2, 11_800, 200), (2, 1, 3_850, 12_150)],
)
@pytest.mark.parametrize("status_id", [5, 6, 14])
def test_fee_kept_of_a_refund_is_never_in_the_cancelled_cart(
    line: int, units: int, cents: int, left: int, status_id: int
) -> None:
    """The goods came back for a little less than they cost: the shopper owes the rest."""
    items = [{"item_type": "PRODUCT", "item_id": line, "quantity": units}]
    shop = Accepting(part_shipped(3), part_shipped(6))
    assert shop.totals == (0, 12_000)
    for _ in range(2):
        found = part_shipped(status_id)
        found["refunds"] = [{**amount_refund(1, cents), "items": items}]
        shop.reads(found)
        assert shop.totals == (0, left)


def test_fee_kept_of_a_refund_stays_with_its_goods_through_a_cancellation() -> None:
    def with_fee(status_id: int) -> Any:
        found = part_shipped(status_id)
        items = [{"item_type": "PRODUCT", "item_id": 1, "quantity": 1}]
        found["refunds"] = [{**amount_refund(1, 5_850), "items": items}]
        return found

    shop = Accepting(part_shipped(3), with_fee(14))
    assert shop.totals == (4_000, 6_150)
    for status_id, totals in ((5, (0, 6_150)), (11, (4_000, 6_150))):
        shop.reads(with_fee(status_id))
        assert shop.totals == totals


def test_refund_between_two_cancellations_is_asked_about() -> None:
    """BigCommerce refunds no Cancelled order, so it has another status for a moment."""
    shop = Accepting(part_shipped(3), part_shipped(5), part_shipped(11))
    assert shop.questions == {}
    shop.reads(part_shipped(14, 3_000))
    assert (shop.totals, shop.questions) == ((1_000, 12_000), {})
    shop.reads(part_shipped(5, 3_000))
    unclear = {"shipped_before_cancelling": 12_000, "refund_of_cancelled": 3_000}
    assert (shop.totals, shop.questions) == ((0, 12_000), unclear)


def test_order_that_comes_back_from_a_shipped_status_is_asked_about() -> None:
    waiting, shipped = part_shipped(11), part_shipped(10)
    waiting["shipments"], shipped["shipments"] = [], []
    shop = Accepting(waiting, shipped, waiting)
    assert (shop.totals, shop.questions) == ((0, 16_000), {"shipped_status_left": 16_000})
    shop.reads({**waiting, "order": {**waiting["order"], "status_id": 13}})
    assert (shop.totals, shop.questions) == ((0, 16_000), {})


@pytest.mark.parametrize("known", [True, False])
def test_status_that_only_a_webhook_saw_ships_the_lines_that_were_known(known: bool) -> None:
    both = part_shipped(11)
    both["shipments"] = []
    one = {**both, "products": both["products"][:1]}
    one["order"] = {**both["order"], "total_inc_tax": "120.00"}
    shop = Accepting(*([one] if known else []))
    shop.facts = replace(shop.facts, shipped_status_seen=True)
    shop.reads(both)
    assert shop.totals == ((4_000, 12_000) if known else (0, 16_000))


@given(snapshots())
@examples(100)
def test_shipped_by_status_stays_shipped_once_remembered(snapshot: Snapshot) -> None:
    shipped: Snapshot = {**snapshot, "order": {**snapshot["order"], "status_id": 2}}
    remembered = _shipped_by_status(shipped, order_lines.goods(shipped["products"]), facts({}, {}))
    moved_on: Snapshot = {**snapshot, "order": {**snapshot["order"], "status_id": 14}}
    later = compute(moved_on, facts({"shipped_by_status": remembered}, {})).update
    assert later["unshipped_cart"]["items"] == []


@pytest.mark.parametrize(
    ("total", "discount", "fees", "left"),
    [
        ("30.0000", "0.0000", (), 0),
        ("30.0100", "0.0000", (), 0),  # rounding of the one line
        ("35.0000", "0.0000", (), 500),
        ("35.0000", "0.0000", ({"id": 7, "cost_inc_tax": "5.0000"},), 0),
        ("25.0000", "5.0000", (), 0),
        ("30.0000", "5.0000", (), 0),  # the discount is on the line
        ("20.0000", "5.0000", (), -1000),
    ],
)
def test_a_total_is_explained_by_goods_fees_rounding_and_a_discount_of_the_whole_order(
    total: str, discount: str, fees: Any, left: int
) -> None:
    order = {"total_inc_tax": total, "discount_amount": discount}
    goods = [order_lines.Goods(1, 1, "MUG", "Mug", 1, 3000)]
    assert order_lines.unexplained(order, goods, fees) == left


@given(snapshots())
@examples(100)
def test_same_snapshot_same_update(snapshot: Snapshot) -> None:
    turned: Snapshot = {**snapshot, "products": list(reversed(snapshot["products"]))}
    assert told(snapshot) == told(turned)


def test_full_refund_to_store_credit_is_no_refund_at_sequra_whatever_the_rule() -> None:
    """BigCommerce sets the status Refunded by itself then: it is no word of the merchant's."""
    folder = Path(__file__).parent / "orders" / "refunded_to_store_credit"
    case = json.loads((folder / "snapshot.json").read_text())
    case["order"]["status_id"] = 4
    update = compute(case, facts({"refunded_status_refunds": True}, {})).update
    assert total(dict(update)) > 0
