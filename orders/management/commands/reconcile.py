"""`python manage.py reconcile STORE_HASH`: look at every open order of a store now."""

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import Count, Q

from orders import drift_run
from orders.models import DriftCheck
from orders.reconcile import reconcile
from stores.models import Store


class Command(BaseCommand):
    help = "Compare a store's open orders with SeQura, repair what is safe, list the rest."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("store_hash")

    def handle(self, *_: Any, **options: Any) -> None:
        store = Store.objects.filter(hash=options["store_hash"]).first()
        if store is None or not store.is_installed:
            raise CommandError(f"no store {options['store_hash']} has installed the app")
        if not reconcile(store):
            raise CommandError("BigCommerce does not say what changed")
        drift_run.start(store, DriftCheck.Cause.COMMAND)
        check = DriftCheck.objects.filter(store=store).latest("id")
        while check.state == DriftCheck.State.RUNNING:
            before = check.checked
            drift_run.work(check.pk)
            check.refresh_from_db()
            if check.state == DriftCheck.State.RUNNING and check.checked == before:
                raise CommandError("a check of this store is under way elsewhere")
        self._report(check)

    def _report(self, check: DriftCheck) -> None:
        if check.state == DriftCheck.State.FAILED:
            raise CommandError(f"broken off after {check.checked} orders: {check.words}")
        self.stdout.write(f"{check.checked} orders checked")
        kinds = check.drifts.values("kind").annotate(
            found=Count("pk"), repaired=Count("pk", filter=Q(repaired=True))
        )
        for row in kinds.order_by("kind"):
            self.stdout.write(f"{row['kind']}: {row['found']}, repaired {row['repaired']}")
        for one in check.drifts.filter(repaired=False).order_by("bigcommerce_id"):
            self.stdout.write(f"  order {one.bigcommerce_id}: {one.kind} {one.detail}".rstrip())
