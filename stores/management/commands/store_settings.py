"""`manage.py store_settings STORE_HASH --import FILE|- [--support NAME]` or `--export FILE|-`."""

import json
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from stores.management import (
    STORE_HELP,
    add_examples,
    log_to_standard_error,
    store_of,
)
from stores.models import SettingChange, Store
from stores.store_settings import COMMAND, Author, Refused, export_settings, import_settings


class Command(BaseCommand):
    help = "Write the settings of a store to a file, or read them from one."

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(
            parser,
            "store_settings abc123 --export settings.json",
            "store_settings abc123 --import -",
        )
        parser.add_argument("store_hash", help=STORE_HELP)
        action = parser.add_mutually_exclusive_group(required=True)
        action.add_argument("--import", dest="source", metavar="FILE", help="- is standard input")
        action.add_argument("--export", dest="target", metavar="FILE", help="- is standard output")

        parser.add_argument(
            "--support",
            default="",
            metavar="NAME",
            help="who of SeQura's support imports it, for the store's change history",
        )

    def handle(self, *_: Any, **options: Any) -> None:
        log_to_standard_error()
        store = store_of(options["store_hash"])
        if options["target"]:
            self._export(store, options["target"])
        else:
            by = options["support"]
            author = Author(SettingChange.Source.SUPPORT, by) if by else COMMAND
            self._import(store, options["source"], author)

    def _export(self, store: Store, target: str) -> None:
        text = json.dumps(export_settings(store), indent=2, ensure_ascii=False) + "\n"
        if target == "-":
            self.stdout.write(text, ending="")
            return
        try:
            Path(target).write_text(text)
        except OSError as error:
            raise CommandError(f"{target}: {error.strerror}") from error

    def _import(self, store: Store, source: str, author: Author) -> None:
        try:
            text = sys.stdin.read() if source == "-" else Path(source).read_text()
            import_settings(store, json.loads(text), author)
        except OSError as error:
            raise CommandError(f"{source}: {error.strerror}") from error
        except (ValueError, RecursionError) as error:
            raise CommandError(f"{source}: is not JSON: {error}") from error
        except Refused as refusal:
            raise CommandError(" ".join(str(refusal).split())) from refusal
