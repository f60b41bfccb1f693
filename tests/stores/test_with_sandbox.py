"""The app behind its own server and the pretend systems behind theirs: install, open, connect."""

from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest
import requests

from local.sandbox_control import SandboxControl
from stores import connect, registration
from stores.models import PanelSession, Store
from stores.registration import is_healthy

SEVERAL = 10


def fetch(address: str, app: str) -> requests.Response:
    """One request to the app by its loopback address, redirects not followed."""
    parts = urlsplit(address)
    path = f"{app}{parts.path}?{parts.query}"
    return requests.get(path, timeout=60, allow_redirects=False)


def address(sandbox: SandboxControl, action: str) -> str:
    return str(sandbox.control("POST", action, {})["url"])


def registered(sandbox: SandboxControl) -> dict[str, int]:
    world = sandbox.world()
    return {name: len(world[name]) for name in ("hooks", "scripts", "extensions")}


def test_the_checkouts_settings_are_read_again(sandbox: SandboxControl, live_app: str) -> None:
    assert fetch(address(sandbox, "auth_url"), live_app).status_code == 200
    store = Store.objects.get()
    told = ("terms", "checkout_type", "custom_checkout")
    [channel] = store.channels
    assert [channel[name] for name in told] == [False, "optimized_one_page", False]

    sandbox.knobs(terms_required=True)
    registration.repair_registration(store)

    store.refresh_from_db()
    assert store.channels[0]["terms"] is True


def test_installing_opening_and_connecting(sandbox: SandboxControl, live_app: str) -> None:
    assert fetch(address(sandbox, "auth_url"), live_app).status_code == 200
    store = Store.objects.get()
    assert is_healthy(store), store.registration
    assert registered(sandbox) == {"hooks": 10, "scripts": 1, "extensions": 1}

    opened = fetch(address(sandbox, "load_url"), live_app)
    assert opened.status_code == 302
    page = requests.get(f"{live_app}{opened.headers['Location']}", timeout=60)
    assert page.status_code == 200
    assert store.name in page.text

    connect._connect(store, "sandbox", {"sequra": connect.Login("demo", "demo-secret")})
    assert [one.ref for one in connect.selling(store)] == [
        "demo_es",
        "demo_fr",
        "demo_it",
        "demo_pt",
    ]
    assert connect.not_offered(store) == ["CO"]


def test_many_at_once_leave_one_of_each(sandbox: SandboxControl, live_app: str) -> None:
    installs = [address(sandbox, "auth_url") for _ in range(SEVERAL)]
    with ThreadPoolExecutor(SEVERAL) as pool:
        answers = list(pool.map(lambda url: fetch(url, live_app), installs))
    # One installation of a store at a time; the others are answered at once, and try again.
    assert {200} <= {answer.status_code for answer in answers} <= {200, 503}

    loads = [address(sandbox, "load_url") for _ in range(SEVERAL)]
    with ThreadPoolExecutor(SEVERAL) as pool:
        answers = list(pool.map(lambda url: fetch(url, live_app), loads))
    assert [answer.status_code for answer in answers] == [302] * SEVERAL

    assert registered(sandbox) == {"hooks": 10, "scripts": 1, "extensions": 1}
    assert PanelSession.objects.count() == 1
    assert is_healthy(Store.objects.get())


@pytest.mark.parametrize(
    "path", ["/v3/hooks", "/v3/content/scripts", "/graphql"], ids=["hook", "script", "panel"]
)
def test_an_answer_that_was_lost_makes_no_second_copy(
    sandbox: SandboxControl, live_app: str, path: str
) -> None:
    """The thing was made, and we heard a 503: the next look finds it."""
    method = "POST"
    skip = 1 if path == "/graphql" else 0  # the list comes first
    sandbox.fault(path, method=method, status=503, effect="before", skip=skip)

    fetch(address(sandbox, "auth_url"), live_app)
    store = Store.objects.get()

    registration.register(store)

    assert registered(sandbox) == {"hooks": 10, "scripts": 1, "extensions": 1}
    assert is_healthy(store), store.registration
