"""The pages of the control panel: A13, A14, A16, A20, A21, and what a merchant does on them."""

import re

import pytest
from django.test import Client
from django.utils import timezone

from panel.views import dashboard
from stores import connect
from stores.connect import Login
from stores.models import Connection, PanelSession, Store
from tests.stores.conftest import Panel, panel_for
from tests.stores.world import World

pytestmark = pytest.mark.django_db
PAGES = ("", "connection/", "countries/", "payment-methods/", "orders/1/")
FORM = {
    "environment": "sandbox",
    "sequra-username": "sequra",
    "sequra-password": "secret",
    "svea-username": "",
    "svea-password": "",
    "send_statistics": "on",
}


@pytest.fixture
def connected(panel: Panel, world: World) -> Panel:
    connect._connect(panel.store, "sandbox", {"sequra": Login("sequra", "secret")})
    return panel


def test_a_merchant_connects_and_chooses_countries(panel: Panel, world: World) -> None:
    assert "Connect SeQura" in panel.get().content.decode()
    assert "<b>Tienda</b>" in panel.get("connection/").content.decode()

    answer = panel.post("connection/", FORM)
    assert answer["Location"] == f"/s/{panel.token}/countries/?done=connected"
    page = Client().get(answer["Location"]).content.decode()
    assert "SeQura accepted your credentials." in page
    assert '<option value="demo_es" selected>' in page

    answer = panel.post("countries/", {"ES": "demo_es_2", "FR": ""})
    assert answer["Location"] == f"/s/{panel.token}/countries/?done=saved"
    assert [one.ref for one in connect.selling(panel.store)] == ["demo_es_2"]

    page = panel.get("payment-methods/").content.decode()
    assert "Paga Después" in page
    assert "pp3 · Campaign" in page
    assert "summer" not in page
    assert "€50.00" in page
    assert "€3,000.00" in page


def test_wrong_credentials_are_explained_and_change_nothing(panel: Panel, world: World) -> None:
    answer = panel.post("connection/", {**FORM, "sequra-password": "mistyped-secret"})

    page = answer.content.decode()
    assert answer.status_code == 400
    assert "SeQura rejected this username and password." in page
    assert 'value="sequra"' in page
    assert "mistyped-secret" not in page
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"sequra-username": "", "sequra-password": ""}, "at least one account"),
        ({"sequra-password": ""}, "This field is required."),
        ({"sequra-username": ""}, "This field is required."),
        ({"environment": "production"}, "Select a valid choice"),
        ({"sequra-username": "x" * 300}, "at most 255 characters"),
        ({"sequra-username": "x\0"}, "rejected this username"),  # the NUL is left out
    ],
)
def test_a_form_that_is_not_filled_in_well_comes_back(
    panel: Panel, world: World, fields: dict[str, str], words: str
) -> None:
    answer = panel.post("connection/", FORM | fields)

    assert answer.status_code == 400
    assert words in answer.content.decode()
    assert not Connection.objects.exists()


def test_the_password_stays_when_it_is_left_empty(connected: Panel) -> None:
    answer = connected.post("connection/", {**FORM, "sequra-password": ""})

    assert answer["Location"].endswith("/connection/?done=connected")
    assert Connection.objects.get().password == "secret"


def test_entering_the_unchanged_password_ends_the_pause(connected: Panel) -> None:
    Connection.objects.get().pause()

    answer = connected.post("connection/", FORM)

    assert answer["Location"].endswith("/connection/?done=connected")
    account = Connection.objects.get()
    assert (account.refused_at, account.paused_until) == (None, None)


def test_another_environment_asks_for_the_password_again(connected: Panel) -> None:
    answer = connected.post("connection/", {**FORM, "environment": "live", "sequra-password": ""})

    assert answer.status_code == 400
    assert Connection.objects.get().environment == "sandbox"


@pytest.mark.parametrize(
    "fields",
    [
        {"environment": "live", "sequra-password": "secret"},
        {
            "sequra-username": "",
            "sequra-password": "",
            "svea-username": "svea",
            "svea-password": "secret",
        },
    ],
)
def test_another_account_has_to_be_meant(connected: Panel, fields: dict[str, str]) -> None:
    answer = connected.post("connection/", FORM | fields)

    assert answer.status_code == 400
    assert "Confirm that you want to replace" in answer.content.decode()
    assert Connection.objects.get().state == Connection.State.CONNECTED

    answer = connected.post("connection/", {**FORM, **fields, "replace": "on"})
    assert answer["Location"].endswith("/connection/?done=connected")
    assert Connection.objects.filter(state=Connection.State.ARCHIVED).count() == 1


