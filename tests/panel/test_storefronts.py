"""The page of storefronts: what each sets for itself, and those that were opened since."""

import re
from typing import Any

import pytest
import responses
from playwright.sync_api import expect

from panel.state import state_of
from stores import channels, registration
from stores.channels import own
from stores.models import Connection, Merchant, Store
from stores.store_settings import import_settings
from tests.panel.conftest import Open
from tests.panel.test_settings import API, Panel
from tests.panel.world import filled_store

pytestmark = pytest.mark.django_db
OUTLET = 7


@pytest.fixture
def panel() -> Panel:
    store = filled_store()
    connection = Connection.objects.get()
    Merchant.objects.create(
        store=store, connection=connection, country="PT", ref="outlet_pt", selling=False
    )
    return Panel(store)


def page(panel: Panel, path: str = "settings/storefronts/") -> str:
    return " ".join(panel.get(path).content.decode().split())


def unchanged(**fields: Any) -> dict[str, Any]:
    """What the form holds when nothing is set for the storefront."""
    names = ("status_approved", "status_needs_review", "status_cancelled")
    return {**dict.fromkeys(names, "inherit"), **fields}


def test_a_storefront_that_sets_nothing_inherits_everything(panel: Panel) -> None:
    shown = page(panel)

    assert shown.count("None: everything as in the store") == 2
    assert "As in the store: Por preparar" in page(panel, f"settings/storefronts/{OUTLET}/")
    answer = panel.post(f"settings/storefronts/{OUTLET}/", **unchanged())
    assert answer["Location"] == f"{panel.session}settings/storefronts/?done=saved"
    assert panel.store.channel_settings == {}
    assert panel.store.setting_changes.count() == 0


def test_what_is_set_for_a_storefront_is_listed_and_taken_back(panel: Panel) -> None:
    panel.post(
        f"settings/storefronts/{OUTLET}/",
        **unchanged(
            own_countries="on",
            country_PT="outlet_pt",
            country_ES="",
            status_approved="9",
            status_needs_review="",
            own_shipped_statuses="on",
            shipped_statuses=["8"],
            cancelling_statuses=["6"],
        ),
    )

    assert own(panel.store, OUTLET) == {
        "countries": {"PT": "outlet_pt"},
        "status_approved": 9,
        "status_needs_review": None,
        "shipped_statuses": [8],
    }
    keys = set(panel.store.setting_changes.values_list("key", flat=True))
    assert keys == {
        f"channels.{OUTLET}.{key}"
        for key in (
            "countries", "order_statuses.approved", "order_statuses.needs_review",
            "shipped_statuses",
        )
    }  # fmt: skip
    labels = "Selling countries, Paid, In review, Statuses that count as shipped"
    assert labels in page(panel)
    for path in ("countries/", "settings/order-statuses/"):
        assert "These storefronts have their own: Outlet." in page(panel, path)

    panel.post(f"settings/storefronts/{OUTLET}/", **unchanged())

    assert panel.store.channel_settings == {}


def test_a_status_may_not_ship_and_cancel_in_a_storefront(panel: Panel) -> None:
    fields = unchanged(own_shipped_statuses="on", shipped_statuses=["5"])

    answer = panel.post(f"settings/storefronts/{OUTLET}/", **fields)

    assert answer.status_code == 400
    assert "can&#x27;t both ship and cancel" in answer.content.decode()
    assert panel.store.channel_settings == {}


def test_own_exclusions_begin_with_the_store_s_and_are_changed_alone(panel: Panel) -> None:
    of_store = ([23], ["SKU-1"])
    panel.post(f"settings/storefronts/{OUTLET}/", **unchanged(own_exclusions="on"))
    mine = own(panel.store, OUTLET)
    assert (mine["excluded_categories"], mine["excluded_products"]) == of_store

    for key, action in (("SKU-1", "allow"), ("SKU-7", "exclude")):
        answer = panel.post(
            "settings/exclusions/change",
            kind="product", key=key, name="Bota", action=action, storefront=str(OUTLET),
        )  # fmt: skip
    assert answer["Location"].endswith(f"exclusions/?done=excluded&storefront={OUTLET}")

    assert own(panel.store, OUTLET)["excluded_products"] == ["SKU-7"]
    assert (panel.store.excluded_categories, panel.store.excluded_products) == of_store
    assert "SKU-7" in page(panel, f"settings/exclusions/?storefront={OUTLET}")
    assert "SKU-7" not in page(panel, "settings/exclusions/")
    # A name of the store's is kept although the storefront dropped the product.
    assert panel.store.catalogue_names["product SKU-1"] == "Sandalia Playa"


