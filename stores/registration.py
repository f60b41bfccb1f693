"""Everything we put into a BigCommerce store: webhooks, the checkout script, the order panel.

Each part is listed first; what differs from what we want becomes a list of changes. Registering
makes them, checking only names them. One lock per store keeps parallel installations, repairs
and tasks from making a second copy; no transaction is open meanwhile.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime

import structlog
from django.utils import timezone

from bigcommerce.api import TIMEOUT
from stores import checkout_script, information, order_panel, webhooks
from stores.changes import Health, Part, Plan, health, only_look, put_right
from stores.clients import bigcommerce_for
from stores.locks import Busy, only_one
from stores.models import Store
from wire.call import Timeout

log = structlog.get_logger(__name__)

PLANS: dict[str, Plan] = {
    "webhooks": webhooks.plan,
    "script": checkout_script.plan,
    "panel": order_panel.plan,
}
PARTS = ("information", *PLANS)
# A merchant waits for this; when it is over, the task goes on where we stopped.
SECONDS = 20.0
# While somebody waits for a page: seconds to connect, and to answer.
BRIEF: Timeout = (2, 4)


def register(store: Store, seconds: float = SECONDS) -> bool:
    """Put everything in place and record how it went; True when all is well.

    Parallel callers share one run that began after they asked. Whoever cannot wait any longer
    gets the health as it is.
    """
    asked_at = timezone.now()
    try:
        with only_one(_lock(store), wait=seconds):
            store.refresh_from_db()
            if store.is_installed and not _done_since(store, asked_at):
                _register(store, time.monotonic() + seconds)
    except Busy:
        store.refresh_from_db()
    return is_healthy(store)


def check(store: Store, repair: frozenset[str] = frozenset()) -> bool:
    """Look at what is missing, touching only the parts in `repair`; True when all is well.

    Skipped while somebody registers: his result is newer than ours would be.
    """
    until = time.monotonic() + SECONDS
    try:
        with only_one(_lock(store)):
            looking = {
                name: put_right(plan, until) if name in repair else only_look(plan)
                for name, plan in PLANS.items()
            }
            _record(store, _run(store, looking, BRIEF))
    except Busy:
        store.refresh_from_db()
    return is_healthy(store)


def is_healthy(store: Store) -> bool:
    """Was everything in place when we last looked?"""
    return all(store.registration.get(part, {}).get("ok", False) for part in PARTS)


def has_failed(store: Store) -> bool:
    """Is something missing because BigCommerce refused or did not answer, or was never asked?"""
    parts = [store.registration.get(part) for part in PARTS]
    return any(
        part is None or any(problem["kind"] == "failed" for problem in part["problems"])
        for part in parts
    )


def looked_at(store: Store) -> datetime:
    """When we last looked at the part we looked at longest ago."""
    return min(datetime.fromisoformat(store.registration[part]["at"]) for part in PLANS)


def _lock(store: Store) -> str:
    return f"registration of {store.hash}"


def _done_since(store: Store, asked_at: datetime) -> bool:
    started = store.registration_started_at
    return started is not None and started > asked_at and is_healthy(store)


def _register(store: Store, until: float) -> None:
    Store.objects.filter(pk=store.pk).update(registration_started_at=timezone.now())
    # Scripts are registered per channel, so the channels come first.
    found = _run(store, {"information": information.refresh})
    store.save(update_fields=information.FIELDS)
    found |= _run(store, {name: put_right(plan, until) for name, plan in PLANS.items()})
    _record(store, found)


def _run(store: Store, parts: dict[str, Part], timeout: Timeout = TIMEOUT) -> dict[str, Health]:
    """Every part in its own thread, with its own connection and none to the database."""
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        started = {
            name: pool.submit(health, part, bigcommerce_for(store, timeout), store)
            for name, part in parts.items()
        }
        return {name: future.result() for name, future in started.items()}


def _record(store: Store, found: dict[str, Health]) -> None:
    store.registration = {**store.registration, **found}
    Store.objects.filter(pk=store.pk).update(registration=store.registration)
    problems = {name: part["problems"] for name, part in found.items() if not part["ok"]}
    for name, found_here in problems.items():
        reasons = [f"{one['kind']} {one['name']} {one['words']}" for one in found_here]
        log.warning("registration_incomplete", store=store.hash, state=name, reason=reasons)
    kinds = {problem["kind"] for part in problems.values() for problem in part}
    if "unauthorised" in kinds:
        store.needs_reauthorisation()
