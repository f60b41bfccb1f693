"""What the set-up list says about the merchant's checkout, and where it knows that from."""

import gzip
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine

from panel.setup_steps import Step, named_steps
from stores import registration
from stores.clients import bigcommerce_for
from stores.models import Connection, Store
from stores.registration import checkout_script
from stores.registration.parts import Problem
from tests.stores.world import World

OPTIMIZED = {"id": 1, "name": "Casa Montseny", "checkout_type": "optimized_one_page"}


def step(*channels: dict[str, Any], connections: tuple[Connection, ...] = ()) -> Step:
    store = Store(hash="abc123", channels=list(channels))
    return next(
        one for one in named_steps(store, connections, []).values() if one.title == "Checkout page"
    )


def test_bigcommerces_own_checkout_is_fine() -> None:
    found = step(OPTIMIZED)

    assert (found.icon, found.details) == ("success", ())


def test_a_store_that_was_never_read_says_nothing() -> None:
    titles = [one.title for one in named_steps(Store(hash="abc123"), [], []).values()]

    assert "Checkout page" not in titles


@pytest.mark.parametrize(
    ("told", "words"),
    [
        ({"checkout_type": "single"}, "optimized one-page checkout"),
        ({"custom_checkout": True}, "custom checkout"),
    ],
)
def test_another_checkout_is_named_with_a_remedy(told: dict[str, Any], words: str) -> None:
    found = step(OPTIMIZED, {**OPTIMIZED, "id": 2, "name": "Outlet", **told})

    assert found.icon == "warning"
    assert len(found.details) == 1
    assert found.details[0].startswith("Outlet ")
    assert words in found.details[0]


def test_terms_are_named() -> None:
    found = step(OPTIMIZED, {**OPTIMIZED, "id": 2, "terms": True})

    first, second = found.details
    assert first == "Customers must accept your terms before they pay with SeQura."
    assert second.endswith("Without the checkbox, SeQura doesn't appear.")


def test_hosts_for_a_content_security_policy_can_be_copied(settings: Any) -> None:
    settings.APP_URL = "https://app.example.com"
    connection = Connection(
        api_url="https://sandbox.sequrapi.com/", assets_url="https://sandbox.sequracdn.com/assets/"
    )

    found = step(OPTIMIZED, connections=(connection,))

    sequra = "https://sandbox.sequracdn.com https://sandbox.sequrapi.com"
    assert found.details[1:] == (
        f"script-src https://app.example.com {sequra}",
        "connect-src https://app.example.com",
        f"frame-src {sequra}",
        "img-src data:",
    )


# --- What was seen on the page, and when a checkout asked -----------------------------------------


def named(store: Store, title: str) -> Step:
    return next(one for one in named_steps(store, [], []).values() if one.title == title)


def seen(*problems: Problem) -> Store:
    page = {"ok": not problems, "at": "2026-11-28T05:30:00+00:00", "problems": list(problems)}
    return Store(hash="abc123", channels=[OPTIMIZED], registration={"page": page})


def test_an_answering_script_is_named_with_its_time() -> None:
    found = named(seen(), "Checkout script address")

    assert (found.icon, found.details) == ("success", ())
    assert "Checked 28 Nov 2026, 05:30:" in found.text


@pytest.mark.parametrize(
    ("problem", "icon", "sentence"),
    [
        (
            {"kind": "silent", "name": "https://app/x.js", "words": "HTTP 404"},
            "error",
            "https://app/x.js isn't responding: HTTP 404",
        ),
        (
            {"kind": "altered", "name": "https://app/x.js", "words": ""},
            "error",
            "The script at https://app/x.js differs from the one registered in BigCommerce.",
        ),
        (
            {"kind": "unreached", "name": "https://app/x.js", "words": "The app answered 503"},
            "warning",
            "https://app/x.js isn't responding: The app answered 503",
        ),
        (
            {"kind": "failed", "name": "", "words": "answered 503"},
            "warning",
            "BigCommerce: BigCommerce answered “answered 503”",
        ),
    ],
)
def test_a_script_that_no_browser_runs_is_an_error(
    problem: Problem, icon: str, sentence: str
) -> None:
    found = named(seen(problem), "Checkout script address")

    assert (found.icon, found.details) == (icon, (sentence,))


def test_scripts_of_others_are_named_and_are_no_fault() -> None:
    store = seen({"kind": "foreign", "name": "Chat bubble", "words": ""})

    assert named(store, "Checkout script address").icon == "success"
    found = named(store, "Checkout page")
    assert found.icon == "success"
    assert found.details[0].startswith("Another script runs on your checkout page: Chat bubble.")
    assert "Script Manager" in found.details[0]


@pytest.mark.parametrize(
    ("fields", "kind", "sentence"),
    [
        ("", "missing", "The checkout of Outlet has no SeQura script."),
        (
            "enabled",
            "changed",
            "The SeQura script of Outlet is turned off in the Script Manager.",
        ),
        (
            "location",
            "changed",
            (
                "The SeQura script of Outlet is assigned to the wrong pages or placed in the wrong"
                " location."
            ),
        ),
        (
            "consent_category",
            "changed",
            "The SeQura script of Outlet only runs after cookie consent.",
        ),
        ("description", "changed", "Changed in BigCommerce: Outlet"),
        ("src", "outdated", "Outdated: Outlet"),
    ],
)
def test_what_happened_to_our_script_is_named(fields: str, kind: str, sentence: str) -> None:
    part = {"ok": False, "problems": [{"kind": kind, "name": "Outlet", "words": fields}]}
    found = named(Store(hash="abc123", registration={"script": part}), "Checkout script")

    assert (found.icon, found.details) == ("error", (sentence,))


