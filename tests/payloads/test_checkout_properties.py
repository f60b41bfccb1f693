"""Any checkout whose figures agree becomes a cart that adds up; any other is refused."""

from copy import deepcopy
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payloads.cart import lines_total
from payloads.checkout.lines import cart_lines
from payloads.checkout.parts import product_parts
from payloads.checkout.reasons import NotOffered, Reason
from payloads.money import to_cents
from payloads.order.lines import _reference
from tests.payloads.checkout_cases import CASES, document

CENT = Decimal("0.01")
prices = st.integers(1, 200_000).map(lambda thousandths: Decimal(thousandths) / 1000)
amounts = st.integers(0, 5_000).map(lambda cents: Decimal(cents) / 100)
ROUNDING = {"additional_discount", "additional_handling"}


def rounded(amount: Decimal) -> Decimal:
    return amount.quantize(CENT, ROUND_HALF_UP)


@st.composite
def line_items(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Items with whatever price, quantity and tax rate, some wrapped."""
    items = []
    for number in range(draw(st.integers(1, 6))):
        price, quantity = draw(prices), draw(st.integers(1, 9))
        rate = draw(st.sampled_from(["0", "0.04", "0.055", "0.10", "0.21", "0.22"]))
        items.append(
            {
                "id": f"item-{number}",
                "sku": f"SKU-{number}",
                "name": f"Product {number}",
                "quantity": quantity,
                "is_taxable": rate != "0",
                "extended_sale_price": float(price * quantity),
                "gift_wrapping": {"amount": float(draw(amounts))} if draw(st.booleans()) else {},
                "rate": Decimal(rate),
                "net": price * quantity,
            }
        )
    return items


def charges(draw: st.DrawFn, rate: Decimal) -> tuple[dict[str, Any], Decimal, Decimal]:
    """Shipping, handling and a fee: the fields, their sum with tax, and the tax in it."""
    nets = [draw(amounts) for _ in range(3)]
    gross = [rounded(net * (1 + rate)) for net in nets]
    fields = {
        "shipping_cost_total_inc_tax": float(gross[0]),
        "shipping_cost_total_ex_tax": float(nets[0]),
        "handling_cost_total_inc_tax": float(gross[1]),
        "handling_cost_total_ex_tax": float(nets[1]),
        "fees": [{"name": "F", "cost_inc_tax": float(gross[2]), "cost_ex_tax": float(nets[2])}],
    }
    return fields, sum(gross, Decimal(0)), sum(gross, Decimal(0)) - sum(nets, Decimal(0))


@st.composite
def checkouts(draw: st.DrawFn) -> dict[str, Any]:
    """A checkout that BigCommerce could have added up: discounts before tax, tax rounded once."""
    items, included = draw(line_items()), draw(st.booleans())
    wrapping = [Decimal(str(item["gift_wrapping"].get("amount", 0))) for item in items]
    goods = sum((item["net"] for item in items), Decimal(0))
    cuts = [rounded(goods * draw(st.integers(0, 30)) / 100) for _ in range(3)]
    kept = 1 - sum(cuts, Decimal(0)) / goods
    fields, charged, charged_tax = charges(draw, Decimal("0.21"))
    tax = sum((item["net"] * kept * item["rate"] for item in items), Decimal(0))
    if any(item["rate"] for item in items):
        tax += sum(wrapping, Decimal(0)) * Decimal("0.21")
    tax = Decimal(0) if included else rounded(tax)
    total = goods - sum(cuts, Decimal(0)) + sum(wrapping, Decimal(0)) + charged + tax
    return {
        "id": "checkout",
        "cart": {
            "currency": {"code": "EUR"},
            "tax_included": included,
            "discount_amount": float(cuts[0]),
            "line_items": {"physical_items": items},
        },
        "coupons": [
            {"code": f"COUPON-{n}", "discounted_amount": float(cut)}
            for n, cut in enumerate(cuts[1:])
        ],
        "tax_total": float(tax + charged_tax),
        "grand_total": float(rounded(total)),
        **fields,
    }


@given(checkouts())
def test_any_consistent_checkout_adds_up_to_the_cent(checkout: dict[str, Any]) -> None:
    if to_cents(checkout["grand_total"]) <= 0:
        return

    lines = cart_lines(checkout)

    assert lines_total(lines) == to_cents(checkout["grand_total"])
    assert all(isinstance(line["total_with_tax"], int) for line in lines)
    products = [line for line in lines if line["type"] == "product"]
    items = checkout["cart"]["line_items"]["physical_items"]
    assert [line["quantity"] for line in products] == [item["quantity"] for item in items]
    assert all(line["total_with_tax"] >= 0 for line in products)


@given(checkouts())
def test_tax_free_prices_stay_what_they_are(checkout: dict[str, Any]) -> None:
    if not checkout["cart"]["tax_included"] or to_cents(checkout["grand_total"]) <= 0:
        return

    told = {
        line["reference"]: line["total_with_tax"]
        for line in cart_lines(checkout)
        if line["reference"] not in ROUNDING
    }

    for item in checkout["cart"]["line_items"]["physical_items"]:
        assert told[item["sku"]] == to_cents(item["extended_sale_price"])
    for coupon in checkout["coupons"]:
        assert told.get(coupon["code"], 0) == -to_cents(coupon["discounted_amount"])


@given(
    st.lists(st.tuples(prices, st.integers(1, 9)), min_size=1, max_size=6),
    st.sampled_from([4, 10, 21]),
)
def test_one_tax_rate_is_found_on_every_line(goods: list[tuple[Decimal, int]], rate: int) -> None:
    nets = [price * quantity for price, quantity in goods]
    gross = sum(nets, Decimal(0)) * (100 + rate) / 100
    total = rounded(gross)
    items = [
        {"sku": str(n), "name": "P", "quantity": quantity, "extended_sale_price": float(net)}
        for n, ((_, quantity), net) in enumerate(zip(goods, nets, strict=True))
    ]
    checkout = {
        "cart": {"tax_included": False, "line_items": {"physical_items": items}},
        "tax_total": float(rounded(gross - sum(nets, Decimal(0)))),
        "grand_total": float(total),
    }
    if total <= 0:
        return

    lines = cart_lines(checkout)

    assert lines_total(lines) == to_cents(total)
    for line, net in zip(lines, nets, strict=False):
        assert abs(line["total_with_tax"] - net * (100 + rate)) <= 2


@given(checkouts(), st.integers(1, 10**6))
def test_credit_is_the_last_line(checkout: dict[str, Any], credit: int) -> None:
    total = to_cents(checkout["grand_total"])
    if credit >= total:
        with pytest.raises(NotOffered) as refusal:
            cart_lines(checkout, credit)
        assert refusal.value.reason == Reason.NOTHING_LEFT_TO_PAY
        return

    *goods, paid = cart_lines(checkout, credit)

    assert paid == {
        "type": "other_payment",
        "reference": "store_credit",
        "name": "Store credit",
        "total_with_tax": -credit,
    }
    assert lines_total(goods) == total


@pytest.mark.parametrize("case", [case for case in CASES if document(case, "order")])
@pytest.mark.parametrize("difference", [100, -100, 37, -37])
def test_a_total_that_nothing_explains_is_refused(case: str, difference: int) -> None:
    checkout = deepcopy(document(case, "checkout"))
    checkout["grand_total"] = round(checkout["grand_total"] * 100 + difference) / 100
    if checkout["grand_total"] <= 0:
        return

    with pytest.raises(NotOffered) as refusal:
        cart_lines(checkout)

    assert refusal.value.reason == Reason.UNBALANCED


@pytest.mark.parametrize("sku", ["AB  1 ", "AB\t1", " AB 1"])
def test_a_line_has_the_reference_that_it_has_in_the_order(sku: str) -> None:
    """V2 and V3 show the same SKU; both are told as one line of text, so nothing seems changed."""
    checkout = document(CASES[0], "checkout")
    item = checkout["cart"]["line_items"]["physical_items"][0]
    item["sku"] = sku
    told = next(iter(product_parts(checkout))).reference
    product = {"sku": sku, "type": "physical", "product_id": 5, "name": "x"}
    assert told == _reference(product) == "AB 1"
