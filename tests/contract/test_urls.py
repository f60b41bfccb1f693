"""A walk over every address: on the public list, behind a store's session, or an operator's.

An address that somebody adds fails here until it is on a list, with its methods.
"""

import uuid
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import URLPattern, URLResolver, get_resolver

from panel.session import _csrf_token, _find_session, open_session
from stores.models import PanelUser, Store
from transaction_log.models import Entry

pytestmark = pytest.mark.django_db
SESSION = "s/<str:session>/"
ADMIN = "admin/"
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE")
UUID = str(uuid.UUID(int=7))
TOKEN = "t" * 43

# Everything the world may ask for, and how; OPTIONS is answered where browsers ask first.
PUBLIC: dict[str, str] = {
    "auth": "GET",
    "load": "GET",
    "uninstall": "GET",
    "remove_user": "GET",
    "widget_preview": "GET",
    "storefront_payment_methods": "POST",
    "storefront_form": "POST",
    "storefront_widgets": "GET",
    "storefront_status": "GET",
    "storefront_errors": "POST",
    "shopper_returns": "GET",
    "shopper_returns_status": "GET",
    "sequra_notification": "POST",
    "sequra_event": "POST",
    "trigger_report": "GET",
    "alerts_confirm": "GET POST",
    "alerts_stop": "GET POST",
}
# What a session of the control panel may do, and how.
PANEL: dict[str, str] = {
    "dashboard": "GET",
    "repair": "POST",
    "sales": "GET",
    "sales_csv": "GET",
    "orders": "GET",
    "settings_history": "GET",
    "undo_setting": "POST",
    "logout": "POST",
    "connection": "GET POST",
    "disconnect": "POST",
    "countries": "GET POST",
    "settings": "GET POST",
    "exclusions": "GET",
    "change_exclusions": "POST",
    "order_statuses": "GET POST",
    "report_settings": "GET POST",
    "widgets": "GET POST",
    "widget_page": "GET",
    "alerts": "GET POST",
    "alert_webhook": "POST",
    "storefronts": "GET",
    "storefront": "GET POST",
    "decide_storefront": "POST",
    "audience": "GET POST",
    "self_test": "GET",
    "run_self_test": "POST",
    "add_recipient": "POST",
    "change_recipient": "POST",
    "new_report_address": "POST",
    "why_not": "GET",
    "payment_methods": "GET",
    "refresh_payment_methods": "POST",
    "order_panel": "GET",
    "transaction_log": "GET",
    "transaction_log_csv": "GET",
    "ignore_entry": "POST",
    "order_comparison": "GET",
    "retry_order": "POST",
    "tell_again": "POST",
    "finish_order": "POST",
    "enter_correction": "POST",
    "apply_correction": "POST",
    "keep_correction": "POST",
    "order_return": "GET",
    "refund_return": "POST",
    "shipping": "GET",
    "send_report_now": "POST",
    "report_progress": "GET",
    "report_document": "GET",
    "reconciliation": "GET",
    "check_now": "POST",
    "drift_progress": "GET",
    "drift_csv": "GET",
}


