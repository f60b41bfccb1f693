"""`manage.py support_bundle STORE_HASH [--order N]`: a case for support, without people."""

import json
import os
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import override

from panel.support_bundle import bundle
from stores.management.console import STORE_HELP, add_examples, log_to_standard_error, store_of


class Command(BaseCommand):
    help = (
        "Write what a support case needs as JSON: the doctor's findings, and the rows of a store or"
        " of one of its orders. Names, addresses, telephone numbers, e-mail addresses and other"
        " personal text are replaced by pseudonyms that stay the same for this store; secrets are"
        " left out. Nothing is sent anywhere."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(
            parser,
            "support_bundle abc123 --output case.json",
            "support_bundle abc123 --order 250 | jq .tables",
        )
        parser.add_argument("store_hash", help=STORE_HELP)
        parser.add_argument(
            "--order", type=int, metavar="N", help="all rows about this BigCommerce order"
        )
        parser.add_argument(
            "--rows", type=int, default=50, help="the newest rows of each table at most (50)"
        )
        parser.add_argument(
            "--output",
            default="-",
            metavar="FILE",
            help="a new file that only its owner can read; - is standard output",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        log_to_standard_error()
        store = store_of(options["store_hash"])
        with override("en"):
            found = bundle(store, options["order"], options["rows"])
        text = json.dumps(found, indent=2, ensure_ascii=False, default=str)
        if options["output"] == "-":
            self.stdout.write(text)
        else:
            _write(Path(options["output"]), text)


def _write(path: Path, text: str) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(text + "\n")
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}") from error
