"""A reason for every no, and never an offer beside one."""

import json
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payloads.checkout.eligibility import (
    Method,
    Rules,
    availability,
    find_method,
    ip_allowed,
    offered_methods,
    order_name,
)
from payloads.checkout.lines import Claim, credit_balance, store_credit
from payloads.checkout.reasons import SENTENCES, NotOffered, Reason
from payloads.checkout.solicitation import fingerprint, solicitation
from payloads.money import to_cents
from sequra.documents import PaymentMethod, read_payment_methods
from tests.payloads.checkout_cases import circumstances, document

RULES = Rules(connected=True, countries={"ES": [], "FR": ["services"]})
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
CATALOGUE = [{"id": 101, "sku": "CAM-001", "categories": [23, 4]}]


def ask(checkout: Any, rules: Rules = RULES, **changes: Any) -> list[Reason]:
    usual: dict[str, Any] = {"amount": 14488, "ip": "203.0.113.7", "products": CATALOGUE}
    return availability(rules, checkout, **usual | changes)


def changed(case: str = "two_products", **changes: Any) -> Any:
    """A golden checkout with other values at `a__b__0__c`."""
    checkout = deepcopy(document(case, "checkout"))
    for path, value in changes.items():
        place, keys = checkout, [int(key) if key.isdigit() else key for key in path.split("__")]
        for key in keys[:-1]:
            place = place[key]
        place[keys[-1]] = value
    return checkout


@pytest.mark.parametrize(
    ("checkout", "rules", "changes", "reasons"),
    [
        ({}, {}, {}, []),
        ({}, {"connected": False}, {}, ["not_connected"]),
        ({"cart__email": "", "billing_address__email": "lucia"}, {}, {}, ["no_email"]),
        ({"cart__email": "", "billing_address__email": None}, {}, {}, ["no_email"]),
        ({"consignments": []}, {}, {}, ["no_address", "no_shipping_option"]),
        ({"consignments__0__address": {}}, {}, {}, ["no_address"]),
        ({"consignments__0__address__country_code": ""}, {}, {}, ["no_address"]),
        ({"billing_address": {}}, {}, {}, ["no_address"]),
        ({"consignments__0__selected_shipping_option": None}, {}, {}, ["no_shipping_option"]),
        ({"consignments__0__address__country_code": "DE"}, {}, {}, ["country"]),
        ({"billing_address__country_code": "DE"}, {}, {}, []),
        ({"consignments__0__address__country_code": "fr"}, {}, {}, []),
        ({"cart__currency__code": "USD"}, {}, {}, ["currency"]),
        ({}, {"allowed_ips": ["198.51.100.0/24"]}, {}, ["ip_not_allowed"]),
        ({}, {"allowed_ips": ["198.51.100.0/24", "203.0.113.7"]}, {}, []),
        ({}, {"excluded_products": ["cam-001-m"]}, {}, ["excluded_product"]),
        ({}, {"excluded_products": ["CAM-001"]}, {}, ["excluded_product"]),
        ({}, {"excluded_products": ["CAM", ""]}, {}, []),
        ({}, {"excluded_categories": [23]}, {}, ["excluded_category"]),
        ({}, {"excluded_categories": ["23"]}, {}, ["excluded_category"]),
        ({}, {"excluded_categories": [2, 3]}, {}, []),
        ({}, {"disabled_channels": [7]}, {}, []),
        ({"cart__channel_id": 7}, {"disabled_channels": [7]}, {}, ["channel"]),
        ({"cart__channel_id": None}, {"disabled_channels": [1]}, {}, ["channel"]),
        ({}, {}, {"amount": 0}, ["nothing_left_to_pay"]),
        ({}, {}, {"amount": -1}, ["nothing_left_to_pay"]),
        (
            {"cart__currency__code": "USD", "consignments__0__address__country_code": "DE"},
            {"allowed_ips": ["::1"]},
            {"amount": 0},
            ["country", "currency", "ip_not_allowed", "nothing_left_to_pay"],
        ),
    ],
)
def test_availability_names_every_reason(
    checkout: dict[str, Any], rules: dict[str, Any], changes: dict[str, Any], reasons: list[str]
) -> None:
    assert ask(changed(**checkout), replace(RULES, **rules), **changes) == reasons


