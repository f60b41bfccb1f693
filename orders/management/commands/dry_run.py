"""`manage.py dry_run STORE_HASH [ORDER]`: what SeQura would be sent now. Nothing is sent."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator, Mapping
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from bigcommerce.client import BigCommerce
from orders.drift.checks import open_orders
from orders.models import Order
from orders.queue.claim import Lease
from orders.queue.throttle import wait_for_quota
from orders.sync.sync import Kind, Result, sync_order
from payloads.order.comparison import CARTS
from sequra.client import Sequra
from stores.clients import UNREADABLE, bigcommerce_for
from stores.management import STORE_HELP, add_examples, log_to_standard_error, store_of
from stores.models import Store

# What SeQura does not know: it would be sent, or was rejected and waits for the merchant.
_SHOWN = (Kind.SENT, Kind.ALREADY_REJECTED)
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
        result = _preview(order, shop)
        problems = list(faults(result.update)) if result.update else []
        if result.kind in _UNKNOWN:
            problems.append(f"{result.reason} {result.message}".strip())
        yield {
            "order": order.bigcommerce_id,
            "outcome": "would_be_sent" if result.kind is Kind.SENT else result.kind.value,
            "event": result.event if result.update else "",
            "reason": result.reason,
            "faults": problems,
            "update": result.update if result.kind in _SHOWN else None,
        }
        wait_for_quota(shop, store.pk)


class _KeepsStatements(Sequra):
    """An account at SeQura that accepts every order update without a call."""

    def __init__(self) -> None:
        """Hold no address and no password, so that no other method can reach SeQura."""

    def update_order(
        self, merchant: str, order_ref_1: str, update: Mapping[str, Any], **_: Any
    ) -> None:
        """Accept it. The result of `sync_order` carries it."""


def _preview(order: Order, shop: BigCommerce) -> Result:
    """Return how a synchronisation would end: `Kind.SENT` with what SeQura would be sent.

    BigCommerce is read; the row, SeQura and the staff notes are left alone.
    """
    return sync_order(order, shop, _KeepsStatements(), Lease())


def faults(update: Mapping[str, Any]) -> Iterator[str]:
    """Yield what SeQura would reject in any order update, whatever it knows of the order."""
    if not all(update.get("merchant_reference", {}).values()):
        yield "merchant_reference is incomplete"
    for name in CARTS:
        cart = update.get(name)
        if cart is None:
            yield f"{name} is missing"
            continue
        total = sum(line["total_with_tax"] for line in cart["items"])
        if total != cart["order_total_with_tax"]:
            yield f"{name}: the lines add up to {total}, order_total_with_tax is not that"