@responses.activate
def test_categories_below_those_of_a_storefront_are_excluded_there(panel: Panel) -> None:
    rows = [
        {"category_id": number, "name": str(number), "parent_id": parent}
        for number, parent in ((23, 0), (24, 23), (30, 0), (31, 30))
    ]
    responses.get(f"{API}/v3/catalog/trees/categories", json={"data": rows})
    panel.post(f"settings/storefronts/{OUTLET}/", **unchanged(own_exclusions="on"))
    change = {"kind": "category", "name": "x", "storefront": str(OUTLET)}

    panel.post("settings/exclusions/change", **change, key="30", action="exclude")
    panel.post("settings/exclusions/change", **change, key="23", action="allow")

    outlet, shop = (channels.ChannelSettings(panel.store, one) for one in (OUTLET, 1))
    assert outlet.excluded_categories == [30, 31]
    assert shop.excluded_categories == [23, 24]


@responses.activate
def test_categories_that_the_store_excludes_too_have_theirs_below_in_a_storefront(
    panel: Panel,
) -> None:
    rows = [
        {"category_id": number, "name": str(number), "parent_id": parent}
        for number, parent in ((23, 0), (24, 23))
    ]
    responses.get(f"{API}/v3/catalog/trees/categories", json={"data": rows})
    document = {"channels": {str(OUTLET): {"general": {"excluded_categories": [23]}}}}

    import_settings(panel.store, document)

    panel.store.refresh_from_db()
    assert channels.ChannelSettings(panel.store, OUTLET).excluded_categories == [23, 24]


def test_a_storefront_with_categories_of_its_own_begins_with_the_store_s_products(
    panel: Panel,
) -> None:
    Store.objects.update(channel_settings={str(OUTLET): {"excluded_categories": []}})
    panel.store.refresh_from_db()
    assert "SKU-1" in page(panel, f"settings/exclusions/?storefront={OUTLET}")

    panel.post(
        "settings/exclusions/change",
        kind="product", key="SKU-7", name="", action="exclude", storefront=str(OUTLET),
    )  # fmt: skip
    assert own(panel.store, OUTLET)["excluded_products"] == ["SKU-1", "SKU-7"]

    panel.post(f"settings/storefronts/{OUTLET}/", **unchanged(own_exclusions="on"))
    mine = own(panel.store, OUTLET)
    assert (mine["excluded_categories"], mine["excluded_products"]) == ([], ["SKU-1", "SKU-7"])


@pytest.mark.parametrize("has_own", [False, True])
def test_categories_below_are_taken_over_while_bigcommerce_does_not_answer(
    panel: Panel, *, has_own: bool
) -> None:
    mine: dict[str, Any] = {str(OUTLET): {"excluded_products": []}} if has_own else {}
    Store.objects.update(excluded_subcategories=[24], channel_settings=mine)
    panel.store.refresh_from_db()

    if has_own:
        change = {"kind": "category", "name": "x", "storefront": str(OUTLET)}
        panel.post("settings/exclusions/change", **change, key="30", action="exclude")
    else:
        panel.post(f"settings/storefronts/{OUTLET}/", **unchanged(own_exclusions="on"))

    excluded_ = channels.ChannelSettings(panel.store, OUTLET).excluded_categories
    assert excluded_ == ([23, 30, 24] if has_own else [23, 24])


def test_exclusions_of_a_storefront_that_inherits_are_refused(panel: Panel) -> None:
    change = {"kind": "product", "key": "SKU-7", "name": "", "action": "exclude"}

    answer = panel.post("settings/exclusions/change", **change, storefront=str(OUTLET))

    assert answer.status_code == 400
    assert panel.store.channel_settings == {}


def test_a_storefront_of_another_store_is_unknown(panel: Panel) -> None:
    assert panel.get("settings/storefronts/8/").status_code == 404
    assert panel.post("settings/storefronts/8/decide", offer="1").status_code == 404


def test_a_lost_merchant_id_is_named(panel: Panel) -> None:
    Store.objects.update(channel_settings={str(OUTLET): {"countries": {"PT": "gone_pt"}}})
    panel.store.refresh_from_db()

    assert "Not in your SeQura account any more: gone_pt" in page(panel)
    found = state_of(panel.store, list(Connection.objects.all()), [], None).findings
    assert "SeQura is hidden in countries of Outlet" in [one.title for one in found]