@pytest.mark.parametrize(
    ("case", "country", "options", "reasons"),
    [
        ("digital_only", "ES", [], ["digital_only_without_services"]),
        ("digital_only", "ES", ["services"], []),
        ("digital_only", "DE", ["services"], ["country", "digital_only_without_services"]),
        ("digital_only", "", ["services"], ["no_address"]),
        ("mixed", "ES", [], []),
        ("pickup", "ES", [], []),
        ("pickup", "DE", [], ["country"]),
        ("gift_certificate_bought", "ES", [], []),
    ],
)
def test_availability_of_what_is_not_delivered(
    case: str, country: str, options: list[str], reasons: list[str]
) -> None:
    checkout = changed(case, billing_address__country_code=country)

    assert ask(checkout, replace(RULES, countries={"ES": options})) == reasons


def parcel(item: str, **changes: Any) -> dict[str, Any]:
    """A consignment that carries one item to Spain, its shipping chosen."""
    usual = {
        "address": {"country_code": "ES", "address1": "Gran Vía 1"},
        "line_item_ids": [item],
        "selected_shipping_option": {"id": "s1", "description": "Envío"},
        "selected_pickup_option": None,
    }
    return usual | changes


FIRST, SECOND = (f"0000000{n}-aaaa-4bbb-8ccc-0123456789ab" for n in (1, 2))
GERMAN = {"country_code": "DE", "address1": "Unter den Linden 1"}


@pytest.mark.parametrize(
    ("second", "reasons"),
    [
        (parcel(SECOND), []),
        (parcel(SECOND, address={"country_code": "FR"}), []),
        (parcel(SECOND, address=GERMAN), ["country"]),
        (parcel(SECOND, address={}), ["no_address"]),
        (parcel(SECOND, address={"address1": "Gran Vía 1"}), ["no_address"]),
        (parcel(SECOND, address=None, shipping_address=GERMAN), ["country"]),
        (parcel(SECOND, selected_shipping_option=None), ["no_shipping_option"]),
        (
            parcel(
                SECOND,
                address={},
                selected_shipping_option=None,
                selected_pickup_option={"pickup_method_id": 1},
            ),
            [],
        ),
        (parcel("somebody else's item"), ["no_shipping_option"]),
        (parcel(FIRST), ["no_shipping_option"]),
    ],
)
def test_every_consignment_counts(second: dict[str, Any], reasons: list[str]) -> None:
    """Also in another order: nothing hangs on which of them comes first."""
    for consignments in ([parcel(FIRST), second], [second, parcel(FIRST)]):
        assert ask(changed(consignments=consignments)) == reasons


@pytest.mark.parametrize(
    ("group", "flag", "reasons"),
    [
        ("custom_items", None, ["no_address", "no_shipping_option"]),
        ("custom_items", True, ["no_address", "no_shipping_option"]),
        ("custom_items", False, []),
        ("physical_items", None, ["no_address", "no_shipping_option"]),
        ("physical_items", False, []),
        ("digital_items", None, []),
        ("digital_items", True, ["no_address", "no_shipping_option"]),
        ("gift_certificates", None, []),
    ],
)
def test_every_kind_of_item_says_whether_it_travels(
    group: str, flag: bool | None, reasons: list[str]
) -> None:
    """A cart with one item and no consignment: BigCommerce makes no order of what must travel."""
    item = {"id": "1", "name": "Mesa a medida", "quantity": 1, "amount": 120}
    checkout = changed(consignments=[])
    checkout["cart"]["line_items"] = {
        group: [item if flag is None else item | {"is_require_shipping": flag}]
    }

    found = ask(checkout, replace(RULES, countries={"ES": ["services"]}))

    assert found == reasons


