"""`manage.py stores`: which stores there are, for scripts and for people."""

import json
from io import StringIO

import pytest
from django.core.management import call_command

from stores.models import Store

pytestmark = pytest.mark.django_db


def listed(*arguments: str) -> str:
    out = StringIO()
    call_command("stores", *arguments, stdout=out)
    return out.getvalue()


def test_every_store_is_listed_as_json() -> None:
    Store.objects.create(hash="abc", name="Tienda Ñ", access_token="secret-token")
    Store.objects.create(hash="def", state=Store.State.UNINSTALLED)
    rows = json.loads(listed("--json"))
    assert [(row["hash"], row["name"], row["state"]) for row in rows] == [
        ("abc", "Tienda Ñ", "installed"),
        ("def", "", "uninstalled"),
    ]
    assert "secret" not in listed("--json")


def test_no_store_is_an_empty_array() -> None:
    assert json.loads(listed("--json")) == []


def test_people_read_a_line_for_each_store() -> None:
    Store.objects.create(hash="abc", name="Tienda")
    assert listed() == "abc\tinstalled\tTienda\n"
