"""`manage.py forget_store STORE_HASH`: erase the secrets and the people of a store now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from stores.install import uninstall
from stores.management import STORE_HELP, add_examples, log_to_standard_error, store_of
from stores.models import Store
from stores.privacy import personal_data


class Command(BaseCommand):
    help = (
        "Erase the secrets and all personal data of a store that uninstalled the app, without"
        " waiting for ERASE_AFTER_UNINSTALL_HOURS. References, amounts, states and dates stay for"
        " accounting. Payments under way keep their data until they have ended, and the command"
        " ends non-zero meanwhile."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(parser, "forget_store abc123")
        parser.add_argument("store_hash", help=STORE_HELP)
        parser.add_argument(
            "--yes-really",
            action="store_true",
            help="also a store that has the app: it is uninstalled here first, and its merchant"
            " has to install the app again",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        log_to_standard_error()
        store = store_of(options["store_hash"])
        if store.state != Store.State.UNINSTALLED:
            if not options["yes_really"]:
                raise CommandError(
                    f"store {store.hash} has the app: uninstall it in BigCommerce, or --yes-really"
                )
            uninstall(store)
            store = store_of(store.hash)
        counts, kept = personal_data.forget(store)
        for label, count in counts.items():
            self.stdout.write(f"{label}: {count}")
        if kept:
            raise CommandError(f"{kept} payments are being ended: repeat this in a day")
        self.stdout.write(f"nothing personal of store {store.hash} is left")