def test_merchant_ids_that_the_account_lost_are_kept(panel: Panel) -> None:
    countries = {"PT": "gone_pt", "IT": "gone_it"}
    Store.objects.update(channel_settings={str(OUTLET): {"countries": countries}})
    panel.store.refresh_from_db()
    path, shown = f"settings/storefronts/{OUTLET}/", page(panel, f"settings/storefronts/{OUTLET}/")
    assert all(f'<option value="{ref}" selected>' in shown for ref in countries.values())
    chosen = {f"country_{country}": ref for country, ref in countries.items()}

    panel.post(path, **unchanged(own_countries="on", status_approved="9", **chosen))
    assert own(panel.store, OUTLET) == {"countries": countries, "status_approved": 9}

    panel.post(path, **unchanged(own_countries="on", **(chosen | {"country_IT": ""})))
    assert own(panel.store, OUTLET) == {"countries": {"PT": "gone_pt"}}


def test_a_new_storefront_is_offered_to_the_merchant(
    panel: Panel, monkeypatch: pytest.MonkeyPatch
) -> None:
    registered: list[Store] = []

    def register(store: Store, wait: float, accepted: frozenset[int]) -> bool:
        registered.append(store)
        return wait == 0 and accepted == {9}

    monkeypatch.setattr(registration, "register", register)
    panel.store.channels = [
        *panel.store.channels,
        {"id": 9, "name": "B2B", "origins": [], "new": True},
    ]
    panel.store.save()
    assert "New storefront: B2B" in page(panel)
    assert "New storefront: B2B" in page(panel, "")

    answer = panel.post("settings/storefronts/9/decide")
    assert answer["Location"].endswith("?done=storefront_off")
    assert panel.store.disabled_channels == [9]

    answer = panel.post("settings/storefronts/9/decide", offer="1")
    assert answer["Location"].endswith("?done=storefront_on")
    assert panel.store.disabled_channels == []
    assert len(registered) == 2


def test_the_page_says_when_bigcommerce_did_not_answer(panel: Panel) -> None:
    assert "BigCommerce didn't respond" in page(panel)  # nothing listens at its address


@pytest.mark.parametrize("path", ["orders/", "orders/1001/", "log/", ""])
def test_an_order_is_shown_with_the_storefront_where_there_are_several(
    panel: Panel, path: str
) -> None:
    panel.store.orders.update(channel_id=OUTLET)
    channels_ = panel.store.channels
    panel.store.channels = [{"id": OUTLET, "name": "Sole shop", "origins": []}]
    panel.store.save()
    assert "Sole shop" not in page(panel, path)

    panel.store.channels = [channels_[0], {"id": OUTLET, "name": "Sole shop", "origins": []}]
    panel.store.save()

    assert "Sole shop" in page(panel, path)


def test_the_log_s_file_names_the_storefront(panel: Panel) -> None:
    panel.store.orders.update(channel_id=OUTLET)

    lines = b"".join(panel.get("log/export.csv")).decode().splitlines()

    assert lines[0].endswith("Storefront")
    assert {line.rpartition(",")[2] for line in lines[1:] if ",1001," in line} == {"Outlet"}


def test_a_store_that_sells_in_one_storefront_only_is_live(panel: Panel) -> None:
    panel.store.merchants.update(selling=False)
    own_countries = {str(OUTLET): {"countries": {"PT": "outlet_pt"}}}
    Store.objects.update(channel_settings=own_countries, allowed_ips=[])

    overview = page(panel, "")
    methods = page(panel, "payment-methods/?country=PT&merchant=outlet_pt")

    assert "SeQura is off in every country" not in overview
    assert "in 1 country" in overview
    assert '<span class="mono">outlet_pt</span>' in methods


def test_odd_statuses_of_a_storefront_are_named_on_its_page(panel: Panel) -> None:
    assert "A paid order stays Incomplete" not in page(panel, f"settings/storefronts/{OUTLET}/")
    Store.objects.update(channel_settings={str(OUTLET): {"status_approved": None}})

    assert "A paid order stays Incomplete" in page(panel, f"settings/storefronts/{OUTLET}/")
    assert "Check the order statuses of Outlet" in page(panel, "")
    assert "A paid order stays Incomplete" not in page(panel, "settings/storefronts/1/")


def test_what_is_inherited_is_shown_until_the_storefront_has_its_own(open_panel: Open) -> None:
    page = open_panel(filled_store(), f"settings/storefronts/{OUTLET}/")
    inherited = page.get_by_text("As in the store: Enviado, Completed")
    completed = page.get_by_role("group", name="Statuses that count as shipped").get_by_label(
        "Completed"
    )
    expect(inherited).to_be_visible()
    expect(completed).to_be_hidden()

    page.get_by_label("Other statuses count as shipped here").check()

    expect(inherited).to_be_hidden()
    completed.uncheck()
    page.get_by_role("button", name="Save changes").click()
    expect(page).to_have_url(re.compile(r"/settings/storefronts/(\?done=saved)?$"))
    assert own(Store.objects.get(), OUTLET) == {"shipped_statuses": [2]}
