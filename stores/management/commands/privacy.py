"""`manage.py privacy export|erase|map`: what the database holds about a person, and its end."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from stores.management import STORE_HELP, add_examples, log_to_standard_error, store_of
from stores.privacy import people
from stores.privacy.data_map import data_map


class Command(BaseCommand):
    help = (
        "Export or erase what the database holds about one person, named by e-mail address or by"
        " order number; or write the data map: each column with personal data or a secret, its"
        " purpose, place and expiry. Writes JSON with the number of rows of each table as a proof."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(
            parser,
            "privacy export abc123 --email ana@example.com",
            "privacy erase abc123 --order 250",
            "privacy map",
        )
        actions = parser.add_subparsers(dest="action", required=True, metavar="export|erase|map")
        for name, text in (
            ("export", "write all rows of the person"),
            ("erase", "erase them; ends non-zero while work under way needs some"),
        ):
            action = actions.add_parser(name, help=text, description=text)
            action.add_argument("store_hash", help=STORE_HELP)
            person = action.add_mutually_exclusive_group(required=True)
            person.add_argument("--email", help="the e-mail address of a shopper or a user")
            person.add_argument("--order", type=int, metavar="N", help="a BigCommerce order")
        actions.add_parser("map", help="write the data map")

    def handle(self, *_: Any, **options: Any) -> None:
        log_to_standard_error()
        if options["action"] == "map":
            self._write([row._asdict() for row in data_map()])
            return
        store = store_of(options["store_hash"])
        email = (options["email"] or "").strip()
        if options["order"] is None and "@" not in email:
            raise CommandError("this is no e-mail address")
        person = people.Person(store=store, email=email, order=options["order"])
        if options["action"] == "export":
            self._write(people.export(person))
            return
        proof = people.erase(person)
        self._write(proof)
        if proof["left"]:
            raise CommandError("work under way needs the rest: repeat this later")

    def _write(self, document: Any) -> None:
        self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False, default=str))
