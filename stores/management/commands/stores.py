"""`manage.py stores [--json]`: the stores that have, or had, the app."""

import json
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand

from stores.models import Store

FIELDS = ("hash", "name", "state", "environment", "secure_url", "installed_at", "uninstalled_at")


class Command(BaseCommand):
    help = "List the stores: hash, name, state. With --json: an array of objects."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--json", action="store_true", help="an array of objects")

    def handle(self, *_: Any, **options: Any) -> None:
        rows = list(Store.objects.order_by("pk").values(*FIELDS))
        if options["json"]:
            self.stdout.write(json.dumps(rows, indent=2, ensure_ascii=False, default=str))
            return
        for row in rows:
            self.stdout.write(f"{row['hash']}\t{row['state']}\t{row['name']}")
