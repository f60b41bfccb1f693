"""`python manage.py reconcile STORE_HASH | --all`: check every open order of a store now."""

import time
from argparse import ArgumentParser
from typing import Any

import structlog
from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, Q

from orders.drift import checks
from orders.drift.reconcile import reconcile
from orders.models import Drift, DriftCheck
from stores.management import STORE_HELP, add_examples, log_to_standard_error
from stores.models import Store

log = structlog.get_logger(__name__)

_State, _Kind = DriftCheck.State, Drift.Kind
_PROGRESS_SECONDS = 5.0
# How long a check that a worker has in its hands may stand still.
_PATIENCE = 300.0


class Command(BaseCommand):
    help = (
        "Compare the open orders of a store with SeQura, adopt paid SeQura orders that the database"
        " does not know, repair what is safe, list the rest. Progress goes to standard error. Ends"
        " non-zero when something could not be looked at."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        add_examples(parser, "reconcile abc123", "reconcile --all")
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("store_hash", nargs="?", help=STORE_HELP)
        which.add_argument("--all", action="store_true", help="every store that has the app")

    def handle(self, *_: Any, **options: Any) -> None:
        log_to_standard_error()
        if options["all"]:
            self._every_store()
            return
        store = Store.objects.filter(hash=options["store_hash"]).first()
        if store is None or store.state == Store.State.UNINSTALLED:
            raise CommandError(f"no store {options['store_hash']} has installed the app")
        self._reconcile(store)

    def _every_store(self) -> None:
        """Check every store.

        One store's failure does not affect the others, and is listed at the end.
        """
        failed = []
        for store in Store.objects.exclude(state=Store.State.UNINSTALLED).order_by("pk"):
            self.stdout.write(f"store {store.hash}")
            try:
                self._reconcile(store)
            except CommandError as error:
                self.stderr.write(f"store {store.hash}: {error}")
                failed.append(store.hash)
            except Exception:
                # One store's odd data must not keep the others from their turn. It is in the log
                # whole, on stderr by its store, and the command ends non-zero.
                log.exception("reconcile_failed", store=store.hash)
                self.stderr.write(f"store {store.hash}: an unexpected error, see the log")
                failed.append(store.hash)
        if failed:
            raise CommandError(f"could not look at everything of: {', '.join(failed)}")

    def _reconcile(self, store: Store) -> None:
        if not store.is_installed:
            raise CommandError("BigCommerce refuses our access; the app has to be opened again")
        if not reconcile(store, adopting=False):  # the check below adopts, and lists what it did
            raise CommandError("BigCommerce does not say what changed")
        while not checks.start(store, DriftCheck.Cause.COMMAND):
            for under_way in DriftCheck.objects.filter(store=store, state=_State.RUNNING):
                self._finish(under_way)
        check = DriftCheck.objects.filter(store=store).latest("id")
        self._finish(check)
        self._report(check)

    def _finish(self, check: DriftCheck) -> None:
        """Work on the check until it is finished; if a worker does so already, wait for it."""
        stands_since, before = time.monotonic(), self._position(check)
        while check.state == _State.RUNNING:
            checks.CHECKS.continue_run(check.pk, time.monotonic() + _PROGRESS_SECONDS)
            check.refresh_from_db()
            if (now := self._position(check)) != before:
                stands_since, before = time.monotonic(), now
                self.stderr.write(
                    f"{check.store.hash}: {check.searched} orders of the shop searched,"
                    f" {check.checked} of {check.total} compared"
                )
            elif check.state == _State.RUNNING:
                if time.monotonic() - stands_since > _PATIENCE:
                    raise CommandError("a check of this store is under way elsewhere")
                time.sleep(0.2)

    @staticmethod
    def _position(check: DriftCheck) -> tuple[int, int]:
        return check.searched_to, check.checked

    def _report(self, check: DriftCheck) -> None:
        if check.state == _State.FAILED:
            raise CommandError(f"broken off after {check.checked} orders: {check.words}")
        self.stdout.write(f"{check.checked} orders checked")
        kinds = check.drifts.values("kind").annotate(
            found=Count("pk"), repaired=Count("pk", filter=Q(repaired=True))
        )
        for row in kinds.order_by("kind"):
            self.stdout.write(f"{row['kind']}: {row['found']}, repaired {row['repaired']}")
        listed = check.drifts.filter(Q(repaired=False) | Q(kind=_Kind.ADOPTED))
        for one in listed.order_by("bigcommerce_id"):
            self.stdout.write(f"  order {one.bigcommerce_id}: {one.kind} {one.detail}".rstrip())
        not_checked = check.drifts.filter(kind=_Kind.NOT_CHECKED).count()
        if not_checked:
            raise CommandError(f"{not_checked} orders could not be looked at")
