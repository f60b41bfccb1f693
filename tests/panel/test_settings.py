"""What a merchant can set, what is refused, and what comes of it in the checkout."""

import html
from typing import Any

import pytest
import responses
from django.test import Client

from panel.session import _csrf_token
from payloads.checkout.eligibility import Rules
from payments.solicit import merchants_in_use, rules_of
from stores import catalogue, statuses
from stores.channels import selling_in
from stores.install import missing_scopes
from stores.models import Connection, Store
from stores.store_settings import export_settings
from tests.panel.world import filled_store, session_of

pytestmark = pytest.mark.django_db
API = "http://127.0.0.1:9/stores/abc123"


class Panel:
    """A merchant on the pages of his store."""

    def __init__(self, store: Store, locale: str = "en-US") -> None:
        self.store, self.session = store, session_of(store, locale)

    def get(self, path: str) -> Any:
        return Client().get(self.session + path)

    def post(self, path: str, **fields: Any) -> Any:
        token = _csrf_token(self.session.split("/")[2])
        answer = Client().post(self.session + path, {"csrf": token, **fields})
        self.store.refresh_from_db()
        return answer


@pytest.fixture
def panel() -> Panel:
    return Panel(filled_store())


def rules(store: Store) -> Rules:
    return rules_of(store, 1, selling_in(store, 1, merchants_in_use(store)))


def test_addresses_and_storefronts_are_saved(panel: Panel) -> None:
    answer = panel.post(
        "settings/", allowed_ips="203.0.113.7, 2001:db8::/32\n203.0.113.7", channels=["1"]
    )

    assert answer["Location"] == f"{panel.session}settings/?done=saved"
    assert panel.store.allowed_ips == ["203.0.113.7", "2001:db8::/32"]
    assert panel.store.disabled_channels == [7]
    assert panel.store.offers_services is False
    found = rules(panel.store)
    assert (found.disabled_channels, found.offers_services) == ([7], False)


def test_changing_customers_needs_a_permission_only_where_it_is_switched_on(panel: Panel) -> None:
    refused = "BigCommerce doesn&#x27;t allow the app to change customers yet."
    assert refused not in panel.get("settings/").content.decode()

    panel.post("settings/", allowed_ips="", channels=["1", "7"], corrects_customers="on")

    assert panel.store.corrects_customers is True
    assert missing_scopes(panel.store) == ["Customers: modify"]
    assert refused in html.unescape(panel.get("settings/").content.decode()).replace("'", "&#x27;")
    assert "Customers: modify" in panel.get("self-test/").content.decode()

    Store.objects.update(scopes=f"{panel.store.scopes} store_v2_customers")
    assert refused not in panel.get("settings/").content.decode().replace("'", "&#x27;")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("300.1.1.1", "“300.1.1.1” isn&#x27;t a valid IP address or range."),
        ("203.0.113.9/24", "Did you mean 203.0.113.0/24?"),
        ("<script>", "“&lt;script&gt;” isn&#x27;t a valid IP address"),
        ("203.0.113.0/33", "a valid IP address or range"),
    ],
)
def test_addresses_that_are_none_are_refused(panel: Panel, text: str, words: str) -> None:
    answer = panel.post("settings/", allowed_ips=f"198.51.100.1\n{text}", channels=["1", "7"])

    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert panel.store.allowed_ips == ["203.0.113.0/24"]


def test_services_are_a_setting_only_where_the_contract_has_them(panel: Panel) -> None:
    assert "Offer SeQura for carts" in panel.get("settings/").content.decode()
    panel.store.merchants.update(contract_options=[])

    assert "Offer SeQura for carts" not in panel.get("settings/").content.decode()
    panel.post("settings/", allowed_ips="", channels=["1", "7"])
    assert panel.store.offers_services is True


@pytest.mark.parametrize("end", ["next year", "P", "2027-02-30", "1Y"])
def test_an_end_of_services_that_is_none_is_refused(panel: Panel, end: str) -> None:
    answer = panel.post("settings/", allowed_ips="", channels=["1", "7"], services_end=end)

    assert answer.status_code == 400
    assert "Enter a date such as 2027-12-31 or a duration such as P1Y." in answer.content.decode()
    assert panel.store.services_end == ""


