"""What a page of the shop may show of SeQura: the rules of the checkout, in one kept answer."""

from contextlib import ExitStack
from typing import Any

import pytest
import requests
from django.core.cache import cache, caches

from bigcommerce.api import Unavailable
from payments.widgets import WidgetsAnswer, _reads, widgets_for
from stores import connect
from stores.models import Connection, Merchant, Store
from stores.rate_limit import LIMITS, OUTSIDE, READS, RateLimited
from tests.payments.shop import Shop
from tests.payments.web import BROWSER, Web

PAGE: dict[str, Any] = {
    "place": "product", "channel": 1, "currency": "EUR", "locale": "es", "product": [101],
}  # fmt: skip
NOTHING: WidgetsAnswer = {
    "methods": [],
    "configuration": None,
    "theme": {},
    "selector": "",
    "price_selector": "",
    "texts": [],
    "only": None,
    "by_sku": False,
}


@pytest.fixture(autouse=True)
def on(shop: Shop) -> None:
    """Widgets everywhere, with every instalment; the contract has services."""
    caches["catalogue"].clear()
    connect.refresh(shop.store)
    shown = {"product": ["pp3", "sp1", "pp5/temporary"], "cart": ["pp3"], "listing": ["pp3"]}
    Store.objects.update(widget_methods=shown)
    Merchant.objects.update(assets_key="a1b2c3", contract_options=["services"])


def asked(web: Web, **page: Any) -> requests.Response:
    headers = {"Origin": web.shop.origin, "User-Agent": BROWSER}
    address = web.storefront("widgets")
    return requests.get(address, params=PAGE | page, headers=headers, timeout=60)


def answered(web: Web, **page: Any) -> Any:
    answer = asked(web, **page)
    assert answer.status_code == 200, answer.text
    return answer.json()


def catalogue_calls(shop: Shop) -> list[str]:
    return [call["path"] for call in shop.sandbox.calls(in_path="/catalog/products")]


def test_a_page_gets_what_sequras_script_needs_and_nobody_is_asked(web: Web, shop: Shop) -> None:
    before = len(shop.sandbox.calls())
    Store.objects.update(
        widget_theme={"size": "L"}, widget_selectors={"product": ".buy", "cart": ".no"}
    )

    answer = asked(web)

    connection = Connection.objects.get()
    found = answer.json()
    assert found["methods"] == [
        {"product": "pp5", "campaign": "temporary", "min": 1500, "max": 100000},
        {"product": "sp1", "campaign": None, "min": 1000, "max": 150000},
        {"product": "pp3", "campaign": None, "min": 5000, "max": 300000},
    ]
    assert found["configuration"] == {
        "merchant": Merchant.objects.get(country="ES", selling=True).ref,
        "assetKey": "a1b2c3",
        "products": ["pp3", "pp5", "sp1"],
        "scriptUri": f"{connection.assets_url}/sequra-checkout.min.js",
        "decimalSeparator": ",",
        "thousandSeparator": ".",
        "locale": "es-ES",
        "currency": "EUR",
    }
    assert (found["theme"]["size"], found["theme"]["alignment"]) == ("L", "center")
    assert (found["selector"], found["price_selector"], found["only"]) == (".buy", "", None)
    assert found["texts"] == ["Desde %s/mes", "Fracciona a partir de %s"]
    assert len(shop.sandbox.calls()) == before
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert answer.headers["Access-Control-Allow-Origin"] == shop.origin


def test_a_list_has_one_method(web: Web) -> None:
    assert [one["product"] for one in answered(web, place="listing")["methods"]] == ["pp3"]


@pytest.mark.parametrize(
    ("columns", "page"),
    [
        ({"widget_methods": {}}, {}),
        ({"widget_methods": {"cart": ["pp3"]}}, {}),
        ({"widget_methods": {"product": ["pp3/autumn"]}}, {}),
        ({"disabled_channels": [1]}, {}),
        ({"allowed_ips": ["203.0.113.7"]}, {}),
        ({}, {"currency": "USD"}),
        ({"excluded_products": ["chair-cb"]}, {}),
        ({"excluded_products": ["CHAIR-L"]}, {"sku": ["CHAIR-L"]}),
        ({"excluded_categories": [23]}, {}),
        ({"excluded_subcategories": [23], "excluded_categories": [1]}, {}),
        ({"excluded_categories": [27]}, {"product": []}),
        ({"excluded_categories": [27]}, {"place": "cart", "product": [101, 107]}),
        ({"offers_services": False}, {"product": [108]}),
    ],
    ids=str,
)
def test_where_the_rules_say_no_nothing_is_shown(
    web: Web, columns: dict[str, Any], page: dict[str, Any]
) -> None:
    Store.objects.update(**columns)

    assert answered(web, **page) == NOTHING


@pytest.mark.parametrize(
    ("columns", "page"),
    [
        ({"disabled_channels": [1]}, {"channel": 2}),
        ({"allowed_ips": ["127.0.0.0/8"]}, {}),
        ({"excluded_products": ["LAMP-01"]}, {"sku": ["CHAIR-CB"]}),
        ({"excluded_categories": [24]}, {}),
        ({"offers_services": False}, {"place": "cart", "product": [101, 108]}),
    ],
    ids=str,
)
def test_what_does_not_concern_the_page_changes_nothing(
    web: Web, columns: dict[str, Any], page: dict[str, Any]
) -> None:
    Store.objects.update(**columns)

    assert "pp3" in [one["product"] for one in answered(web, **page)["methods"]]


