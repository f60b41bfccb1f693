"""Connecting SeQura: everything or nothing, and nothing but SeQura's own addresses."""

import pytest
from django.core.cache import cache

from payments.solicit import merchants_in_use
from stores import connect
from stores.clients import _FRESH, deployments
from stores.connect import Login, Refused
from stores.models import Connection, Merchant, Store
from tests.stores.conftest import Panel
from tests.stores.world import World

pytestmark = pytest.mark.django_db
SEQURA, SVEA = Login("sequra", "secret"), Login("svea", "secret")


@pytest.fixture
def store(panel: Panel, world: World) -> Store:
    return panel.store


def selling(store: Store) -> dict[str, str]:
    return {merchant.country: merchant.ref for merchant in connect.selling(store)}


def test_connecting_fills_in_countries_and_merchants(store: Store, world: World) -> None:
    connect._connect(store, "sandbox", {"sequra": SEQURA, "svea": SVEA})

    assert selling(store) == {"ES": "demo_es", "FR": "demo_fr", "IT": "svea_it"}
    addresses = Connection.objects.values_list("deployment", "api_url", "assets_url")
    assert sorted(addresses) == [
        ("sequra", f"{world.url}/sequra", f"{world.url}/assets"),
        ("svea", f"{world.url}/svea", f"{world.url}/assets"),
    ]


def test_wrong_credentials_store_nothing_and_say_what_to_do(store: Store) -> None:
    with pytest.raises(Refused) as refused:
        connect._connect(store, "live", {"sequra": SEQURA, "svea": Login("svea", "wrong")})

    assert refused.value.problems == {
        "svea": "SVEA rejected this username and password. Check both in the email from SeQura, and"
        " check that they belong to this environment."
    }
    assert not Connection.objects.exists()
    store.refresh_from_db()
    assert store.environment == "sandbox"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((403, ""), "Ask SeQura to enable it"),
        ((503, ""), "respond"),
        ((200, "<html>"), "respond"),
        ((200, []), "no merchant ID"),
        ((200, [{"ref": "x", "country": "DE"}]), "no merchant ID"),
        ((302, ""), "respond"),
    ],
)
def test_every_other_answer_is_explained(
    store: Store, world: World, answer: tuple[int, object], words: str
) -> None:
    world.refuse["GET /sequra/merchants/credentials"] = answer

    with pytest.raises(Refused, match=words):
        connect._connect(store, "sandbox", {"sequra": SEQURA})

    assert not Connection.objects.exists()


def account_with(world: World, *countries: str) -> None:
    rows = [{"ref": f"demo_{country.lower()}", "country": country} for country in countries]
    world.refuse["GET /sequra/merchants/credentials"] = (200, rows)


def test_an_account_with_other_currencies_alone_sells_nowhere(store: Store, world: World) -> None:
    account_with(world, "CO", "PE")

    with pytest.raises(Refused, match="no merchant ID in a supported country"):
        connect._connect(store, "sandbox", {"sequra": SEQURA})

    assert not Merchant.objects.exists()


def test_a_country_with_another_currency_is_named_and_not_offered(
    panel: Panel, world: World
) -> None:
    account_with(world, "ES", "PE", "CO")
    connect._connect(panel.store, "sandbox", {"sequra": SEQURA})
    # As an earlier version may have left it.
    Merchant.objects.update(selling=True)

    assert selling(panel.store) == {"ES": "demo_es"}
    assert [one.country for one in merchants_in_use(panel.store)] == ["ES"]
    assert list(connect.available(panel.store)) == ["ES"]
    assert {path for verb, path in world.calls if "payment_methods" in path} == set()
    connect.refresh(panel.store)
    paths = {path for verb, path in world.calls if "payment_methods" in path}
    assert paths == {"/sequra/merchants/demo_es/payment_methods"}
    page = panel.get("countries/").content.decode()
    assert "it doesn't offer SeQura there: Colombia, Peru." in page
    assert '<select name="ES"' in page
    assert '<select name="CO"' not in page
    with pytest.raises(Refused, match="isn't a merchant ID"):
        connect.choose(panel.store, {"CO": "demo_co"})


def test_a_deployment_outside_the_document_is_refused(store: Store) -> None:
    with pytest.raises(Refused, match="no platform “evil”"):
        connect._connect(store, "sandbox", {"evil": SEQURA})


def test_a_country_that_was_switched_off_stays_off(store: Store) -> None:
    connect._connect(store, "sandbox", {"sequra": SEQURA})
    connect.choose(store, {"ES": "demo_es_2"})

    connect._connect(store, "sandbox", {"sequra": SEQURA, "svea": SVEA})

    assert selling(store) == {"ES": "demo_es_2", "IT": "svea_it"}


def test_another_environment_archives_the_old_connection(store: Store) -> None:
    connect._connect(store, "sandbox", {"sequra": SEQURA})
    old = Connection.objects.get()

    connect._connect(store, "live", {"sequra": SEQURA})

    old.refresh_from_db()
    assert (old.state, old.password) == (Connection.State.ARCHIVED, "secret")
    new = Connection.objects.get(state="connected")
    assert {merchant.connection_id for merchant in connect.selling(store)} == {new.pk}
    store.refresh_from_db()
    assert store.environment == "live"


def test_coming_back_revives_the_connection_of_open_orders(store: Store) -> None:
    connect._connect(store, "sandbox", {"sequra": SEQURA})
    first = Connection.objects.get()
    connect.disconnect(store)
    assert selling(store) == {}

    connect._connect(store, "sandbox", {"sequra": SEQURA})

    revived = Connection.objects.get()
    assert (revived.pk, revived.state) == (first.pk, Connection.State.CONNECTED)
    assert selling(store) == {"ES": "demo_es", "FR": "demo_fr"}


def test_a_merchant_id_that_is_not_the_account_s_is_refused(store: Store) -> None:
    connect._connect(store, "sandbox", {"sequra": SEQURA})

    with pytest.raises(Refused, match="“demo_fr” isn't a merchant ID"):
        connect.choose(store, {"ES": "demo_fr"})

    assert selling(store) == {"ES": "demo_es", "FR": "demo_fr"}


def test_payment_methods_survive_an_outage(store: Store, world: World) -> None:
    connect._connect(store, "sandbox", {"sequra": SEQURA})
    assert connect.refresh(store) == []
    world.refuse["GET /sequra/merchants/demo_fr/payment_methods"] = 503, ""

    assert connect.refresh(store) == ["demo_fr"]

    products = [one["product"] for one in Merchant.objects.get(ref="demo_fr").payment_methods]
    assert products == ["i1", "pp3"]


def test_the_document_is_remembered_through_an_outage(world: World) -> None:

    before = deployments()
    cache.delete(_FRESH)
    world.refuse["GET /deployments"] = 500, ""

    assert deployments() == before


@pytest.mark.parametrize("before", ["", " ", "\n", "\ufeff"])
@pytest.mark.parametrize("after", ["", " ", "\r\n", "\t", "\u00a0", "\u200b"])
def test_credentials_are_pasted_with_what_stands_around_them(
    store: Store, before: str, after: str
) -> None:
    pasted = Login(f"{before}sequra{after}", f"{before}secret{after}")

    connect._connect(store, "sandbox", {"sequra": pasted})

    stored = Connection.objects.get()
    assert (stored.username, stored.password) == ("sequra", "secret")


def test_a_space_within_a_password_is_part_of_it() -> None:
    assert Login("sequra", " se cret ").password == "se cret"
