"""`manage.py doctor [--store STORE_HASH] [--json]`: what is wrong, and what to do about it."""

import json
from argparse import ArgumentParser
from dataclasses import asdict
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import override

from panel.doctor import Finding, examine, installation, known, lines, worst
from stores.management import add_examples, log_to_standard_error
from stores.models import Store

_EXIT = {"ok": 0, "warning": 1, "error": 2}


class Command(BaseCommand):
    help = (
        "Check the installation and every store, and name a remedy for each fault. Of the stores it"
        " says what was seen last; with --store it asks BigCommerce and SeQura about that one now."
        " Nothing is repaired. Ends with 0 when all is well, 1 with warnings, 2 with errors."
    )
    requires_system_checks = []  # they are a part of the findings

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(
            parser,
            "doctor",
            "doctor --store abc123",
            "doctor --json | jq '.findings[] | select(.state == \"error\")'",
        )
        parser.add_argument("--store", metavar="STORE_HASH", help="look at this store, and now")
        parser.add_argument("--json", action="store_true", help="an object for scripts")

    def handle(self, *_: Any, **options: Any) -> None:
        log_to_standard_error()
        with override("en"):
            findings = [*installation()]
            is_usable = {one.check: one.state for one in findings}["keys"] != "unknown"
            findings += _of_stores(options["store"]) if is_usable else []
        state = worst(findings)
        if options["json"]:
            self._write_json(state, findings)
        else:
            self._write_lines(state, findings)
        if _EXIT[state]:
            raise SystemExit(_EXIT[state])

    def _write_json(self, state: str, findings: list[Finding]) -> None:
        rows = [asdict(one) for one in findings]
        document = {"state": state, "version": settings.VERSION, "findings": rows}
        self.stdout.write(json.dumps(document, indent=2, ensure_ascii=False))

    def _write_lines(self, state: str, findings: list[Finding]) -> None:
        of_store = ""
        for one in findings:
            if one.store != of_store:
                of_store = one.store
                self.stdout.write(f"\nstore {of_store}")
            self.stdout.write("\n".join(lines([one])))
        self.stdout.write(f"\n{state}")


def _of_stores(store_hash: str | None) -> list[Finding]:
    if store_hash is None:
        stores = Store.objects.exclude(state=Store.State.UNINSTALLED).order_by("pk")
        return [finding for store in stores.iterator(50) for finding in known(store)]
    store = Store.objects.filter(hash=store_hash).first()
    if store is None:
        raise CommandError(f"there is no store {store_hash}", returncode=2)
    return examine(store)
