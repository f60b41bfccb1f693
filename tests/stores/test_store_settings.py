"""manage.py store_settings, driven as an operator drives it."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from stores import connect
from stores.models import Connection, Store
from tests.stores.conftest import Panel
from tests.stores.world import World

pytestmark = pytest.mark.django_db
LOGIN = {"username": "sequra", "password": "secret"}
FULL: dict[str, Any] = {
    "connection": {
        "environment": "sandbox",
        "deployments": {"sequra": LOGIN},
        "send_statistics": False,
    },
    "countries": {"ES": "demo_es_2", "FR": "demo_fr"},
    "general": {
        "allowed_ips": ["203.0.113.0/24", "2001:db8::1"],
        "excluded_categories": [23],
        "excluded_products": ["SKU-1"],
        "disabled_channels": [7],
        "offers_services": False,
        "offers_companies": False,
        "excluded_groups": [4],
        "corrects_customers": True,
        "completes_digital": False,
        "services_end": "P6M",
    },
    "order_statuses": {"approved": 11, "needs_review": None, "cancelled": 0},
    "shipped_statuses": [2, 10, 3],
    "cancelling_statuses": [5, 6, 13],
    "refunded_status_refunds": True,
    "reports": {"enabled": False, "hour": 23, "statistics_without": ["device"]},
    "alerts": {
        "without": ["setup"],
        "quiet_from": 22,
        "quiet_until": 7,
        "webhook": "https://hooks.example.com/1",
    },
    "widgets": {
        "methods": {"product": ["pp3", "pp5/summer"]},
        "selectors": {"cart_price": "#total"},
        "theme": {"size": "L"},
    },
    "log": {"retention_days": 30},
}


@pytest.fixture
def store(panel: Panel, world: World) -> Store:
    return panel.store


@pytest.fixture
def load(store: Store, tmp_path: Path) -> Any:
    def run(document: Any) -> None:
        file = tmp_path / "settings.json"
        file.write_text(document if isinstance(document, str) else json.dumps(document))
        call_command("store_settings", store.hash, "--import", str(file))

    return run


def export(store: Store) -> dict[str, Any]:
    out = io.StringIO()
    call_command("store_settings", store.hash, "--export", "-", stdout=out)
    found: dict[str, Any] = json.loads(out.getvalue())
    return found


def test_export_of_an_unconnected_store(store: Store) -> None:
    assert export(store) == {
        "connection": {"environment": "sandbox", "deployments": {}, "send_statistics": True},
        "countries": {},
        "general": {
            "allowed_ips": [],
            "excluded_categories": [],
            "excluded_products": [],
            "disabled_channels": [],
            "offers_services": True,
            "offers_companies": True,
            "excluded_groups": [],
            "corrects_customers": False,
            "completes_digital": True,
            "services_end": "",
        },
        "order_statuses": {"approved": 11, "needs_review": 12, "cancelled": 5},
        "shipped_statuses": [2, 10],
        "cancelling_statuses": [5, 6],
        "refunded_status_refunds": False,
        "reports": {
            "enabled": True,
            "hour": 4,
            "statistics_without": [],
            "trigger_url": store.report_url,
        },
        "alerts": {"without": [], "quiet_from": 21, "quiet_until": 8, "webhook": ""},
        "widgets": {"methods": {}, "selectors": {}, "theme": {}},
        "log": {"retention_days": 90},
    }


def test_what_was_imported_is_exported_without_the_password(store: Store, load: Any) -> None:
    load(FULL)

    expected = json.loads(json.dumps(FULL))
    del expected["connection"]["deployments"]["sequra"]["password"]
    expected["reports"]["trigger_url"] = store.report_url
    assert export(store) == expected
    assert Connection.objects.get().password == "secret"
    assert all(merchant.payment_methods for merchant in connect.selling(store))


def test_an_export_can_be_imported_again(store: Store, load: Any, world: World) -> None:
    load(FULL)
    before = export(store)
    world.calls.clear()

    load({**before, "reports": {**before["reports"], "trigger_url": "https://evil.example"}})

    assert export(store) == before
    assert Connection.objects.get().password == "secret"
    assert world.calls == []  # nothing new to ask SeQura


@pytest.mark.parametrize("part", [{}, {"reports": {}}, {"connection": {}}, {"general": {}}])
def test_what_is_left_out_keeps_its_value(store: Store, load: Any, part: dict[str, Any]) -> None:
    load(FULL)
    before = export(store)

    load(part)

    assert export(store) == before


def test_a_new_password_is_taken_over(store: Store, load: Any, world: World) -> None:
    load(FULL)
    world.password = "rotated"

    load({"connection": {"deployments": {"sequra": {**LOGIN, "password": "rotated"}}}})

    assert Connection.objects.get().password == "rotated"


def test_a_deployment_that_is_missing_is_disconnected(store: Store, load: Any) -> None:
    svea = {"username": "svea", "password": "secret"}
    load({"connection": {"deployments": {"sequra": LOGIN, "svea": svea}}})
    assert [merchant.country for merchant in connect.selling(store)] == ["ES", "FR", "IT"]

    load({"connection": {"deployments": {"svea": {"username": "svea"}}}})

    assert export(store)["connection"]["deployments"] == {"svea": {"username": "svea"}}
    assert export(store)["countries"] == {"IT": "svea_it"}
    load({"connection": {"deployments": {}}})
    assert export(store)["countries"] == {}


def test_another_environment_uses_the_passwords_we_have(store: Store, load: Any) -> None:
    load(FULL)
    load({"connection": {"environment": "live"}})

    assert Connection.objects.get(state="connected").environment == "live"
    assert export(store)["countries"] == FULL["countries"]


def test_the_environment_of_an_unconnected_store(store: Store, load: Any, world: World) -> None:
    load({"connection": {"environment": "live"}})

    assert export(store)["connection"]["environment"] == "live"
    assert world.calls == []


def test_what_is_left_out_of_an_account_keeps_its_value(
    store: Store, load: Any, world: World
) -> None:
    load({"connection": {"deployments": {"sequra": {"username": "sequra", "password": "secret"}}}})
    before = export(store)["connection"]

    load({"connection": {"deployments": {"sequra": {}}}, "reports": {"trigger_url": None}})
    load({"connection": {"deployments": {"sequra": {"password": "secret"}}}})

    assert export(store)["connection"] == before
    assert store.connections.get(state="connected").password == "secret"


REFUSED: list[tuple[Any, str]] = [
    ("{", "is not JSON"),
    ("[" * 100_000, "is not JSON: maximum recursion depth"),
    ("[]", "the document is not a JSON object"),
    ({"nonsense": 1}, "nonsense: is not a setting"),
    ({"general": {"ips": []}}, "general.ips: is not a setting"),
    ({"general": []}, "general: Invalid data."),
    ({"general": {"allowed_ips": ["203.0.113.0/33"]}}, "general.allowed_ips.0: '203.0.113.0/33'"),
    ({"general": {"allowed_ips": ["203.0.113.5/24"]}}, "has host bits set"),
    ({"general": {"allowed_ips": "203.0.113.0"}}, "general.allowed_ips: Expected a list"),
    ({"general": {"excluded_categories": ["23"]}}, "excluded_categories.0: is not an integer"),
    ({"general": {"excluded_categories": [True]}}, "excluded_categories.0: is not an integer"),
    ({"general": {"excluded_categories": [10**30]}}, "excluded_categories.0: Ensure this value"),
    ({"general": {"excluded_products": [5]}}, "excluded_products.0: is not a string"),
    ({"order_statuses": {"approved": 15}}, "order_statuses.approved: Ensure this value"),
    ({"order_statuses": {"approved": -1}}, "order_statuses.approved: Ensure this value"),
    ({"order_statuses": {"approved": "11"}}, "order_statuses.approved: is not an integer"),
    ({"order_statuses": {"approved": 11.0}}, "order_statuses.approved: is not an integer"),
    ({"general": {"services_end": "PT"}}, "general.services_end: is neither a date (2027-12-31)"),
    ({"shipped_statuses": [None]}, "shipped_statuses.0: This field may not be null"),
    ({"shipped_statuses": None}, "shipped_statuses: This field may not be null"),
    ({"cancelling_statuses": [15]}, "cancelling_statuses.0: Ensure this value is less than"),
    ({"cancelling_statuses": [5, 2]}, "cancelling_statuses: 2 is in shipped_statuses too"),
    ({"shipped_statuses": [6, 5]}, "cancelling_statuses: 5, 6 is in shipped_statuses too"),
    ({"reports": {"hour": 24}}, "reports.hour: Ensure this value"),
    ({"reports": {"enabled": "yes"}}, "reports.enabled: is not true or false"),
    ({"countries": {"DE": "x"}}, "SeQura does not sell in 'DE'"),
    ({"countries": {"PE": "x"}}, "PE is not offered: this app sells in euros, in ES, FR, IT, PT."),
    ({"countries": {"ES": "demo_fr"}}, "“demo_fr” isn't a merchant ID"),
    ({"connection": {"environment": "production"}}, "connection.environment"),
    ({"connection": {"deployments": {"svea": {}}}}, "a new account needs its username"),
    (
        {"connection": {"deployments": {"sequra": {"username": "other", "password": "x"}}}},
        "rejected",
    ),
    ({"connection": {"deployments": {"svea": {"username": "svea"}}}}, "needs its password"),
    ({"connection": {"deployments": {"evil": LOGIN}}}, "no platform “evil”"),
    ({"connection": {"deployments": {"sequra": {**LOGIN, "url": "x"}}}}, "url: is not a setting"),
]


@pytest.mark.parametrize(("document", "words"), REFUSED, ids=[words for _, words in REFUSED])
def test_a_refused_import_stores_nothing_and_says_why_on_one_line(
    store: Store, load: Any, document: Any, words: str
) -> None:
    load(FULL)
    before = export(store)
    if isinstance(document, dict):
        document = {"reports": {"hour": 3}, "order_statuses": {"approved": 9}} | document

    with pytest.raises(CommandError) as error:
        load(document)

    assert words in str(error.value)
    assert "\n" not in str(error.value)
    assert export(store) == before


def test_an_unknown_store_is_refused(db: None) -> None:
    with pytest.raises(CommandError, match="there is no store nobody"):
        call_command("store_settings", "nobody", "--export", "-")


def test_import_reads_standard_input(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('{"reports": {"hour": 7}}'))

    call_command("store_settings", store.hash, "--import", "-")

    assert export(store)["reports"]["hour"] == 7


def test_export_writes_a_file_or_says_why_not(store: Store, tmp_path: Path) -> None:
    call_command("store_settings", store.hash, "--export", str(tmp_path / "out.json"))
    assert json.loads((tmp_path / "out.json").read_text()) == export(store)

    with pytest.raises(CommandError, match="No such file"):
        call_command("store_settings", store.hash, "--export", str(tmp_path / "no" / "out.json"))
    with pytest.raises(CommandError, match="No such file"):
        call_command("store_settings", store.hash, "--import", str(tmp_path / "no.json"))


def test_an_uninstalled_store_still_exports(store: Store, load: Any) -> None:
    store.state = Store.State.UNINSTALLED
    store.save()

    assert export(store)["connection"]["deployments"] == {}
    with pytest.raises(CommandError, match="has not installed the app"):
        load({"connection": {"deployments": {"sequra": LOGIN}}})


def test_pasted_credentials_are_trimmed(load: Any, store: Store) -> None:
    login = {"username": "sequra ", "password": " secret\n"}
    load({"connection": {"deployments": {"sequra": login}}})

    assert Connection.objects.get(store=store).password == "secret"


@pytest.mark.parametrize(
    "text",
    [
        '{"connection": ' + "9" * 5000 + "}",
        '{"general": {"excluded_categories": [' + "9" * 25 + "]}}",
        '{"general": {"excluded_products": ["\\u0000"]}}',
        '{"general": {"excluded_products": ["\\ud800"]}}',
        '{"countries": {"\\u0000": "x"}}',
        '{"connection": {"deployments": {"\\ud800": {"username": "x"}}}}',
        '{"reports": {"hour": NaN}}',
        "[" * 5000,
    ],
)
def test_odd_values_are_refused_on_one_line(load: Any, text: str) -> None:
    with pytest.raises(CommandError) as refused:
        load(text)

    assert "\n" not in str(refused.value)