def test_a_list_names_the_products_that_can_be_paid(shop: Shop) -> None:
    Store.objects.update(excluded_categories=[24], offers_services=False)
    store = Store.objects.get()
    page = PAGE | {"place": "listing", "product": [101, 102, 104, 107, 108, 999], "sku": []}

    answers = [widgets_for(store, page, "203.0.113.7") for _ in range(2)]

    assert [answer["only"] for answer in answers] == [[101, 102, 999]] * 2
    assert len(catalogue_calls(shop)) == 1  # the second time from memory


def test_who_tests_gets_an_answer_of_their_own(web: Web) -> None:
    Store.objects.update(allowed_ips=["127.0.0.1"])

    assert asked(web).headers["Cache-Control"] == "private, max-age=60"


def test_without_bigcommerce_nothing_is_promised_or_kept(web: Web, shop: Shop) -> None:
    Store.objects.update(excluded_categories=[24])
    shop.sandbox.fault("/catalog/products", status=503, times=10)

    answer = asked(web)

    assert (answer.status_code, answer.headers["Cache-Control"]) == (502, "no-store")


def test_after_a_failure_a_process_waits_for_no_catalogue_for_a_while(shop: Shop) -> None:
    Store.objects.update(excluded_categories=[24])
    store = Store.objects.get()
    shop.sandbox.fault("/catalog/products", status=503, times=10)

    with pytest.raises(Unavailable):
        widgets_for(store, PAGE | {"sku": []}, "203.0.113.7")
    read = len(catalogue_calls(shop))
    with pytest.raises(Unavailable):
        widgets_for(store, PAGE | {"product": [102], "sku": []}, "203.0.113.7")

    assert read
    assert len(catalogue_calls(shop)) == read


@pytest.mark.parametrize(
    ("locale", "home", "ref"),
    [
        ("fr-FR", "ES", "FR"),
        ("en", "ES", "ES"),
        ("ca", "FR", "ES"),
        ("de", "FR", "FR"),
        ("de", "DE", ""),
    ],
)
def test_the_page_s_language_then_the_store_s_country_decide(
    web: Web, locale: str, home: str, ref: str
) -> None:
    spain = Merchant.objects.get(country="ES", selling=True)
    Merchant.objects.exclude(pk=spain.pk).delete()
    Merchant.objects.create(
        store=spain.store,
        connection=spain.connection,
        country="FR",
        ref="FR",
        assets_key="a1b2c3",
        contract_options=["services"],
        payment_methods=spain.payment_methods,
    )
    Merchant.objects.filter(pk=spain.pk).update(ref="ES")
    Store.objects.update(country=home)

    configuration = answered(web, locale=locale)["configuration"]

    assert (configuration or {"merchant": ""})["merchant"] == ref


@pytest.mark.parametrize(
    "page",
    [{"place": "home"}, {"currency": "euro"}, {"product": ["x"]}, {"channel": 0}, {"locale": "<"}],
    ids=str,
)
def test_an_odd_question_is_refused(web: Web, page: dict[str, Any]) -> None:
    assert asked(web, **page).status_code == 400


def test_an_account_that_sequra_refuses_promises_nothing(web: Web) -> None:
    Connection.objects.get().pause()

    assert answered(web) == NOTHING


@pytest.mark.usefixtures("one_window")
def test_one_visitor_does_not_use_up_the_reads_of_a_store(shop: Shop) -> None:
    Store.objects.update(excluded_categories=[24])
    store, most = Store.objects.get(), LIMITS["products of an address"]["allowed"]
    for number in range(1000, 1000 + most):
        widgets_for(store, PAGE | {"product": [number], "sku": []}, "203.0.113.7")

    with pytest.raises(RateLimited):
        widgets_for(store, PAGE | {"product": [2000], "sku": []}, "203.0.113.7")

    widgets_for(store, PAGE | {"product": [2000], "sku": []}, "203.0.113.8")
    assert len(catalogue_calls(shop)) == most + 1


def test_reads_of_the_catalogue_take_no_place_of_a_checkout(shop: Shop) -> None:
    Store.objects.update(excluded_categories=[24])
    store = Store.objects.get()

    def ask(product: int) -> WidgetsAnswer:
        return widgets_for(store, PAGE | {"product": [product], "sku": []}, "203.0.113.7")

    known = ask(101)
    with _reads.entered(store.pk):
        with pytest.raises(RateLimited):
            ask(102)
        assert ask(101) == known  # from memory
    with ExitStack() as held:
        for _ in range(READS.all):
            assert READS.take()
            held.callback(READS.give_back)
        with pytest.raises(RateLimited):
            ask(102)
    with ExitStack() as held:
        for _ in range(OUTSIDE.running):
            assert OUTSIDE.take()
            held.callback(OUTSIDE.give_back)
        assert ask(102)["methods"]


def test_products_leave_the_memory_of_everything_else_alone(shop: Shop) -> None:
    Store.objects.update(excluded_categories=[24])
    store = Store.objects.get()
    pages = [
        PAGE | {"place": "listing", "product": range(first, first + 100), "sku": []}
        for first in range(1000, 1500, 100)
    ]
    cache.set("other", 1)

    for page in pages:
        widgets_for(store, page, "203.0.113.7")
    read = len(catalogue_calls(shop))
    for page in pages:
        widgets_for(store, page, "203.0.113.7")

    assert len(catalogue_calls(shop)) == read
    assert cache.get("other") == 1


def test_a_number_too_long_in_a_name_is_nothing(web: Web) -> None:
    assert asked(web, **{f"product[{'9' * 4301}]": "1"}).status_code == 200
