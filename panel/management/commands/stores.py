"""`manage.py stores [--json]`: the stores that have, or had, the app."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand
from django.db.models import Count, Max
from django.utils.translation import override

from orders.models import Order, WebhookEvent
from panel.doctor import known
from stores.management import add_examples, log_to_standard_error
from stores.models import Connection, Store

_FIELDS = (
    "hash", "public_id", "name", "state", "environment", "secure_url", "installed_at",
    "uninstalled_at",
)  # fmt: skip


class Command(BaseCommand):
    help = (
        "List the stores: hash, state, name, last webhook, last order, refused accounts, and the"
        " checks that `doctor` would find fault with. With --json: an array of objects."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(parser, "stores --json | jq '.[] | select(.faults != [])'")
        parser.add_argument("--json", action="store_true", help="an array of objects")

    def handle(self, *_: Any, **options: Any) -> None:
        log_to_standard_error()
        with override("en"):
            rows = list(_rows())
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False, default=str))
            return
        for row in rows:
            columns = (
                *(row["hash"], row["state"], row["name"]),
                *(_day(row["last_webhook"]), _day(row["last_order"])),
                *(str(row["refused_accounts"]), ",".join(row["faults"]) or "-"),
            )
            self.stdout.write("\t".join(columns))


def _rows() -> Iterator[dict[str, Any]]:
    """One object for each store. What many rows are counted for is one query for all stores."""
    webhooks = dict(WebhookEvent.objects.values_list("store").annotate(Max("received_at")))
    orders = dict(Order.objects.values_list("store").annotate(Max("placed_at")))
    refused = Connection.objects.filter(refused_at__isnull=False, state=Connection.State.CONNECTED)
    accounts = dict(refused.values_list("store").annotate(Count("pk")))
    for store in Store.objects.order_by("pk").iterator(50):
        yield {
            **{name: getattr(store, name) for name in _FIELDS},
            "last_webhook": webhooks.get(store.pk),
            "last_order": orders.get(store.pk),
            "refused_accounts": accounts.get(store.pk, 0),
            "faults": [one.check for one in known(store) if one.state in ("warning", "error")],
        }


def _day(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else "-"