@responses.activate
def test_products_and_categories_are_found_by_name(panel: Panel) -> None:
    trees = f"{API}/v3/catalog/trees/categories"
    responses.get(trees, json={"data": [{"category_id": 23, "name": "Ofertas", "parent_id": 0}]})
    products = [
        {"id": 5, "name": "Ofertón <b>", "sku": "OFF-5", "categories": [23]},
        {"id": 6, "name": "Sin SKU", "sku": "", "categories": []},
    ]
    responses.get(f"{API}/v3/catalog/products", json={"data": products})

    page = panel.get("settings/exclusions/?q=ofert").content.decode()

    assert "2 matches for “ofert”" in page
    assert "Ofertón &lt;b&gt;" in page
    assert "Sin SKU" not in page
    assert page.count("Excluded</span>") == 1  # the category is excluded already


@responses.activate
def test_an_excluded_category_excludes_what_is_below_it(panel: Panel) -> None:
    rows = [
        {"category_id": 23, "name": "Ofertas", "parent_id": 0},
        {"category_id": 24, "name": "Rebajas", "parent_id": 23},
        {"category_id": 25, "name": "Últimas", "parent_id": 24},
        {"category_id": 30, "name": "Botas", "parent_id": 0},
    ]
    responses.get(f"{API}/v3/catalog/trees/categories", json={"data": rows})
    fields = {"kind": "category", "key": "30", "name": "Botas", "action": "exclude", "q": "bot"}

    answer = panel.post("settings/exclusions/change", **fields)

    assert answer["Location"] == f"{panel.session}settings/exclusions/?done=excluded&q=bot"
    assert panel.store.excluded_categories == [23, 30]
    assert panel.store.excluded_subcategories == [24, 25]
    assert rules(panel.store).excluded_categories == [23, 30, 24, 25]
    assert export_settings(panel.store)["general"]["excluded_categories"] == [23, 30]
    panel.post("settings/exclusions/change", **{**fields, "key": "23", "action": "allow"})
    assert panel.store.excluded_categories == [30]
    assert panel.store.excluded_subcategories == []


def test_what_was_known_stays_while_bigcommerce_is_away(panel: Panel) -> None:
    panel.store.excluded_subcategories = [24]
    panel.store.save()

    page = panel.get("settings/exclusions/?q=bot").content.decode()
    catalogue.refresh(panel.store)

    assert "BigCommerce didn&#x27;t respond. Search again in a moment." in page
    panel.store.refresh_from_db()
    assert panel.store.excluded_subcategories == [24]


def test_categories_in_a_circle_end_somewhere() -> None:
    rows = [{"category_id": 1, "parent_id": 2}, {"category_id": 2, "parent_id": 1}]
    assert catalogue._below([1], rows) == [2]


def test_a_product_is_excluded_by_its_sku(panel: Panel) -> None:
    fields = {"kind": "product", "key": "OFF-5", "name": "Ofertón", "action": "exclude"}
    panel.post("settings/exclusions/change", **fields)
    panel.post("settings/exclusions/change", **fields)

    assert panel.store.excluded_products == ["SKU-1", "OFF-5"]
    assert "Ofertón" in panel.get("settings/exclusions/").content.decode()
    panel.post("settings/exclusions/change", **{**fields, "action": "allow"})
    assert panel.store.excluded_products == ["SKU-1"]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": "category", "key": "x"},
        {"kind": "category", "key": "0"},
        {"kind": "category", "key": "9" * 30},
        {"kind": "brand", "key": "1"},
        {"kind": "product", "key": ""},
        {"kind": "product", "key": "a", "action": "burn"},
        {"kind": "product", "key": "\0"},
    ],
)
def test_strange_exclusions_are_refused(panel: Panel, fields: dict[str, str]) -> None:
    answer = panel.post("settings/exclusions/change", **{"action": "exclude", **fields})

    assert answer.status_code == 400
    assert panel.store.excluded_categories == [23]
    assert panel.store.excluded_products == ["SKU-1"]


