"""An account that SeQura refuses stays refused until SeQura says yes, and everybody can see it."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from local.sandbox_control import SandboxControl
from orders.models import Order
from orders.sync import retry as retrying
from orders.sync.retry import retry
from orders.sync.worker import drain
from panel.session import open_session
from stores import connect
from stores.models import Connection, PanelUser
from stores.models import Merchant as Account
from stores.store_settings import export_settings, import_settings
from tests.orders.merchant import Merchant, is_paused
from transaction_log.models import Entry

ACCOUNT = r"^/merchants/"


def refuse(sandbox: SandboxControl) -> None:
    sandbox.fault(ACCOUNT, status=401, times=999)


def pause_is_over() -> None:
    Connection.objects.update(paused_until=timezone.now() - timedelta(seconds=1))


def questions(merchant: Merchant) -> int:
    """How often SeQura was asked for the account."""
    paths = [call["path"] for call in merchant.sandbox.calls("sequra")]
    return sum(path == "/merchants/credentials" for path in paths)


@pytest.fixture
def refused(merchant: Merchant) -> Order:
    """An order whose shipment SeQura did not take, because it refuses the account."""
    order = merchant.order()
    refuse(merchant.sandbox)
    merchant.does("ship", order)
    assert Connection.objects.get().is_refused
    return order


def test_it_stays_refused_until_sequra_says_yes(merchant: Merchant, refused: Order) -> None:
    since = Connection.objects.get().refused_at
    for _ in range(2):
        before = questions(merchant)
        connect.probe_accounts()  # not before the pause is over
        assert questions(merchant) == before
        pause_is_over()
        assert Connection.objects.get().is_refused
        connect.probe_accounts()
        connect.probe_accounts()
        assert questions(merchant) == before + 1
        assert Connection.objects.get().refused_at == since
    merchant.sandbox.clear_faults()
    pause_is_over()
    connect.probe_accounts()
    drain()
    account = Connection.objects.get()
    assert (account.refused_at, account.paused_until) == (None, None)
    assert merchant.at_sequra(refused)["unshipped_cart"]["items"] == []
    assert not Entry.objects.filter(closed_at=None).exists()


def test_an_order_that_asks_first_ends_it_too(merchant: Merchant, refused: Order) -> None:
    merchant.sandbox.clear_faults()
    pause_is_over()
    drain()
    assert not Connection.objects.get().is_refused
    assert merchant.at_sequra(refused)["unshipped_cart"]["items"] == []


def test_no_answer_is_no_yes(merchant: Merchant, refused: Order) -> None:
    merchant.sandbox.clear_faults()
    merchant.sandbox.fault(ACCOUNT, status=503, times=999)
    pause_is_over()
    connect.probe_accounts()
    account = Connection.objects.get()
    assert account.is_refused
    assert is_paused(account)


def test_a_retry_asks_and_does_not_call_it_well(
    merchant: Merchant, refused: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retrying, "wake_worker", drain)
    assert retry(refused, patience=1) == "delayed"
    assert Connection.objects.get().is_refused


def test_accounts_that_are_well_are_asked_once_a_day(merchant: Merchant) -> None:
    before = questions(merchant)
    connect.probe_accounts()
    assert questions(merchant) == before
    Connection.objects.update(probed_at=timezone.now() - timedelta(days=1, minutes=1))
    refuse(merchant.sandbox)
    connect.probe_accounts()
    connect.probe_accounts()
    assert questions(merchant) == before + 1
    assert Connection.objects.get().is_refused


def test_a_key_that_was_missing_comes_with_the_daily_question(merchant: Merchant) -> None:
    keys = dict(Account.objects.values_list("pk", "assets_key"))
    assert all(keys.values())
    Account.objects.update(assets_key="")
    Connection.objects.update(probed_at=timezone.now() - timedelta(days=1, minutes=1))
    connect.probe_accounts()
    assert dict(Account.objects.values_list("pk", "assets_key")) == keys


def test_a_refusal_of_the_password_before_is_not_one_of_the_new_one(merchant: Merchant) -> None:
    stale = Connection.objects.get()
    Connection.objects.update(connected_at=timezone.now() + timedelta(seconds=1))
    stale.pause()
    account = Connection.objects.get()
    assert (account.refused_at, account.paused_until) == (None, None)


@pytest.mark.usefixtures("refused")
def test_importing_the_unchanged_password_ends_the_pause(merchant: Merchant) -> None:
    document = json.loads(json.dumps(export_settings(merchant.store)))
    account = Connection.objects.get()
    merchant.sandbox.clear_faults()
    merchant.store.refresh_from_db()

    import_settings(merchant.store, {"connection": document["connection"]})
    assert Connection.objects.get().is_refused  # without a password nobody is asked

    deployments = document["connection"]["deployments"]
    deployments[account.deployment]["password"] = account.password
    import_settings(merchant.store, {"connection": document["connection"]})
    account.refresh_from_db()
    assert (account.refused_at, account.paused_until) == (None, None)


@pytest.mark.usefixtures("refused")
def test_every_page_says_so(merchant: Merchant) -> None:
    user = PanelUser.objects.create(
        store=merchant.store, bigcommerce_id=1, email="ana@shop.example"
    )
    token = open_session(user)
    pages = ["", "log/", "shipping/", "payment-methods/", "why/", "settings/"]

    def texts() -> list[str]:
        return [Client().get(f"/s/{token}/{page}").content.decode() for page in pages]

    assert ["SeQura rejects your account" in text for text in texts()] == [True] * len(pages)
    Connection.objects.update(refused_at=None, paused_until=None)
    assert ["SeQura rejects your account" in text for text in texts()] == [False] * len(pages)