def walk(resolver: URLResolver, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Every route with its name; the operator's own site is one."""
    for pattern in resolver.url_patterns:
        route = prefix + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield route, str(pattern.name)
        elif route != ADMIN:
            yield from walk(pattern, route)


ROUTES = sorted(set(walk(get_resolver())))
NAMES = {name: route.startswith(SESSION) for route, name in ROUTES}
# An address on no list fails once, in the first test.
LISTED = [one for one in ROUTES if one[1] in PUBLIC | PANEL]
PUBLIC_ROUTES = [one for one in LISTED if not NAMES[one[1]]]
PANEL_ROUTES = [one for one in LISTED if NAMES[one[1]]]


def filled(route: str, session: str = TOKEN, number: int = 1) -> str:
    """A route with something in each of its places."""
    for place, value in {
        "<str:session>": session,
        "<str:token>": TOKEN,
        "<uuid:public_id>": UUID,
        "<uuid:solicitation_id>": UUID,
        "<uuid:reference>": UUID,
        "<uuid:key>": UUID,
        "<int:order_id>": str(number),
        "<int:entry_id>": str(number),
        "<int:correction_id>": str(number),
        "<int:check_id>": str(number),
        "<int:change_id>": str(number),
        "<int:recipient_id>": str(number),
        "<int:channel_id>": str(number),
    }.items():
        route = route.replace(place, value)
    assert "<" not in route, f"fill in {route}"
    return f"/{route}"


def answers(methods: str) -> set[str]:
    """GET brings HEAD along or does not; both are fine."""
    return set(methods.split()) | ({"HEAD"} if "GET" in methods else set())


def store_with_session(store_hash: str) -> tuple[Store, str]:
    store = Store.objects.create(
        hash=store_hash, name=store_hash, control_panel_url="https://panel.example:8443"
    )
    return store, open_session(PanelUser.objects.create(store=store, bigcommerce_id=1))


@pytest.fixture
def session() -> str:
    return store_with_session("abc123")[1]


def test_every_address_is_on_a_list() -> None:
    assert {name for name, behind_session in NAMES.items() if not behind_session} == set(PUBLIC)
    assert {name for name, behind_session in NAMES.items() if behind_session} == set(PANEL)


@pytest.mark.parametrize(("route", "name"), PUBLIC_ROUTES)
def test_public_addresses_refuse_other_methods(client: Client, route: str, name: str) -> None:
    Store.objects.create(hash="abc123", public_id=UUID)
    for method in set(METHODS) - answers(PUBLIC[name]):
        response = client.generic(method, filled(route))
        assert response.status_code in (404, 405), (method, route)


@pytest.mark.parametrize(("route", "name"), PANEL_ROUTES)
def test_panel_addresses_refuse_other_methods(session: str, route: str, name: str) -> None:
    for method in set(METHODS) - answers(PANEL[name]):
        data = {"csrf": _csrf_token(session)} if method == "POST" else {}
        client = Client(headers={"X-CSRF-Token": _csrf_token(session)})
        path = filled(route, session)
        response = client.post(path, data) if method == "POST" else client.generic(method, path)
        assert response.status_code == 405, (method, route)


@pytest.mark.parametrize(("route", "name"), PANEL_ROUTES)
def test_no_session_no_page(client: Client, route: str, name: str) -> None:
    for method in PANEL[name].split():
        response = client.generic(method, filled(route))
        assert response.status_code == 401
        assert not response.cookies
        assert "Your session has expired" in response.content.decode()


@pytest.mark.parametrize(("route", "name"), PANEL_ROUTES)
def test_a_form_without_its_token_changes_nothing(session: str, route: str, name: str) -> None:
    """A16: neither without it, nor with the one of another session."""
    if "POST" not in PANEL[name]:
        return
    for token in ("", "x", _csrf_token("another session")):
        response = Client().post(filled(route, session), {"csrf": token})
        assert response.status_code == 403


@pytest.mark.parametrize(("route", "name"), [one for one in PANEL_ROUTES if "<int" in one[0]])
def test_another_store_s_rows_are_as_unknown_as_none(route: str, name: str) -> None:
    """A19: same status, same body for what is somebody else's and what does not exist."""
    other, _ = store_with_session("other")
    theirs = Entry.objects.create(pk=770_001, **entry(other))
    _, session = store_with_session("abc123")
    before, seen = list(Entry.objects.values()), []
    for number in (theirs.pk, theirs.pk + 999):
        response = ask(session, route, name, number)
        seen.append((response.status_code, body(response).replace(str(number), "#")))
    assert seen[0] == seen[1]
    assert list(Entry.objects.values()) == before


def entry(store: Store) -> dict[str, Any]:
    """The least a row of the log needs."""
    return {"store": store, "event": "shipment", "outcome": "rejected"}


def ask(session: str, route: str, name: str, number: int) -> Any:
    path = filled(route, session, number)
    if "POST" in PANEL[name]:
        return Client().post(path, {"csrf": _csrf_token(session)})
    return Client().get(path)


def body(response: Any) -> str:
    return str(response.content.decode()) if not response.streaming else ""


@pytest.mark.parametrize(("route", "name"), LISTED)
@pytest.mark.parametrize(
    "payload", [b"{", b"\xff\xfe\x00", b"[" * 2000, b"null", b"[]", b'{"a": NaN}']
)
def test_malformed_bodies_are_refused_and_never_break(
    client: Client, session: str, route: str, name: str, payload: bytes
) -> None:
    if "POST" not in (PUBLIC | PANEL)[name]:
        return
    Store.objects.create(hash="shop", public_id=UUID)
    for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
        response = client.post(filled(route, session), payload, content_type=kind)
        assert 400 <= response.status_code < 500, (kind, response.status_code)


@pytest.mark.parametrize(("route", "name"), LISTED)
def test_a_body_that_is_too_big_is_refused(
    client: Client, session: str, route: str, name: str
) -> None:
    if "POST" not in (PUBLIC | PANEL)[name]:
        return
    Store.objects.create(hash="shop", public_id=UUID)
    for kind in ("application/json", "application/x-www-form-urlencoded"):
        response = client.post(filled(route, session), b"a=" + b"x" * 70_000, content_type=kind)
        assert 400 <= response.status_code < 500, (kind, response.status_code)


@pytest.mark.parametrize(("route", "name"), PANEL_ROUTES)
def test_panel_pages_are_framed_by_the_control_panel_only(
    session: str, route: str, name: str
) -> None:
    if "GET" not in PANEL[name]:
        return
    response = Client().get(filled(route, session))

    policy = response["Content-Security-Policy"]
    frames = "frame-ancestors https://*.mybigcommerce.com https://panel.example:8443"
    assert frames in policy.split("; ")
    assert "script-src 'self'" in policy.split("; ")
    assert "style-src 'self'" in policy.split("; ")
    assert "X-Frame-Options" not in response
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "no-referrer"
    assert response["Cache-Control"] == "no-store"
    assert not response.cookies


@pytest.mark.parametrize(("route", "name"), PUBLIC_ROUTES)
def test_public_answers_are_framed_by_nobody_else(client: Client, route: str, name: str) -> None:
    response = client.generic(PUBLIC[name].split()[0], filled(route))

    policy = response["Content-Security-Policy"]
    callbacks = ("auth", "load")
    framed = "https://*.mybigcommerce.com" if name in callbacks else "'none'"
    assert f"frame-ancestors {framed}" in policy.split("; ")
    assert ("X-Frame-Options" in response) == (name not in callbacks)
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response.get("Cache-Control", "no-store")
    assert not response.cookies


@pytest.mark.parametrize(("route", "name"), PANEL_ROUTES)
def test_pages_hold_no_inline_script_or_style(session: str, route: str, name: str) -> None:
    if "GET" not in PANEL[name] or name in ("transaction_log_csv", "sales_csv"):
        return
    page = Client().get(filled(route, session)).content.decode()

    assert "<style" not in page
    assert " style=" not in page
    assert " onclick=" not in page
    assert all(" src=" in tag.partition(">")[0] for tag in page.split("<script")[1:])


def test_a_session_is_found_in_one_query(session: str) -> None:
    with CaptureQueriesContext(connection) as queries:
        found = _find_session(session)
        assert found is not None
        assert found.user.store.hash == "abc123"
    assert len(queries) == 1


def test_the_operators_site_asks_for_a_login(client: Client) -> None:
    response = client.get("/admin/")

    assert response.status_code == 302
    assert response["Location"] == "/admin/login/?next=/admin/"
    assert client.get("/admin/stores/store/").status_code in (302, 404)


def test_an_unknown_address_is_a_plain_page(client: Client) -> None:
    response = client.get("/nothing/here")

    assert response.status_code == 404
    assert "Page not found" in response.content.decode()
    assert response["X-Frame-Options"] == "DENY"