def test_a_stopped_account_that_comes_back_goes_on(connected: Panel) -> None:
    connected.post("connection/disconnect", {"orders": "stop"})
    assert Connection.objects.get().stopped_at

    connected.post("connection/", FORM)
    again = Connection.objects.get()
    assert (again.state, again.stopped_at) == (Connection.State.CONNECTED, None)


def test_the_way_to_the_first_sale_is_shown(panel: Panel, world: World) -> None:
    assert 'aria-current="step"' in panel.get().content.decode()
    panel.post("connection/", FORM)
    page = panel.get("countries/?done=connected").content.decode()
    assert "Save and finish" in page
    answer = panel.post("countries/", {"ES": "demo_es", "FR": "demo_fr", "guided": "1"})
    assert answer["Location"] == f"/s/{panel.token}/?done=ready_to_test"
    page = panel.get("?done=ready_to_test").content.decode()
    assert "All set" in page
    assert 'aria-current="step"' not in page


def test_disconnecting_hides_sequra_and_keeps_the_account_for_open_orders(connected: Panel) -> None:
    connected.post("connection/disconnect")

    assert connect.selling(connected.store) == []
    assert Connection.objects.get().state == Connection.State.ARCHIVED


def test_the_page_says_so_when_sequra_is_away(panel: Panel, world: World) -> None:
    world.refuse["GET /deployments"] = 503, ""

    answer = panel.get("connection/")

    assert answer.status_code == 503
    assert "SeQura didn't respond" in answer.content.decode()


def test_no_page_gives_a_secret_back(connected: Panel) -> None:
    """A20."""
    store, connection = connected.store, Connection.objects.get()
    connection.password = "planted-password"
    connection.save()
    secrets = ["planted-password", store.access_token, store.webhook_secret, store.report_token]
    store.access_token = secrets[1] = "planted-token"
    store.save()

    for path in PAGES:
        page = connected.get(path).content.decode()
        assert [secret for secret in secrets if secret in page] == []


def test_fields_that_a_form_does_not_have_are_ignored(connected: Panel) -> None:
    """A21."""
    other = Store.objects.create(hash="other", access_token="token")
    extra = {"environment": "live", "store": other.pk, "store_id": other.pk, "is_owner": "on"}

    connected.post("countries/", {"ES": "demo_es", "selling": "on", **extra})

    connected.store.refresh_from_db()
    connected.user.refresh_from_db()
    assert (connected.store.environment, connected.user.is_owner) == ("sandbox", False)
    assert not other.merchants.exists()


def test_payment_methods_that_could_not_be_fetched_are_said(connected: Panel, world: World) -> None:
    connect.refresh(connected.store)
    world.refuse["GET .*/payment_methods"] = 503, ""

    answer = connected.post("payment-methods/refresh")

    page = Client().get(answer["Location"]).content.decode()
    assert "respond for some countries." in page
    assert "Paga Después" in page


@pytest.mark.parametrize("country", ["ES", "FR"])
def test_only_the_account_s_merchant_ids_can_be_chosen(connected: Panel, country: str) -> None:
    before = [one.ref for one in connect.selling(connected.store)]

    assert connected.post("countries/", {country: "somebody_else"}).status_code == 400
    assert [one.ref for one in connect.selling(connected.store)] == before


def test_a_session_shows_its_own_store_only(connected: Panel, world: World) -> None:
    """A13, A19: the session says which store; nothing else is asked."""
    other = Store.objects.create(hash="other", name="Otra tienda", access_token="token")
    stranger = panel_for(other)

    for path in PAGES:
        page = stranger.get(path).content.decode()
        assert "Tienda" not in page.replace("Otra tienda", "")
        assert "demo_es" not in page


def test_logging_out_ends_the_session(panel: Panel) -> None:
    """A14."""
    assert "You are logged out" in panel.post("logout").content.decode()
    assert panel.get().status_code == 401
    assert not PanelSession.objects.exists()


def test_repair_puts_everything_in_place(installed: Store, world: World) -> None:
    panel = panel_for(installed)
    world.scripts.clear()

    answer = panel.post("repair")

    assert answer["Location"] == f"/s/{panel.token}/?done=repaired"
    assert len(world.scripts) == 1
    world.refuse["GET .*/hooks"] = 422, {"title": "<b>no</b> hooks today"}
    answer = panel.post("repair")
    assert answer["Location"] == f"/s/{panel.token}/?done=not_repaired"
    page = panel.get().content.decode()
    assert "&lt;b&gt;no&lt;/b&gt; hooks today" in page