def test_statuses_are_chosen_by_the_merchant_s_own_labels(panel: Panel) -> None:
    page = panel.get("settings/order-statuses/").content.decode()
    assert '<option value="11" selected>Por preparar</option>' in page

    answer = panel.post(
        "settings/order-statuses/",
        status_approved="9",
        status_needs_review="",
        status_cancelled="5",
        shipped=["2"],
        cancelling=["5", "13"],
        refunded_status_refunds="on",
    )

    assert answer["Location"] == f"{panel.session}settings/order-statuses/?done=saved"
    store = panel.store
    assert (store.status_approved, store.status_needs_review, store.status_cancelled) == (
        9,
        None,
        5,
    )
    assert (store.shipped_statuses, store.refunded_status_refunds) == ([2], True)
    assert store.cancelling_statuses == [5, 13]
    order = store.orders.select_related("store").first()
    assert order is not None
    assert order.facts().rules.refunded_status_refunds is True
    assert order.facts().rules.cancelling_statuses == {5, 13}


def test_a_status_cannot_both_ship_and_cancel(panel: Panel) -> None:
    answer = panel.post("settings/order-statuses/", shipped=["2", "10"], cancelling=["5", "10"])
    assert answer.status_code == 400
    assert "Remove “Completed” from one of the two lists" in answer.content.decode()
    store = panel.store
    assert (store.shipped_statuses, store.cancelling_statuses) == ([2, 10], [5, 6])


@pytest.mark.parametrize("fields", [{"status_approved": "99"}, {"shipped": ["x"]}])
def test_statuses_that_do_not_exist_are_refused(panel: Panel, fields: dict[str, Any]) -> None:
    assert panel.post("settings/order-statuses/", **fields).status_code == 400
    assert panel.store.status_approved == 11


@responses.activate
def test_the_labels_are_asked_for_once(panel: Panel) -> None:
    panel.store.status_labels = {}
    panel.store.save()
    rows = [{"id": 11, "name": "Awaiting Fulfillment", "custom_label": "Zu packen"}]
    responses.get(f"{API}/v2/order_statuses", json=rows)

    for _ in range(2):
        assert "Zu packen" in panel.get("settings/order-statuses/").content.decode()
    assert len(responses.calls) == 1


def test_without_an_answer_the_names_are_bigcommerce_s(panel: Panel) -> None:
    panel.store.status_labels = {}
    panel.store.save()

    page = panel.get("settings/order-statuses/").content.decode()

    assert "Statuses are shown with BigCommerce's default names" in page
    assert "Awaiting Fulfillment" in page


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"status_approved": None}, ["A paid order stays Incomplete"]),
        ({"status_approved": 0}, ["A paid order stays Incomplete"]),
        ({"status_approved": 5}, ["A paid order changes to “Cancelled”"]),
        ({"status_needs_review": None}, ["An order in review stays Incomplete"]),
        ({"status_cancelled": None}, ["When SeQura cancels a payment"]),
        ({}, []),
    ],
)
def test_statuses_that_make_no_sense_are_warned_of(
    panel: Panel, fields: dict[str, Any], words: list[str]
) -> None:
    for name, value in fields.items():
        setattr(panel.store, name, value)
    found = statuses.mapping_warnings(panel.store)
    assert len(found) == len(words)
    assert all(one.startswith(start) for one, start in zip(found, words, strict=True))


@pytest.mark.parametrize(
    ("shipped", "words"),
    [
        ([2, 10], []),
        ([], ["No status counts"]),
        ([3], ["With “Partially Shipped”, the whole order"]),
        ([11], ["Every order counts as shipped as soon as", "Orders reach “Por preparar”"]),
        ([2, 7], ["Orders reach “Awaiting Payment”"]),
    ],
)
def test_shipped_statuses_that_make_no_sense_are_warned_of(
    panel: Panel, shipped: list[int], words: list[str]
) -> None:
    panel.store.shipped_statuses = shipped
    found = statuses.shipped_warnings(panel.store)
    assert len(found) == len(words)
    assert all(one.startswith(start) for one, start in zip(found, words, strict=True))


