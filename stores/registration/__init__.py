"""Register everything we put into a BigCommerce store: webhooks, scripts, order panel.

Each part is listed first; differences from the wanted state become a list of changes. A
registration makes the changes, a check only reports them. One lock per store keeps parallel
installations, repairs and tasks from creating duplicates. No transaction is open during calls.
"""

import math
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial

import structlog
from django.db.models import Q, QuerySet
from django.utils import timezone

from bigcommerce.api import TIMEOUT, Rejected, Unavailable
from stores.clients import bigcommerce_for
from stores.isolation import Busy, only_one
from stores.models import AT_ONCE, Store
from stores.registration import checkout_script
from stores.registration.parts import (
    INFORMATION,
    Health,
    Kind,
    Part,
    Plan,
    health,
    only_look,
    panel_changes,
    put_right,
    read_information,
    webhook_changes,
)
from transport.call import Timeout

log = structlog.get_logger(__name__)

_PLANS: dict[str, Plan] = {
    "webhooks": webhook_changes,
    "script": checkout_script.plan,
    "panel": panel_changes,
}
PARTS = ("information", *_PLANS)
# Only where promotional widgets are on, or were: elsewhere BigCommerce gets no call for them.
_WIDGETS: dict[str, Plan] = {"widgets": checkout_script.plan_widgets}
# Checked and shown, but repaired by the merchant only.
PAGE: dict[str, Part] = {"page": checkout_script.look_at_page}
# What a repair puts right of a script: the rest is the merchant's doing.
_KEPT: tuple[Kind, ...] = ("outdated", "surplus")
# A merchant waits for this long; afterwards the task continues where the request stopped.
_SECONDS = 20.0
# Between two attempts to finish an installation.
_SOON, _LATE = timedelta(minutes=4), timedelta(hours=6)
# BigCommerce deactivates a webhook after 90 idle days, or two days of failures.
_CHECK_EVERY = timedelta(days=1)
# For calls during a page request: seconds to connect, and to answer.
_BRIEF: Timeout = (2, 4)


def register(store: Store, wait: float = _SECONDS, accepted: frozenset[int] = frozenset()) -> bool:
    """Register every part and record the result. Return whether everything is in place.

    `accepted` are the new storefronts that the merchant decided about. The others stay new.

    Parallel callers share one run that began after their call. A caller that cannot wait longer for
    another run gets the recorded state; the other run continues, with the newest access token.
    """
    asked_at = timezone.now()
    until = time.monotonic() + _SECONDS
    try:
        with only_one(_lock(store), wait=wait):
            store.refresh_from_db()
            if store.is_installed and (accepted or not _done_since(store, asked_at)):
                _register(store, until, accepted)
        # Whoever stored a newer token before the lock came free found it taken, and left.
        while _is_authorised_anew(store) and time.monotonic() < until:
            with only_one(_lock(store)):
                _register(store, until, accepted)
    except Busy:
        store.refresh_from_db()
    # Another run, which did not end in time, does not know of this decision.
    is_decided = not any(one.get("new") for one in store.channels if one["id"] in accepted)
    return is_decided and is_healthy(store)


def check_registration(store: Store, besides: dict[str, Part] | None = None) -> bool:
    """Record what is missing while a page request waits. Return whether everything is in place.

    Skip the check during a registration: its result will be newer.
    """
    looks = {name: only_look(plan) for name, plan in _plans(store).items()}
    try:
        with only_one(_lock(store)):
            _record(store, _run(store, looks | (besides or {}), _BRIEF))
    except Busy:
        store.refresh_from_db()
    return is_healthy(store)


def repair_registration(store: Store) -> bool:
    """Read the store's settings again and repair what is registered.

    Return whether all is in place.

    A script that the merchant removed from the storefront, or changed, is reported and left: only
    the merchant puts it back.
    """
    try:
        with only_one(_lock(store), wait=_SECONDS):
            checkout_script.keep_version()
            found = _read_information(store)
            plans = _plans(store)
            scripts = {"script"} if store.widgets_due else {"script", "widgets"}
            parts = {
                name: put_right(plan, math.inf, *([_KEPT] if name in scripts else []))
                for name, plan in plans.items()
            }
            _record(store, found | _run(store, parts))
            _remember_versions(store)
            _record(store, _run(store, PAGE))
    except Busy:
        store.refresh_from_db()
    return is_healthy(store)


def find_storefronts(store: Store) -> bool:
    """Read the storefronts anew while a page request waits. Return False when that fails.

    One call, unless one was opened or closed.
    """
    try:
        ids = {one["id"] for one in bigcommerce_for(store, _BRIEF).channels()}
        if ids != {one["id"] for one in store.channels}:
            with only_one(_lock(store)):
                _record(store, _read_information(store))
    except Busy:
        store.refresh_from_db()
    except (Rejected, Unavailable) as error:
        log.warning("storefronts_unknown", store=store.hash, reason=str(error))
        return False
    return True


def place_widgets(store: Store) -> None:
    """Register the widgets' script where a setting wants it now, and remove it elsewhere."""
    with suppress(Busy), only_one(_lock(store), wait=_SECONDS):
        store.refresh_from_db()
        if store.is_installed and store.widgets_due:
            checkout_script.keep_version()
            widgets = {name: plan for name, plan in _plans(store).items() if name in _WIDGETS}
            _record(store, _run(store, {n: put_right(p, math.inf) for n, p in widgets.items()}))
            _remember_widgets(store)


def is_healthy(store: Store) -> bool:
    """Return whether everything was in place at the last check."""
    return all(store.registration.get(part, {}).get("ok", False) for part in PARTS)


