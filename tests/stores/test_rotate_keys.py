"""A50: a new key encrypts, the old one can go."""

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection
from pytest_django import Settings

from stores.encryption import Undecryptable
from stores.management.commands.rotate_keys import encrypted_columns
from stores.models import Connection, Store

pytestmark = pytest.mark.django_db


def test_every_secret_of_every_app_is_rotated() -> None:
    names = {f"{model._meta.label}.{column}" for model, column in encrypted_columns()}

    assert {
        "stores.Store.access_token",
        "stores.Store.webhook_secret",
        "stores.Store.report_token",
        "stores.Connection.password",
        "payments.Solicitation.token",
        "payments.Solicitation.signature",
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

    tokens = Store.objects.order_by("pk").values_list("access_token", flat=True)
    assert list(tokens) == ["token 0 ñ", "token 1 ñ", "token 2 ñ"]
    assert Connection.objects.get().password == ""
    settings.ENCRYPTION_KEYS = old
    with pytest.raises(Undecryptable):
        Store.objects.get(hash="store0")


def test_columns_hold_no_plain_text() -> None:
    Store.objects.create(hash="abc", access_token="planted")
    with connection.cursor() as cursor:
        cursor.execute("SELECT access_token FROM stores_store")
        (stored,) = cursor.fetchone()

    assert stored.startswith("gAAAA")
