"""Django's admin for operators: it shows, it searches, it changes nothing and tells no secret."""

import uuid

import pytest
from django.contrib.admin.sites import site
from django.contrib.auth.models import User
from django.test import Client
from playwright.sync_api import Browser, expect

from orders.models import Order
from stores.encryption import EncryptedTextField
from tests.transaction_log.conftest import MakeEntry, MakeOrder

PAGES = (
    "stores/store",
    "stores/connection",
    "stores/merchant",
    "stores/paneluser",
    "orders/order",
    "orders/webhookevent",
    "payments/solicitation",
    "transaction_log/entry",
)


@pytest.fixture
def operator(db: None) -> Client:
    client = Client()
    client.force_login(User.objects.create_superuser("ops"))
    return client


@pytest.mark.parametrize("page", PAGES)
def test_pages_show_and_change_nothing(
    operator: Client, make_order: MakeOrder, make_entry: MakeEntry, page: str
) -> None:
    make_order()
    make_entry()
    for query in ("", "?q=250", f"?q={uuid.uuid4()}", "?q=nothing%00"):
        assert operator.get(f"/admin/{page}/{query}").status_code == 200
    assert operator.get(f"/admin/{page}/add/").status_code == 403


def test_search_finds_an_order_of_any_store(operator: Client, make_entry: MakeEntry) -> None:
    make_entry(bigcommerce_id=250, event="ship")
    make_entry(bigcommerce_id=251, event="refund")
    html = operator.get("/admin/transaction_log/entry/?q=251").content.decode()
    assert "refund" in html
    assert ">ship<" not in html


def test_secrets_and_people_are_not_shown(operator: Client, make_order: MakeOrder) -> None:
    order = make_order(
        password="hidden-password", solicited={"customer": {"email": "fulana@example.com"}}
    )
    order.store.access_token = "hidden-token"
    order.store.save()
    pages = {
        f"/admin/stores/store/{order.store_id}/change/": "abc123",
        f"/admin/stores/connection/{order.connection_id}/change/": "demo",
        f"/admin/orders/order/{order.pk}/change/": str(order.reference),
    }
    for page, shown in pages.items():
        html = operator.get(page).content.decode()
        assert shown in html
        for secret in (
            "hidden-",
            "fulana",
            order.store.webhook_secret,
            order.store.report_token,
        ):
            assert secret not in html
        assert operator.post(page, {}).status_code == 403


def test_nothing_that_is_kept_encrypted_is_shown() -> None:
    kept = [
        (admin, field.name)
        for model, admin in site._registry.items()
        for field in model._meta.get_fields()
        if isinstance(field, EncryptedTextField)
    ]
    assert {"password", "access_token", "told_addresses"} <= {name for _, name in kept}
    assert [name for admin, name in kept if name not in (admin.exclude or ())] == []


def test_operator_makes_an_order_due(
    operator: Client, make_order: MakeOrder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("panel.admin.wake_worker", lambda: None)
    order = make_order()
    form = {"action": "synchronise", "_selected_action": [order.pk]}
    assert operator.post("/admin/orders/order/", form).status_code == 302
    order.refresh_from_db()
    assert order.changed == 1


def test_admin_wants_a_login(client: Client, db: None) -> None:
    for page in PAGES:
        assert client.get(f"/admin/{page}/").status_code == 302


def test_an_operator_works_in_a_browser(
    browser: Browser, live_app: str, make_order: MakeOrder
) -> None:
    """Browsers send an `Origin` with every form; Django compares it with the app's."""
    order = make_order()
    User.objects.create_superuser("ops", password="correct horse battery")
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{live_app}/admin/orders/order/")

    page.get_by_label("Username").fill("ops")
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Log in").click()
    page.get_by_label("Select this object for an action").check()
    page.get_by_label("Action:").select_option(label="Send to SeQura again")
    page.get_by_role("button", name="Go").click()
    expect(page.locator(".messagelist")).to_have_text("1 orders are due.")
    page.get_by_role("button", name="Log out").click()

    expect(page.get_by_text("Logged out")).to_be_visible()
    assert Order.objects.get(pk=order.pk).changed == 1
    context.close()
