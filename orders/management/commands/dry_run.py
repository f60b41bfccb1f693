"""`manage.py dry_run STORE_HASH [ORDER]`: what SeQura would be sent now. Nothing is sent."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orders.drift.checks import open_orders
from orders.models import Order
from orders.queue.throttle import wait_for_quota
from orders.sync.preview import faults, preview
from orders.sync.sync import Kind
from stores.clients import UNREADABLE, bigcommerce_for
from stores.management import STORE_HELP, add_examples, log_to_standard_error, store_of
from stores.models import Store

_UNKNOWN = (Kind.LATER, Kind.NO_ACCESS)  # BigCommerce did not show the order


class Command(BaseCommand):
    help = (
        "Read an order, or all open orders of a store, from BigCommerce; compute and check the"
        " statement for SeQura; show what would be sent. Nothing is sent, and nothing is stored."
        " The output holds personal data. Ends non-zero when an order could not be read, or when"
        " SeQura would reject its statement."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(parser, "dry_run abc123 250", "dry_run abc123 --limit 500 | jq .outcome")
        parser.add_argument("store_hash", help=STORE_HELP)
        parser.add_argument(
            "order",
            nargs="?",
            type=int,
            metavar="ORDER",
            help="the number of one BigCommerce order; without it: all open orders",
        )
        parser.add_argument(
            "--limit", type=int, default=100, help="open orders at most (100), the newest first"
        )

    def handle(self, *_: Any, **options: Any) -> None:
        log_to_standard_error()
        store = store_of(options["store_hash"])
        failed = 0
        for document in _previews(store, _chosen(store, options["order"], options["limit"])):
            self.stdout.write(json.dumps(document, ensure_ascii=False))
            failed += bool(document["faults"])
        if failed:
            raise CommandError(f"{failed} orders could not be read, or make no valid statement")


def _chosen(store: Store, number: int | None, limit: int) -> list[Order]:
    if not store.is_installed:
        raise CommandError("the app has no access to this store: BigCommerce shows it no orders")
    orders = Order.objects.select_related("store", "connection")
    if number is None:
        return list(orders.filter(pk__in=open_orders(store)).order_by("-bigcommerce_id")[:limit])
    found = list(orders.filter(store=store, bigcommerce_id=number))
    if not found:
        raise CommandError(f"order {number} was not paid with SeQura, or its row is not known")
    return found


def _previews(store: Store, orders: list[Order]) -> Iterator[dict[str, Any]]:
    """Return one object for each order."""
    try:
        shop = bigcommerce_for(store)
    except UNREADABLE as error:
        raise CommandError(error.reason) from error
    for order in orders:
        result = preview(order, shop)
        problems = list(faults(result.update)) if result.update else []
        if result.kind in _UNKNOWN:
            problems.append(f"{result.reason} {result.message}".strip())
        yield {
            "order": order.bigcommerce_id,
            "outcome": "would_be_sent" if result.kind is Kind.SENT else result.kind.value,
            "event": result.event if result.update else "",
            "reason": result.reason,
            "faults": problems,
            "update": result.update if result.kind is Kind.SENT else None,
        }
        wait_for_quota(shop, store.pk)
