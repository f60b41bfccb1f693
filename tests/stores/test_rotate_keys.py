"""A50: a new key encrypts, the old one can go."""

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django import Settings

from sequra_bc import health
from stores.encryption import Undecryptable, readable
from stores.management.commands.rotate_keys import _encrypted_columns
from stores.models import Connection, Store

pytestmark = pytest.mark.django_db


def test_every_secret_of_every_app_is_rotated() -> None:
    names = {f"{model._meta.label}.{column}" for model, column in _encrypted_columns()}

    assert {
        "stores.Store.access_token",
        "stores.Store.webhook_secret",
        "stores.Store.report_token",
        "stores.Store.alert_secrets",
        "stores.Connection.password",
        "payments.Solicitation.token",
        "payments.Solicitation.signature",
        "payments.Solicitation.certificates",
        "payments.Solicitation.checkout_token",
    } <= names


def test_the_old_key_can_go(settings: Settings) -> None:
    stores = [
        Store.objects.create(hash=f"store{number}", access_token=f"token {number} ñ")
        for number in range(3)
    ]
    Connection.objects.create(
        store=stores[0], deployment="sequra", environment="live", username="u", password=""
    )
    old = settings.ENCRYPTION_KEYS
    new = [Fernet.generate_key().decode()]

    settings.ENCRYPTION_KEYS = [*new, *old]
    call_command("rotate_keys")
    call_command("rotate_keys")
    settings.ENCRYPTION_KEYS = new

    tokens = [store.access_token for store in Store.objects.order_by("pk")]
    assert tokens == ["token 0 ñ", "token 1 ñ", "token 2 ñ"]
    assert Connection.objects.get().password == ""
    settings.ENCRYPTION_KEYS = old
    sealed = Store.objects.get(hash="store0")
    with pytest.raises(Undecryptable):
        _ = sealed.access_token


def test_a_value_that_no_key_decrypts_keeps_no_other_from_being_rotated(
    settings: Settings,
) -> None:
    lost, kept = (Store.objects.create(hash=name, access_token=name) for name in ("lost", "kept"))
    with connection.cursor() as cursor:
        cursor.execute("UPDATE stores_store SET access_token = 'x' WHERE id = %s", [lost.pk])
    new = [Fernet.generate_key().decode()]
    settings.ENCRYPTION_KEYS = [*new, *settings.ENCRYPTION_KEYS]

    with pytest.raises(CommandError, match=rf"stores\.Store\.access_token: id {lost.pk}$"):
        call_command("rotate_keys")

    settings.ENCRYPTION_KEYS = new
    assert Store.objects.get(pk=kept.pk).access_token == "kept"


def test_after_the_loss_of_a_key_web_gets_ready_and_the_stores_are_named(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    health._fitting.clear()
    assert health.keys() == "ok"
    lost = Store.objects.create(hash="lost", access_token="token")
    settings.ENCRYPTION_KEYS = [Fernet.generate_key().decode()]
    assert health.keys() == "wrong"
    with pytest.raises(CommandError, match="no key decrypts"):
        call_command("rotate_keys")
    assert health.keys() == "wrong"

    call_command("rotate_keys", "--lost")

    assert f"stores.Store.access_token: id {lost.pk}" in capsys.readouterr().out
    assert health.keys() == "ok"
    health._fitting.clear()


def test_a_row_is_saved_whole_though_no_key_decrypts_its_secret(settings: Settings) -> None:
    Store.objects.create(hash="abc", access_token="planted")
    keys, settings.ENCRYPTION_KEYS = settings.ENCRYPTION_KEYS, [Fernet.generate_key().decode()]
    store = Store.objects.get(hash="abc")
    assert readable(store, "access_token") == ""
    store.name = "Renamed"
    store.save()
    settings.ENCRYPTION_KEYS = keys
    found = Store.objects.get(hash="abc")
    assert (found.name, found.access_token) == ("Renamed", "planted")


def test_columns_hold_no_plain_text() -> None:
    Store.objects.create(hash="abc", access_token="planted")
    with connection.cursor() as cursor:
        cursor.execute("SELECT access_token FROM stores_store")
        (stored,) = cursor.fetchone()

    assert stored.startswith("gAAAA")