def test_services_are_offered_only_where_the_merchant_wants_it() -> None:
    rules = replace(RULES, countries={"ES": ["services"]}, offers_services=False)

    assert ask(changed("digital_only"), rules) == ["digital_only_without_services"]


def test_a_product_without_sku_is_not_excluded_by_an_empty_line() -> None:
    checkout = document("no_sku", "checkout")

    assert ask(checkout, replace(RULES, excluded_products=["", " "]), products=[]) == []


def test_availability_of_a_cart_of_gift_certificates() -> None:
    checkout = changed("gift_certificate_bought", consignments=[])
    checkout["cart"]["line_items"]["physical_items"] = []

    assert ask(checkout) == ["digital_only_without_services"]


@pytest.mark.parametrize(
    ("ip", "allowed", "answer"),
    [
        ("203.0.113.7", [], True),
        ("nonsense", [], True),
        ("203.0.113.7", ["203.0.113.7"], True),
        ("203.0.113.70", ["203.0.113.7"], False),
        ("203.0.113.7", [" 203.0.113.0/24 "], True),
        ("203.0.114.7", ["203.0.113.0/24"], False),
        ("203.0.113.7", ["203.0.113.9/24"], True),
        ("203.0.113.7", ["0.0.0.0/0"], True),
        ("2001:db8::1", ["0.0.0.0/0"], False),
        ("2001:db8::1", ["2001:db8::/32"], True),
        ("2001:DB8:0::1", ["2001:db8::1"], True),
        ("2001:db9::1", ["2001:db8::/32"], False),
        ("::ffff:203.0.113.7", ["203.0.113.7"], True),
        ("203.0.113.7", ["203.0.113"], False),
        ("203.0.113.7", ["", "203.0.113.0/33", "everyone"], False),
        ("203.0.113.7", ["everyone", "203.0.113.7"], True),
        ("", ["0.0.0.0/0"], False),
        ("unknown", ["0.0.0.0/0"], False),
    ],
)
def test_ip_list_lets_in_exactly_what_it_names(ip: str, allowed: list[str], answer: bool) -> None:
    assert ip_allowed(ip, allowed) is answer


def method(**changes: Any) -> dict[str, Any]:
    usual = {
        "product": "i1",
        "campaign": None,
        "title": "Paga Después",
        "long_title": "Paga después. 7 días",
        "cost_description": "sin coste adicional",
        "description": "Compra ahora",
        "icon": "<svg/>",
        "starts_at": "2000-02-22T21:22:00Z",
        "ends_at": "2222-02-22T21:22:00Z",
        "min_amount": None,
        "max_amount": None,
    }
    return usual | changes


def options(*methods: Mapping[str, Any]) -> list[PaymentMethod]:
    later = {"title": "Paga Fraccionado", "category": "part_payment", "icon": None}
    now = {"title": "Paga ahora", "category": "pay_now", "methods": []}
    return read_payment_methods({"payment_options": [now, later | {"methods": methods}]})


def offer(**changes: Any) -> tuple[list[Method], list[Reason]]:
    return offered_methods(options(method(**changes)), 10000, NOW)


def test_offered_method_is_flat() -> None:
    assert offer() == (
        [
            {
                "product": "i1",
                "campaign": None,
                "title": "Paga Después",
                "description": "Compra ahora",
                "cost_description": "sin coste adicional",
                "icon": "<svg/>",
                "category": "part_payment",
            }
        ],
        [],
    )


