"""`manage.py stores`: which stores there are, for scripts and for people."""

import json
from datetime import UTC, datetime
from io import StringIO

import pytest
from django.core.management import call_command
from django.utils import timezone

from orders.models import WebhookEvent
from stores.models import Connection, Store

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
    Store.objects.create(hash="def", state=Store.State.UNINSTALLED)
    first, second = (line.split("\t") for line in listed().splitlines())
    assert first[:6] == ["abc", "installed", "Tienda", "-", "-", "0"]
    assert second == ["def", "uninstalled", "", "-", "-", "0", "-"]
    assert {"scopes", "webhooks", "account"} <= set(first[6].split(","))


def test_what_happened_last_is_of_each_store_alone() -> None:
    stores = [Store.objects.create(hash=name) for name in ("abc", "def")]
    for store, number in ((stores[0], 1), (stores[0], 2), (stores[1], 3)):
        when = datetime(2026, 11, number, 9, 0, tzinfo=UTC)
        WebhookEvent.objects.create(
            store=store, scope="x", hash=number, payload={}, received_at=when
        )
    Connection.objects.create(
        store=stores[1], deployment="sequra", environment="sandbox", refused_at=timezone.now()
    )
    first, second = json.loads(listed("--json"))
    assert (first["last_webhook"], first["refused_accounts"]) == ("2026-11-02 09:00:00+00:00", 0)
    assert (second["last_webhook"], second["refused_accounts"]) == ("2026-11-03 09:00:00+00:00", 1)
    assert [row["last_order"] for row in (first, second)] == [None, None]
    assert ["account" in row["faults"] for row in (first, second)] == [True, True]


def test_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        call_command("stores", "--help")
    assert "python manage.py stores --json | jq" in capsys.readouterr().out