@pytest.mark.parametrize(
    ("locale", "language", "word"),
    [
        ("en-US", "en", "Overview"),
        ("es-MX", "es", "Resumen"),
        ("ca", "es", "Resumen"),
        ("gl-ES", "es", "Resumen"),
        ("eu", "es", "Resumen"),
        ("fr-FR", "fr", "Vue d’ensemble"),
        ("it", "it", "Panoramica"),
        ("pt_BR", "pt", "Visão geral"),
        ("de-DE", "en", "Overview"),
        ("../../etc", "en", "Overview"),
    ],
)
def test_pages_speak_the_user_s_language(
    panel: Panel, locale: str, language: str, word: str
) -> None:
    panel.user.locale = locale
    panel.user.save()

    answer = panel.get("", headers={"Accept-Language": "ja"})

    page = answer.content.decode()
    assert f'<html lang="{language}">' in page
    assert f"<h1>{word}</h1>" in page
    assert answer["Content-Language"] == language


@pytest.mark.parametrize(
    ("locale", "amount", "date"),
    [("en-US", "€3,000.00", "22 Feb 2026"), ("es-ES", "3000,00\u00a0€", "22 feb 2026")],
)
def test_amounts_and_dates_are_written_as_the_reader_writes_them(
    connected: Panel, locale: str, amount: str, date: str
) -> None:
    connect.refresh(connected.store)
    connected.user.locale = locale
    connected.user.save()

    page = connected.get("payment-methods/?country=ES").content.decode()

    assert amount in page
    assert date in page


def test_dates_that_mean_always_and_amounts_of_no_cart_are_left_out(connected: Panel) -> None:
    connect.refresh(connected.store)
    title, always = "Divide en 3 partes de 0,00 €", "2222-02-22T21:22:00Z"
    for merchant in connect.selling(connected.store):
        known = {"product": "sp1", "title": title, "starts_at": None, "ends_at": always}
        merchant.payment_methods = [merchant.payment_methods[0] | known]
        merchant.save()

    page = connected.get("payment-methods/?country=ES").content.decode()

    assert "<td>Divide en 3 partes<small>sp1</small></td>" in page
    assert "2222" not in page
    assert "0,00" not in page


def test_a_form_that_names_no_account_marks_where_to_begin(panel: Panel, world: World) -> None:
    nothing = {**FORM, "sequra-username": "", "sequra-password": ""}
    page = panel.post("connection/", nothing).content.decode()

    field = page.partition('name="sequra-username"')[2].partition(">")[0]
    assert 'aria-invalid="true"' in field
    assert "We couldn&#x27;t connect to SeQura" not in page


@pytest.mark.parametrize(
    ("environment", "words"),
    [("sandbox", "pay for a test order in your store"), ("live", "customers can pay with SeQura")],
)
def test_the_end_of_the_guide_names_who_can_pay(
    connected: Panel, environment: str, words: str
) -> None:
    connected.store.environment = environment
    connected.store.save()
    answer = connected.post("countries/", {"ES": "demo_es", "FR": "", "guided": "1"})

    assert f"All set: {words}." in Client().get(answer["Location"]).content.decode()


def test_hostile_names_are_text(panel: Panel) -> None:
    """A17: what BigCommerce sends is shown, never run."""
    panel.store.name = "<script>alert(1)</script>"
    panel.store.save()

    assert "<script>alert(1)" not in panel.get().content.decode()


def test_going_live_shows_what_was_not_tested_and_has_a_button_of_its_own(
    connected: Panel,
) -> None:
    page = connected.get("connection/?environment=live").content.decode()

    assert ">Go live</button>" in page
    assert "6 sandbox tests haven't passed yet. You can go live without them." in page
    assert "Ship a test order in BigCommerce." in page
    assert re.search(r'value="live"[^>]*checked', page)
    assert "Leave blank to keep the current password." not in page
    assert 'value="sequra"' not in page  # the live account is another one

    connected.store.go_live = dict.fromkeys(dashboard._CHECKS, timezone.now().isoformat())
    connected.store.save()
    page = connected.get("connection/?environment=live").content.decode()
    assert "All sandbox tests passed." in page


def test_a_refused_way_to_live_says_what_is_missing_beside_the_field(connected: Panel) -> None:
    answer = connected.post("connection/", {**FORM, "environment": "live", "sequra-password": ""})
    page = answer.content.decode()

    field = page.partition('id="sequra-password"')[2]
    assert "This field is required." in field
    assert ">Go live</button>" in page
    assert "Leave blank to keep the current password." not in page


def test_there_is_no_way_to_live_without_an_account_or_from_live(panel: Panel) -> None:
    page = panel.get("connection/?environment=live").content.decode()
    assert ">Go live</button>" not in page