def test_an_amount_is_never_broken_before_its_currency() -> None:
    [shown], _ = offer(
        title="Fracciona desde 1.012,24 €/mes",
        cost_description="+ 2,95 €",
        description="€ 3, o 4 €",
    )

    assert shown["title"] == "Fracciona desde 1.012,24\N{NO-BREAK SPACE}€/mes"
    assert shown["cost_description"] == "+ 2,95\N{NO-BREAK SPACE}€"
    assert shown["description"] == "€\N{NO-BREAK SPACE}3, o 4\N{NO-BREAK SPACE}€"


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"min_amount": 10000, "max_amount": 10000}, []),
        ({"min_amount": 10001}, ["amount"]),
        ({"max_amount": 9999}, ["amount"]),
        ({"max_amount": 0}, ["amount"]),
        ({"starts_at": "2026-11-21T12:00:00Z"}, []),
        ({"starts_at": "2026-11-21T12:00:01Z"}, ["not_yet_available"]),
        ({"starts_at": "2026-11-21T13:00:01+01:00"}, ["not_yet_available"]),
        ({"starts_at": "2026-11-22"}, ["not_yet_available"]),
        ({"ends_at": "2026-11-21T12:00:01Z"}, []),
        ({"ends_at": "2026-11-21T12:00:00Z"}, ["no_longer_available"]),
        ({"starts_at": "0022-02-22T22:36:44Z", "ends_at": None}, []),
        ({"starts_at": "soon", "ends_at": ""}, []),
        (
            {"min_amount": 10001, "ends_at": "2020-01-01T00:00:00Z"},
            ["amount", "no_longer_available"],
        ),
        ({"product": None}, ["no_methods"]),
    ],
)
def test_method_is_offered_within_its_bounds(changes: dict[str, Any], reasons: list[str]) -> None:
    methods, found = offer(**changes)

    assert found == reasons
    assert bool(methods) is (reasons == [])


@pytest.mark.parametrize(
    ("found", "reasons"),
    [([], ["no_methods"]), (options(), ["no_methods"])],
)
def test_nothing_offered_has_its_reason(found: list[PaymentMethod], reasons: list[str]) -> None:
    assert offered_methods(found, 10000, NOW) == ([], reasons)


def test_one_method_is_enough() -> None:
    found = options(method(max_amount=1), method(product="pp5", campaign="temporary"))

    methods, reasons = offered_methods(found, 10000, NOW)

    assert [(one["product"], one["campaign"]) for one in methods] == [("pp5", "temporary")]
    assert reasons == []


@pytest.mark.parametrize(
    ("product", "name"),
    [
        ("pp3", "Paga Fraccionado"),
        ("pp6", "Paga Fraccionado"),
        ("pp9", "Paga Fraccionado"),
        ("i1", "Desde 7,24 €/mes"),
    ],
)
def test_instalments_are_named_after_their_category(product: str, name: str) -> None:
    told = options(method(product=product, title="Desde 7,24 €/mes"))

    assert (order_name(told, product), order_name(told, "tbs")) == (name, "")


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("Divide en 3 partes de 161,30 €", "Divide en 3 partes"),
        ("Divide en 3 partes de 0,00\u00a0€", "Divide en 3 partes"),
        ("Paga Fraccionado desde 0,00 €/mes", "Paga Fraccionado"),
        ("Payez en plusieurs fois, dès 1.043,32 €/mois", "Payez en plusieurs fois"),
        ("Payez en 3 fois 33,00 €", "Payez en 3 fois"),
        ("Split in 3 parts of €33.00", "Split in 3 parts"),
        ("Paga en 3", "Paga en 3"),
        ("20 € de regalo", "20 € de regalo"),
    ],
)
def test_names_of_orders_are_the_same_for_every_amount(title: str, name: str) -> None:
    assert order_name(options(method(product="sp1", title=title)), "sp1") == name


def test_chosen_method_is_one_that_was_offered() -> None:
    found = options(method(product="pp5", campaign="a"), method(product="pp5", campaign="b"))
    methods, _ = offered_methods(found, 10000, NOW)

    assert find_method(methods, "pp5", "b") == methods[1]
    assert find_method(methods, "pp5", None) is None
    assert find_method(methods, "pp5", "c") is None


@given(
    st.lists(
        st.builds(
            method,
            min_amount=st.none() | st.integers(0, 300),
            max_amount=st.none() | st.integers(0, 300),
        ),
        max_size=4,
    ),
    st.integers(0, 300),
)
def test_methods_and_reasons_exclude_each_other(found: list[dict[str, Any]], amount: int) -> None:
    methods, reasons = offered_methods(options(*found), amount, NOW)

    assert bool(methods) is not bool(reasons)