@pytest.mark.parametrize(
    ("cancelling", "starts"),
    [
        ([5, 6], []),
        ([], ["SeQura keeps asking customers to pay for orders that change to “Cancelled”"]),
        ([5, 11], ["Orders that you still deliver reach “Por preparar”"]),
    ],
)
def test_cancelling_statuses_that_make_no_sense_are_warned_of(
    panel: Panel, cancelling: list[int], starts: list[str]
) -> None:
    panel.store.cancelling_statuses = cancelling
    found = statuses.cancelling_warnings(panel.store)
    assert len(found) == len(starts)
    assert all(one.startswith(start) for one, start in zip(found, starts, strict=True))


def test_reports_are_set(panel: Panel) -> None:
    answer = panel.post("settings/reports/", hour="7", parts=["amount", "country"])

    assert answer["Location"] == f"{panel.session}settings/reports/?done=saved"
    store = panel.store
    assert (store.reports_enabled, store.reports_hour, store.send_statistics) == (False, 7, False)
    assert store.statistics_without == ["payment_method", "status", "device"]
    assert panel.post("settings/reports/", hour="24").status_code == 400


def test_the_trigger_address_is_shown_and_made_anew(panel: Panel) -> None:
    before = panel.store.report_url
    assert before in panel.get("settings/reports/").content.decode()

    panel.post("settings/reports/address")

    assert panel.store.report_url != before
    page = panel.get("settings/reports/").content.decode()
    assert panel.store.report_url in page
    assert before not in page


def test_a_disconnected_store_keeps_its_orders_in_step(panel: Panel) -> None:
    panel.post("connection/disconnect", orders="keep")

    connection = Connection.objects.get()
    assert (connection.state, connection.stopped_at) == ("archived", None)


def test_a_merchant_may_stop_everything(panel: Panel) -> None:
    answer = panel.post("connection/disconnect", orders="stop")

    assert answer["Location"].endswith("?done=stopped")
    connection = Connection.objects.get()
    assert connection.state == "archived"
    assert connection.stopped_at is not None
    assert merchants_in_use(panel.store) == []


@responses.activate
def test_companies_and_groups_are_saved(panel: Panel) -> None:
    groups = [{"id": 4, "name": "Empresas"}, {"id": 5, "name": "Amigos"}]
    responses.get(f"{API}/v2/customer_groups", json=groups)
    assert "Empresas" in panel.get("settings/audience/").content.decode()

    answer = panel.post("settings/audience/", groups=["4"])

    assert answer["Location"] == f"{panel.session}settings/audience/?done=saved"
    assert (panel.store.offers_companies, panel.store.excluded_groups) == (False, [4])
    found = rules(panel.store)
    assert (found.offers_companies, found.excluded_groups) == (False, [4])


@responses.activate
def test_groups_that_cannot_be_read_are_kept_and_the_page_says_so(panel: Panel) -> None:
    responses.get(f"{API}/v2/customer_groups", json=[{"message": "No scope"}], status=403)
    panel.store.excluded_groups = [4]
    assert "Customers: read-only" not in panel.get("settings/audience/").content.decode()
    panel.store.scopes = panel.store.scopes.replace("store_v2_customers_read_only", "")
    panel.store.save()

    page = panel.get("settings/audience/").content.decode()
    answer = panel.post("settings/audience/", companies="on", groups=["4"])

    assert "We couldn't read your customer groups from BigCommerce" in page
    assert "No scope" in page
    assert "permission “Customers: read-only”" in page
    assert answer["Location"].endswith("?done=saved")
    assert (panel.store.offers_companies, panel.store.excluded_groups) == (True, [4])


def test_a_cart_is_tested_in_a_storefront_and_for_a_company(panel: Panel) -> None:
    panel.store.channel_settings = {"7": {"countries": {"PT": "calzados_pt"}}}
    panel.store.offers_companies = False
    panel.store.save()

    def answer(**more: str) -> str:
        asked = {"country": "ES", "amount": "100", "currency": "EUR", **more}
        query = "&".join(f"{name}={value}" for name, value in asked.items())
        return str(panel.get(f"why/?{query}").content.decode())

    assert "SeQura would appear" in answer(storefront="1")
    assert "SeQura is off for this shipping country." in answer(storefront="7")
    assert "SeQura would appear" in answer(storefront="7", country="PT")
    assert "SeQura is off for companies" in answer(storefront="1", company="on")
