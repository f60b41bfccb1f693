"""`manage.py inbox list|replay STORE_HASH`: webhook events as stored, and counting them again."""

from argparse import ArgumentParser
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from django.utils import timezone

from orders.models import WebhookEvent
from orders.queue.claim import replay
from orders.tasks import drain
from stores.management import (
    STORE_HELP,
    add_examples,
    log_to_standard_error,
    store_of,
)
from stores.tasks import wake

_FILTERS = {
    "event": "pk",
    "first": "pk__gte",
    "last": "pk__lte",
    "order": "bigcommerce_order_id",
    "since": "received_at__gte",
    "outcome": "outcome",
}


class Command(BaseCommand):
    help = (
        "List a store's webhook events of the last 14 days, or replay them: their orders are read"
        " again, and SeQura is sent what differs. Replaying an event twice sends nothing twice."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(
            parser,
            "inbox list abc123 --order 250",
            "inbox replay abc123 --event 1047",
            "inbox replay abc123 --first 1000 --last 1999",
            "inbox replay abc123 --since 2026-11-28T09:00",
        )
        actions = parser.add_subparsers(dest="action", required=True, metavar="list|replay")
        for name, text in (
            ("list", "write a line for each event, with tabs between"),
            ("replay", "make the chosen events new again"),
        ):
            self._add_choice(actions.add_parser(name, help=text, description=text))

    @staticmethod
    def _add_choice(action: ArgumentParser) -> None:
        action.add_argument("store_hash", help=STORE_HELP)
        action.add_argument("--event", type=int, metavar="ID", help="this event alone")
        action.add_argument("--first", type=int, metavar="ID", help="from this event on")
        action.add_argument("--last", type=int, metavar="ID", help="up to this event")
        action.add_argument("--order", type=int, metavar="N", help="about this BigCommerce order")
        action.add_argument(
            "--since", type=_moment, metavar="TIME", help="received since, in ISO 8601 (UTC)"
        )
        action.add_argument(
            "--outcome",
            choices=WebhookEvent.Outcome.values,
            help="how the event ended the last time",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        log_to_standard_error()
        chosen = {name: options[name] for name in _FILTERS if options[name] is not None}
        store = store_of(options["store_hash"])
        events = WebhookEvent.objects.filter(
            store=store, **{_FILTERS[name]: value for name, value in chosen.items()}
        )
        if options["action"] == "list":
            self._list(events)
            return
        if not chosen:
            raise CommandError("choose events: --event, --first, --last, --order, --since")
        count = replay(list(events.order_by("pk").values_list("pk", flat=True)))
        wake(drain)
        self.stdout.write(f"{count} events are new again")

    def _list(self, events: QuerySet[WebhookEvent]) -> None:
        for event in events.order_by("pk").iterator(500):
            columns = (
                str(event.pk),
                f"{event.received_at:%Y-%m-%d %H:%M:%S}",
                event.scope,
                str(event.bigcommerce_order_id or "-"),
                event.outcome,
                str(event.deliveries),
            )
            self.stdout.write("\t".join(columns))


def _moment(text: str) -> datetime:
    """Read a time; without an offset it is UTC."""
    moment = datetime.fromisoformat(text)
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