def test_every_reason_has_a_sentence() -> None:
    assert set(SENTENCES) == set(Reason)
    assert str(NotOffered(Reason.CURRENCY)) == SENTENCES[Reason.CURRENCY]
    assert str(NotOffered(Reason.UNBALANCED, "€110.88")) == "€110.88"


@pytest.mark.parametrize(
    ("balance", "applied", "outstanding", "credit"),
    [
        (2000, True, "89.99", 2000),
        (2000, True, 89.99, 2000),
        (2000, False, "109.99", 0),
        (0, True, "109.99", 0),
        (20000, True, "0", 10999),
        (-5, True, "109.99", 0),
        (2000, True, None, 2000),
        (2000, False, None, 0),
    ],
)
def test_credit_is_the_balance_or_nothing(
    balance: int, applied: bool, outstanding: str | float | None, credit: int
) -> None:
    assert store_credit(balance, 10999, Claim.of(applied, outstanding)) == credit


@pytest.mark.parametrize(
    ("balance", "applied", "outstanding", "reason"),
    [
        (2000, True, 8998, Reason.GIFT_CERTIFICATE),
        (2000, True, 9000, Reason.UNEXPLAINED_BALANCE),
        (2000, True, 10999, Reason.UNEXPLAINED_BALANCE),
        (2000, False, 8999, Reason.GIFT_CERTIFICATE),
        (0, True, 1, Reason.GIFT_CERTIFICATE),
        (0, False, 0, Reason.GIFT_CERTIFICATE),
        (0, False, -1, Reason.UNEXPLAINED_BALANCE),
        (20000, True, 1, Reason.UNEXPLAINED_BALANCE),
    ],
)
def test_credit_that_does_not_explain_the_balance_is_refused(
    balance: int, applied: bool, outstanding: int, reason: Reason
) -> None:
    with pytest.raises(NotOffered) as refusal:
        store_credit(balance, 10999, Claim(applied, outstanding))

    assert refusal.value.reason == reason


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.booleans(), st.integers(-10, 10**6))
def test_credit_never_trusts_the_browser(
    balance: int, total: int, applied: bool, outstanding: int
) -> None:
    try:
        credit = store_credit(balance, total, Claim(applied, outstanding))
    except NotOffered:
        assert outstanding != total - (min(balance, total) if applied else 0)
    else:
        assert credit <= min(balance, total)
        assert total - credit == outstanding


def test_credit_balance_is_what_the_customer_has() -> None:
    assert credit_balance(None) == 0
    assert credit_balance({"store_credit_amounts": []}) == 0
    assert credit_balance({"store_credit_amounts": [{"amount": 43.15}]}) == 4315
    assert credit_balance({"store_credit_amounts": [{"amount": -1}]}) == 0


# Odd documents -----------------------------------------------------------------------------------

ODD: list[Any] = [
    None,
    "",
    "odd",
    0,
    7,
    -1.5,
    10**30,
    True,
    [],
    [None],
    ["odd"],
    [[]],
    {},
    {"id": []},
]
ODD_ENTRIES: list[Any] = [None, "odd", 7, []]
RICH = (
    "registered_customer",
    "gift_wrapping",
    "several_coupons",
    "item_discount",
    "fee_with_a_discount",
    "gift_certificate_bought",
    "tax_exclusive_coupon",
    "pickup",
)


def nodes(value: Any, *above: str | int) -> Iterator[tuple[str | int, ...]]:
    """The place of everything in a document."""
    inside: Iterable[tuple[str | int, Any]] = ()
    if isinstance(value, dict | list):
        inside = value.items() if isinstance(value, dict) else enumerate(value)
    for key, one in inside:
        yield (*above, key)
        yield from nodes(one, *above, key)


def with_odd(document: Any, place: tuple[str | int, ...], odd: Any) -> Any:
    """The document with something else at this place."""
    whole = deepcopy(document)
    parent = whole
    for key in place[:-1]:
        parent = parent[key]
    parent[place[-1]] = odd
    return whole