def is_due(store: Store) -> bool:
    """Return whether to retry an incomplete registration.

    The pause grows from 4 minutes to 6 hours.
    """
    return store.registration_due and timezone.now() > _retry_at(store)


def is_outdated(store: Store) -> bool:
    """Return whether a new checkout script was deployed or the last check is a day ago."""
    return timezone.now() > _check_at(store)


def next_turn(store: Store) -> datetime:
    """Return when the registration is retried or checked again."""
    due = [_check_at(store)]
    if store.registration_due:
        due.append(_retry_at(store))
    if store.widgets_due:
        due.append(timezone.now() + _SOON)
    return min(due)


def expect_new_script(stores: QuerySet[Store]) -> None:
    """Make the stores due whose checkout script is not the deployed one, by an index."""
    name = checkout_script.file_name()
    others = Q(script_file__lt=name) | Q(script_file__gt=name)
    waiting = stores.filter(others, maintain_due_at__gt=timezone.now() + _SOON)
    waiting.update(maintain_due_at=AT_ONCE)


def _retry_at(store: Store) -> datetime:
    tried_at = store.registration_started_at or store.authorised_at
    return tried_at + min(max(tried_at - store.authorised_at, _SOON), _LATE)


def _check_at(store: Store) -> datetime:
    is_new = store.script_file != checkout_script.file_name()
    return _checked_at(store) + (_SOON if is_new else _CHECK_EVERY)


def _checked_at(store: Store) -> datetime:
    """Return the time of the oldest check of a part, or of the installation."""
    health = [store.registration.get(part) for part in _PLANS]
    seen = [datetime.fromisoformat(part["at"]) if part else store.installed_at for part in health]
    return min(seen)


def _lock(store: Store) -> str:
    return f"registration of {store.hash}"


def _done_since(store: Store, asked_at: datetime) -> bool:
    started = store.registration_started_at
    return started is not None and started > asked_at and is_healthy(store)


def _is_authorised_anew(store: Store) -> bool:
    """Read the store again. Return whether its access token was replaced meanwhile."""
    known = store.authorised_at
    store.refresh_from_db()
    return store.is_installed and store.authorised_at != known


def _register(store: Store, until: float, accepted: frozenset[int]) -> None:
    Store.objects.filter(pk=store.pk).update(registration_started_at=timezone.now())
    checkout_script.keep_version()
    # Scripts are registered per channel, so the channels come first.
    found = _read_information(store)
    if decided := [one for one in store.channels if one["id"] in accepted]:
        for channel in decided:
            channel.pop("new", None)
        store.save(update_fields=["channels"])
    parts = {name: put_right(plan, until) for name, plan in _plans(store).items()}
    _record(store, found | _run(store, parts))
    store.registration_due = not is_healthy(store)
    store.save(update_fields=["registration_due"])
    _remember_versions(store)
    _record(store, _run(store, PAGE, _BRIEF))


def _remember_versions(store: Store) -> None:
    """Store the scripts' versions, unless BigCommerce needs them and does not have them."""
    if not _lacks(store, "script"):
        store.script_file = checkout_script.file_name()
        store.save(update_fields=["script_file"])
    _remember_widgets(store)


def _remember_widgets(store: Store) -> None:
    if _has_widgets(store) and not _lacks(store, "widgets"):
        file = checkout_script.file_name(checkout_script.WIDGETS) if store.widget_places else ""
        store.widget_script_file, store.widgets_due = file, False
        decisive = ("widget_methods", "widget_selectors", "disabled_channels")
        same = {name: getattr(store, name) for name in decisive}
        # Else a setting changed meanwhile, and the next run takes care of it.
        Store.objects.filter(pk=store.pk, **same).update(widget_script_file=file, widgets_due=False)


def _lacks(store: Store, part: str) -> bool:
    kinds = {problem["kind"] for problem in store.registration[part]["problems"]}
    return bool(kinds & {"failed", "unauthorised", "outdated"})


def _has_widgets(store: Store) -> bool:
    """Return whether widgets are on somewhere, or their script may still be registered."""
    return bool(store.widget_places or store.widget_script_file or store.widgets_due)


def _plans(store: Store) -> dict[str, Plan]:
    return _PLANS | (_WIDGETS if _has_widgets(store) else {})


def _read_information(store: Store) -> dict[str, Health]:
    found = _run(store, {"information": read_information})
    store.save(update_fields=INFORMATION)
    return found


def _run(store: Store, parts: dict[str, Part], timeout: Timeout = TIMEOUT) -> dict[str, Health]:
    """Run every part in a thread with an HTTP connection of its own and no database connection."""
    with ThreadPoolExecutor(max_workers=len(parts)) as pool:
        started = {
            name: pool.submit(health, part, partial(bigcommerce_for, store, timeout), store)
            for name, part in parts.items()
        }
        return {name: future.result() for name, future in started.items()}


def _record(store: Store, found: dict[str, Health]) -> None:
    known = Store.objects.values_list("registration", flat=True).get(pk=store.pk)
    store.registration = {**known, **found}
    Store.objects.filter(pk=store.pk).update(registration=store.registration)
    problems = {name: part["problems"] for name, part in found.items() if not part["ok"]}
    for name, found_here in problems.items():
        reasons = [f"{one['kind']} {one['name']} {one['words']}" for one in found_here]
        log.warning("registration_incomplete", store=store.hash, state=name, reason=reasons)
    kinds = {problem["kind"] for part in problems.values() for problem in part}
    if "unauthorised" in kinds:
        store.needs_reauthorisation()