NOW = datetime(2026, 11, 28, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("last", "icon", "text"),
    [
        (None, "todo", "No checkout has requested SeQura yet."),
        (
            NOW - timedelta(days=2),
            "success",
            "Last request from a checkout: 26 Nov 2026, 09:00.",
        ),
        (
            NOW - timedelta(days=31),
            "warning",
            "Last request from a checkout: 28 Oct 2026, 09:00.",
        ),
    ],
)
def test_the_last_question_of_a_checkout_is_shown(
    last: datetime | None, icon: str, text: str
) -> None:
    with time_machine.travel(NOW, tick=False):
        found = named(Store(hash="abc123", checkout_asked_at=last), "Checkout requests")

    assert (found.icon, found.text) == (icon, text)
    assert ["Script Manager" in line for line in found.details] == [True] * (icon != "success")


@pytest.mark.django_db
def test_a_question_is_stored_once_a_minute_and_costs_one_statement(
    django_assert_num_queries: Any,
) -> None:
    store = Store.objects.create(hash="abc123")
    with time_machine.travel(NOW, tick=False):
        with django_assert_num_queries(1):
            store.checkout_asked()
        store.refresh_from_db()
        assert store.checkout_asked_at == NOW
    with time_machine.travel(NOW + timedelta(seconds=59), tick=False), django_assert_num_queries(0):
        store.checkout_asked()
    # Another process read the row before the first question was stored.
    late = Store(pk=store.pk, checkout_asked_at=None)
    with time_machine.travel(NOW + timedelta(seconds=59), tick=False), django_assert_num_queries(1):
        late.checkout_asked()
    store.refresh_from_db()
    assert store.checkout_asked_at == NOW
    with time_machine.travel(NOW + timedelta(seconds=61), tick=False):
        store.checkout_asked()
    store.refresh_from_db()
    assert store.checkout_asked_at == NOW + timedelta(seconds=61)


# --- Looking at the page ------------------------------------------------------------------------


@pytest.fixture
def served(settings: Any) -> Iterator[dict[str, tuple[int, dict[str, str], bytes]]]:
    """The app's public address; what each path answers."""
    answers: dict[str, tuple[int, dict[str, str], bytes]] = {}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = answers.get(urlsplit(self.path).path, (404, {}, b""))
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Silence."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        settings.APP_URL = f"http://app.localhost:{server.server_port}"
        yield answers
        server.shutdown()


SHARED = {"Access-Control-Allow-Origin": "*"}


@pytest.mark.parametrize(
    ("answer", "kinds"),
    [
        ((200, SHARED, checkout_script._body()), []),
        (
            (200, SHARED | {"Content-Encoding": "gzip"}, gzip.compress(checkout_script._body())),
            [],
        ),
        ((200, {}, checkout_script._body()), ["altered"]),  # a browser checks no hash without it
        ((200, SHARED, checkout_script._body() + b" "), ["altered"]),
        ((404, {}, b""), ["silent"]),
        ((503, {}, b""), ["unreached"]),
        ((302, {"Location": "/elsewhere"}, b""), ["unreached"]),
    ],
)
@pytest.mark.django_db
def test_the_registered_script_is_fetched_and_compared(
    installed: Store,
    world: World,
    served: dict[str, tuple[int, dict[str, str], bytes]],
    answer: tuple[int, dict[str, str], bytes],
    kinds: list[str],
) -> None:
    served[f"/static/{checkout_script.file_name()}"] = answer

    assert registration.repair_registration(installed)

    page = installed.registration["page"]
    assert [problem["kind"] for problem in page["problems"]] == kinds
    assert registration.is_healthy(installed)  # nothing that registering again would mend


@pytest.mark.django_db
def test_an_address_that_is_not_the_apps_is_not_asked(
    installed: Store, world: World, served: dict[str, tuple[int, dict[str, str], bytes]]
) -> None:
    world.scripts[0]["src"] = "http://169.254.169.254/latest/meta-data"

    assert checkout_script.look_at_page(bigcommerce_for(installed), installed) == []


@pytest.mark.django_db
def test_scripts_of_others_stay_where_they_are(installed: Store, world: World) -> None:
    other: dict[str, Any] = {
        "uuid": "1",
        "name": "Chat bubble",
        "src": "https://chat.example/x.js",
        "kind": "src",
    }
    other |= {"api_client_id": "another app", "channel_id": 1, "visibility": "all_pages"}
    world.scripts += [
        other,
        {**other, "uuid": "2", "name": "Off", "enabled": False},
        {**other, "uuid": "3", "name": "Home page", "visibility": "storefront"},
        {**other, "uuid": "4", "name": "Closed channel", "channel_id": 7},
    ]
    before = [dict(script) for script in world.scripts[1:]]

    assert registration.register(installed)

    assert world.scripts[1:] == before
    found = checkout_script.look_at_page(bigcommerce_for(installed), installed)
    names = [problem["name"] for problem in found if problem["kind"] == "foreign"]
    assert names == ["Chat bubble", "Closed channel"]