def outcome_of(checkout: Any, **changes: Any) -> tuple[list[Reason], dict[str, Any] | None]:
    """What `solicit` makes of a checkout: a reason at least, or an order."""
    rules = replace(RULES, excluded_products=["CAM-009"], excluded_categories=[99])
    if reasons := ask(checkout, rules):
        return reasons, None
    try:
        return [], solicitation(checkout, circumstances(**changes))
    except NotOffered as no:
        return [no.reason], None


@pytest.mark.parametrize("case", RICH)
@pytest.mark.slow
def test_whatever_stands_anywhere_in_a_checkout_is_an_offer_or_a_reason(case: str) -> None:
    """And the offer is still of what the shopper pays."""
    checkout = document(case, "checkout")
    assert outcome_of(checkout)[0] == []
    for place in nodes(checkout):
        for odd in ODD:
            reasons, order = outcome_of(with_odd(checkout, place, odd))
            assert reasons or order, (place, odd)
            if order and place != ("grand_total",):
                total = order["cart"]["order_total_with_tax"]
                assert total == to_cents(checkout["grand_total"]), (place, odd)
                json.dumps(order, allow_nan=False)
                fingerprint(order)


@pytest.mark.parametrize("case", RICH)
def test_null_in_any_list_of_a_checkout_is_left_out(case: str) -> None:
    checkout = document(case, "checkout")
    told = outcome_of(checkout)
    for place in [(), *nodes(checkout)]:
        found = checkout
        for key in place:
            found = found[key]
        if isinstance(found, list):
            for odd in ODD_ENTRIES:
                assert outcome_of(with_odd(checkout, place, [odd, *found, odd])) == told, place


@pytest.mark.parametrize(
    ("changes", "reasons"),
    [
        ({"cart": None}, ["unreadable"]),
        ({"cart__currency": None}, ["unreadable"]),
        ({"cart__currency__code": None}, ["unreadable"]),
        ({"cart__line_items": None}, ["unreadable"]),
        ({"cart__line_items__physical_items": None}, ["digital_only_without_services"]),
        ({"cart__line_items__physical_items__0": None}, ["unbalanced"]),
        ({"cart__line_items__digital_items": None}, []),
        ({"billing_address": None}, ["no_address"]),
        ({"consignments": None}, ["no_address", "no_shipping_option"]),
        ({"consignments": [None]}, ["no_address", "no_shipping_option"]),
        ({"consignments__0__address": None}, ["no_address"]),
        ({"consignments__0__coupon_discounts": None}, []),
        ({"cart__line_items__physical_items__0__gift_wrapping": "Paper"}, []),
        ({"cart__line_items__physical_items__0__gift_wrapping": ["Paper"]}, []),
        ({"cart__customer_id": {"id": 25}}, []),
        ({"cart__channel_id": ["1"]}, []),
        ({"coupons": "none", "fees": None, "taxes": None}, []),
    ],
)
def test_what_is_optional_is_left_out_and_what_is_needed_is_a_reason(
    changes: dict[str, Any], reasons: list[str]
) -> None:
    assert outcome_of(changed(**changes))[0] == reasons


@pytest.mark.parametrize("customer", [None, [], "odd", 7, {"first_name": {}, "date_created": []}])
@pytest.mark.parametrize("orders", [[], [None], ["odd", 7, [], {}, {"billing_address": "odd"}]])
def test_odd_customer_and_history_are_left_out(customer: Any, orders: Any) -> None:
    checkout = document("registered_customer", "checkout")

    reasons, order = outcome_of(checkout, customer=customer, orders=orders)

    assert reasons == []
    assert order
    assert order["customer"]["previous_orders"] == []


def test_odd_product_of_the_catalogue_excludes_nothing() -> None:
    rules = replace(RULES, excluded_categories=[23])
    odd: list[Any] = [None, "odd", {"categories": 23}, {"categories": None}, {"sku": []}]

    assert ask(changed(), rules, products=odd) == []
    assert ask(changed(), rules, products=[*odd, *CATALOGUE]) == ["excluded_category"]
