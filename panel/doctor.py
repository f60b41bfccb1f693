"""What is wrong with the installation, or with a store, and what an operator does about it.

Every check asks what the app itself goes by: health, metrics, the registration, the set-up list.
A check that cannot be made, because what it needs is away, is "unknown": it is no fault of its own.
"""

import json
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import WARNING, run_checks
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection, connections
from django.db.models import Max, Model
from django.utils import timezone
from requests.utils import DEFAULT_CA_BUNDLE_PATH

from orders.models import Order, WebhookEvent
from panel.setup_steps import Step, named_steps
from sequra_bc import health, metrics
from sequra_bc.celery import FAST, SLOW, app
from stores import connect, install, registration
from stores.encryption import Undecryptable
from stores.isolation import isolated
from stores.models import Connection, Store, database_now
from stores.registration import checkout_script
from stores.replica import is_configured, replica
from transport.call import Rejected, Unavailable

_State = Literal["ok", "warning", "error", "unknown"]
_CLOCK = 5.0, 60.0  # seconds apart: worth a warning; more than signed payloads allow for
_CERTIFICATE_DAYS = 7
_TASKS_SECONDS = 15 * 60  # maintenance comes every two minutes, behind what is slow
_QUEUE_SECONDS = 600
_ROUNDS = 20  # attempts to find one server session behind two connections
_PATIENCE = 4.0  # seconds for our own public address
_ON_ITS_WAY, _EVENTS_ARE_KEPT = timedelta(minutes=10), timedelta(days=13)
_SECRETS = ("access_token", "webhook_secret", "report_token", "alert_secrets")
_ICONS: dict[str, _State] = {"success": "ok", "todo": "warning"}  # others are named as here


@dataclass(frozen=True)
class Finding:
    """How one thing stands. `store` is the hash of the store that it is about, if any."""

    check: str
    state: _State
    message: str
    remedy: str = ""
    store: str = ""


def worst(findings: Sequence[Finding]) -> _State:
    """Return the state that an exit code tells; what is unknown has a cause that is named."""
    states = {finding.state for finding in findings}
    return "error" if "error" in states else "warning" if "warning" in states else "ok"


# --- The installation ----------------------------------------------------------------------------


def installation() -> Iterator[Finding]:
    """Everything that is not about a store, in the order in which to mend it."""
    yield _configuration()
    yield _static_files()
    database = _database()
    yield database
    yield from _each({"replica": _replica}, "")
    answers = database.state == "ok"
    yield from _each(_OF_THE_SERVER, "" if answers else "The database is away.")
    obstacle = "" if answers else "The database is away."
    if answers and health.migrations() != "ok":
        obstacle = "Migrations are pending."
    yield from _each(_OF_THE_TABLES, obstacle)
    broker = _broker()
    yield broker
    yield _workers(broker.state == "ok")
    yield _public_url()
    yield _certificate()


def _configuration() -> Finding:
    """An environment that makes no sense has ended the process already, and named its faults."""
    remarks = [
        f"{one.id}: {' '.join(str(one.msg).split())}"
        for one in run_checks(include_deployment_checks=True)
        if one.level >= WARNING
    ]
    if settings.SANDBOX:
        remarks.append("SANDBOX is on: no payment is real.")
    if not remarks:
        return Finding("configuration", "ok", "The environment is complete.")
    remedy = "Correct the environment as .env.example describes it, then restart every process."
    return Finding("configuration", "warning", " ".join(remarks), remedy)


def _static_files() -> Finding:
    """Without the checkout script no page of the app and no registration works."""
    try:
        name = checkout_script.file_name()
    except ValueError:
        remedy = "Run python manage.py collectstatic --noinput, then restart the web processes."
        return Finding("static_files", "error", "The static files are not collected.", remedy)
    return Finding("static_files", "ok", f"The checkout script is {name.rpartition('/')[2]}.")


def _database() -> Finding:
    fault = health.database_fault()
    if "unsupported startup parameter" in fault:
        remedy = "DATABASE_URL leads to PgBouncer: set DATABASE_POOLED=true, or use session mode."
        return Finding("database", "error", fault, remedy)
    if fault:
        remedy = "Start PostgreSQL, or correct DATABASE_URL. Nothing works without it."
        return Finding("database", "error", fault, remedy)
    version = getattr(connection, "pg_version", 0)
    return Finding("database", "ok", f"PostgreSQL {version // 10000}.{version % 10000} answers.")


def _replica() -> Finding:
    """Without a replica nothing stops: the primary answers in its place."""
    if not is_configured():
        return Finding("replica", "ok", "REPLICA_URL is empty: the primary answers everything.")
    if (database := replica()) == DEFAULT_DB_ALIAS:
        message = "REPLICA_URL does not answer: the primary computes figures and exports meanwhile."
        remedy = "Start the replica, or correct REPLICA_URL; without a replica, leave it empty."
        return Finding("replica", "warning", message, remedy)
    with connections[database].cursor() as cursor:
        cursor.execute("SELECT pg_is_in_recovery()")
        (follows,) = cursor.fetchone()
    if follows:
        return Finding("replica", "ok", "The replica answers.")
    message = "REPLICA_URL leads to a server that follows no other: its figures may be old."
    remedy = "Correct REPLICA_URL, or set the replica up anew: it may have been promoted."
    return Finding("replica", "warning", message, remedy)


def _each(checks: dict[str, Callable[[], Finding]], obstacle: str) -> Iterator[Finding]:
    """Make these checks, unless there is an obstacle. The database may go away meanwhile."""
    for name, check in checks.items():
        if obstacle:
            yield Finding(name, "unknown", obstacle)
            continue
        try:
            yield check()
        except DatabaseError as error:
            remedy = "Run this again. If it stays, look into PostgreSQL's own log."
            yield Finding(name, "error", " ".join(str(error).split()), remedy)


def _pooler() -> Finding:
    """Whether DATABASE_POOLED fits what stands between the app and PostgreSQL.

    A pooler invents the process id that it sends a client. In transaction mode one server session
    serves two connections that are both open.
    """
    between, shares = _what_stands_between()
    if shares and not settings.DATABASE_POOLED:
        message = (
            "DATABASE_URL leads to a pooler in transaction mode, and DATABASE_POOLED is false:"
            " two processes can hold the same lock."
        )
        remedy = "Set DATABASE_POOLED=true and restart every process, or use session mode."
        return Finding("pooler", "error", message, remedy)
    if settings.DATABASE_POOLED and not between:
        message = "DATABASE_POOLED is true, and no pooler stands in front of PostgreSQL."
        remedy = "Remove DATABASE_POOLED: locks then come free at once when their holder dies."
        return Finding("pooler", "warning", message, remedy)
    mode = "transaction" if shares else "session"
    found = f"A pooler in {mode} mode stands" if between else "No pooler stands"
    return Finding("pooler", "ok", f"{found} in front of PostgreSQL, as DATABASE_POOLED expects.")


def _what_stands_between() -> tuple[bool, bool]:
    """Return whether a pooler does, and whether it shares one server session."""
    alias = connection.alias
    with closing(connections.create_connection(alias)) as one:
        with closing(connections.create_connection(alias)) as other:
            pairs = [(_session(one), _session(other)) for _ in range(_ROUNDS)]
        between = one.connection.info.backend_pid not in {first for first, _ in pairs}
    return between, any(first == second for first, second in pairs)


def _session(database: Any) -> int:
    """The process of PostgreSQL that serves the connection at this moment."""
    with database.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (process,) = cursor.fetchone()
    return int(process)


def _migrations() -> Finding:
    if health.migrations() == "ok":
        return Finding("migrations", "ok", "All migrations are applied.")
    remedy = "Run `python manage.py migrate`."
    return Finding("migrations", "error", "Migrations of this version are pending.", remedy)


def _keys() -> Finding:
    if health.keys() == "ok":
        return Finding("keys", "ok", "ENCRYPTION_KEYS decrypt what is stored.")
    message = "ENCRYPTION_KEYS do not decrypt what this database was made with."
    remedy = "Add the key that was used before behind the new one, and restart every process."
    return Finding("keys", "error", message, remedy)


def _clock() -> Finding:
    before = timezone.now()
    theirs = database_now()
    middle = before + (timezone.now() - before) / 2
    apart = abs((theirs - middle).total_seconds())
    warning, error = _CLOCK
    if apart < warning:
        return Finding("clock", "ok", "The clocks of this host and of the database agree.")
    message = f"The clocks of this host and of the database are {apart:.0f} seconds apart."
    remedy = "Let NTP set the clocks of all hosts. Signed requests and certificates go by them."
    return Finding("clock", "error" if apart >= error else "warning", message, remedy)


def _tasks() -> Finding:
    """Whether beat and a worker of the slow lane, or `manage.py work`, did something lately."""
    age = _figure("sequra_bc_maintenance_age_seconds")
    if age is not None and age < _TASKS_SECONDS:
        return Finding("tasks", "ok", f"Maintenance ran {age:.0f} seconds ago.")
    message = "Maintenance has never run." if age is None else f"Maintenance ran {_ago(age)} ago."
    remedy = "Start worker and beat, or `python manage.py work --loop`, which needs no broker."
    return Finding("tasks", "error", message, remedy)


def _queue() -> Finding:
    age = _figure("sequra_bc_oldest_due_seconds") or 0
    if age < _QUEUE_SECONDS:
        return Finding("queue", "ok", "No change of an order is overdue.")
    message = f"A change of an order has been due for {_ago(age)}."
    remedy = "Start a worker of the fast lane, or run `python manage.py work`; then read its log."
    return Finding("queue", "error", message, remedy)


_OF_THE_SERVER = {"pooler": _pooler, "migrations": _migrations, "clock": _clock}
_OF_THE_TABLES = {"keys": _keys, "tasks": _tasks, "queue": _queue}


def _figure(name: str) -> float | None:
    """Return a figure of /metrics that has no labels."""
    return next(
        (
            sample.value
            for family in metrics.queues()
            if family.name == name
            for sample in family.samples
        ),
        None,
    )


def _ago(seconds: float) -> str:
    return f"{seconds / 60:.0f} minutes" if seconds < 7200 else f"{seconds / 3600:.0f} hours"


def _broker() -> Finding:
    if health.broker_state() == "ok":
        return Finding("broker", "ok", "The broker answers.")
    message = "The broker does not answer: workers and beat stand still."
    remedy = (
        "Start Redis or Valkey, or correct REDIS_URL or BROKER_URL. Until then"
        " `python manage.py work --loop` does all work without it."
    )
    return Finding("broker", "warning", message, remedy)


def _workers(is_there: bool) -> Finding:
    """Which lanes the workers that answer serve. `manage.py work` does not answer."""
    if not is_there:
        return Finding("workers", "unknown", "The broker is away.")
    served = app.control.inspect(timeout=2.0).active_queues() or {}
    lanes = {queue["name"] for queues in served.values() for queue in queues}
    missing = [lane for lane in (FAST, SLOW) if lane not in lanes]
    if not missing:
        return Finding(
            "workers", "ok", f"Both lanes are served; workers that answer: {len(served)}."
        )
    message = f"No worker answers that serves the lanes: {', '.join(missing)}."
    remedy = "Start `celery -A sequra_bc worker`. With `manage.py work --loop` alone this is right."
    return Finding("workers", "warning", message, remedy)


def _public_url() -> Finding:
    """Ask ourselves as a browser does. A host that may not reach the internet proves nothing."""
    address = f"{settings.APP_URL}/health/live"
    try:
        version = _version(checkout_script.fetch(address).body)
    except Rejected as refusal:
        message = f"{address} answers HTTP {refusal.status}: something else stands there."
        remedy = "Let the proxy forward this name to the web processes, or correct APP_URL."
        return Finding("public_url", "error", message, remedy)
    except Unavailable as failure:
        message = f"{address}: {failure.reason}."
        remedy = "Look from outside, too: this host may only be kept from its own public address."
        return Finding("public_url", "warning", message, remedy)
    if version == settings.VERSION:
        return Finding("public_url", "ok", f"{settings.APP_URL} answers with this version.")
    message = f"{settings.APP_URL} answers as version {version!r}; this is {settings.VERSION}."
    remedy = "Finish the update, or correct APP_URL: it must lead to this installation."
    return Finding("public_url", "warning", message, remedy)


def _version(body: bytes) -> str:
    """The version that `/health/live` names; nothing when it is not our answer."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    return str(answer.get("version", "")) if isinstance(answer, dict) else ""


def _certificate() -> Finding:
    url = urlsplit(settings.APP_URL)
    if url.scheme != "https":
        return Finding("certificate", "unknown", "APP_URL is plain http.")
    context = ssl.create_default_context()
    context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    where = (checkout_script.host_of(url), url.port or 443)
    try:
        with (
            socket.create_connection(where, timeout=_PATIENCE) as wire,
            context.wrap_socket(wire, server_hostname=url.hostname) as tls,
        ):
            ends = ssl.cert_time_to_seconds(str((tls.getpeercert() or {})["notAfter"]))
    except ssl.SSLCertVerificationError as error:
        message = f"Browsers refuse the certificate of {url.hostname}: {error.verify_message}."
        remedy = "Renew it, for exactly this name, with the whole chain."
        return Finding("certificate", "error", message, remedy)
    except OSError as error:
        return Finding("certificate", "unknown", f"No TLS connection: {error}.")
    days = (ends - time.time()) / 86400
    message = f"The certificate of {url.hostname} is valid for {days:.0f} more days."
    if days > _CERTIFICATE_DAYS:
        return Finding("certificate", "ok", message)
    remedy = "Find out why it was not renewed by itself, and renew it."
    return Finding("certificate", "warning", message, remedy)


# --- One store -----------------------------------------------------------------------------------

_REPAIR = "Open the app in the store's control panel and choose Check and repair."
_REMEDIES = {
    "information": "Look at the reason above. The app reads the store again every day.",
    "webhooks": f"Wait an hour: they are registered again. To do it now: {_REPAIR}",
    "script": f"{_REPAIR} A script that the merchant removed stays away until then.",
    "panel": f"Wait a day: it is registered again. To do it now: {_REPAIR}",
    "page": "Compare what the address answers with collectstatic's file; a proxy may change it.",
    "checkout": "Send this to the merchant: it is a setting of the checkout in BigCommerce.",
    "asked": "Go to the payment step of the shop. If SeQura is missing, look at script and page.",
    "account": "The merchant enters username and password again in the app, or asks SeQura why.",
    "countries": "The merchant chooses the selling countries in the app.",
}


def examine(store: Store) -> list[Finding]:
    """Ask BigCommerce and SeQura about the store, repair nothing, and return what stands there."""
    silent = ask(store)
    if silent is None:
        return [_unexamined(store)]
    store.refresh_from_db()
    sequra = Finding("sequra", "ok", "No account was left without an answer.", store=store.hash)
    if silent:
        message, remedy = " ".join(silent), "Nothing is lost: work waits. Run this again later."
        sequra = Finding("sequra", "warning", message, remedy, store.hash)
    return [*known(store), sequra]


def ask(store: Store) -> list[str] | None:
    """Ask BigCommerce and SeQura, and store their answers.

    Return why accounts were left without an answer; None when the store cannot be examined.
    """
    silent: list[str] = []
    return silent if isolated("doctor", store, partial(_ask, store, silent)) else None


def lines(findings: Sequence[Finding]) -> list[str]:
    """Return the findings as lines of text, each with its remedy below."""
    found: list[str] = []
    for one in findings:
        found.append(f"{one.state:8} {one.check:14} {one.message}")
        if one.remedy:
            found.append(f"{'':23} → {one.remedy}")
    return found


def _ask(store: Store, silent: list[str]) -> None:
    if store.is_installed and not _is_sealed(store, "access_token"):
        registration.check_registration(store, registration.PAGE)
    reasons = [connect.probe(account) for account in _accounts(store)]
    silent += [f"{reason}." for reason in reasons if reason]


def known(store: Store) -> list[Finding]:
    """Return what the database holds about a store: maintenance and its checkouts wrote it."""
    found: list[Finding] = []
    if isolated("doctor", store, lambda: found.extend(_known(store))):
        return found
    return [_unexamined(store)]


def _unexamined(store: Store) -> Finding:
    remedy = "Read the line `store_failed` of this store in the log on standard error."
    return Finding("state", "error", "The store cannot be examined.", remedy, store.hash)


def _known(store: Store) -> list[Finding]:
    found = [_state(store)]
    if store.state != Store.State.UNINSTALLED:
        steps = named_steps(store, _accounts(store), connect.selling_anywhere(store))
        found += [_scopes(store), _secrets(store), _last_webhook(store)]
        found += [of_step(name, step) for name, step in steps.items()]
    return [Finding(one.check, one.state, one.message, one.remedy, store.hash) for one in found]


def _accounts(store: Store) -> list[Connection]:
    return list(store.connections.exclude(state=Connection.State.ARCHIVED).order_by("deployment"))


def _state(store: Store) -> Finding:
    if store.state == Store.State.UNINSTALLED:
        return Finding("state", "ok", f"The app was uninstalled {_when(store.uninstalled_at)}.")
    if store.is_installed:
        return Finding("state", "ok", f"The app was installed {_when(store.installed_at)}.")
    message = "BigCommerce refuses the store's access token: all work for the store waits."
    remedy = "The merchant opens the app in BigCommerce and consents again."
    return Finding("state", "error", message, remedy)


def _scopes(store: Store) -> Finding:
    missing = install.missing_scopes(store)
    if not missing:
        return Finding("scopes", "ok", "All scopes were granted.")
    message = f"These scopes were not granted: {', '.join(missing)}."
    remedy = "Add them to the app profile; then the merchant opens the app and consents again."
    return Finding("scopes", "error", message, remedy)


def _secrets(store: Store) -> Finding:
    rows = [(store, name) for name in _SECRETS]
    passwords = [(account, "password") for account in _accounts(store)]
    broken = [name for row, name in [*rows, *passwords] if _is_sealed(row, name)]
    if not broken:
        return Finding("secrets", "ok", "All stored secrets can be decrypted.")
    message = f"No key in ENCRYPTION_KEYS decrypts: {', '.join(broken)}."
    remedy = (
        "Add the lost key again. Without it: the merchant opens the app anew for the token, and"
        " enters the password again."
    )
    return Finding("secrets", "error", message, remedy)


def _is_sealed(row: Model, name: str) -> bool:
    try:
        getattr(row, name)
    except Undecryptable:
        return True
    return False


def _last_webhook(store: Store) -> Finding:
    """BigCommerce sends one for each order that is placed."""
    last = WebhookEvent.objects.filter(store=store).aggregate(at=Max("received_at"))["at"]
    placed = Order.objects.filter(store=store, adopted_at=None)
    ordered = placed.aggregate(at=Max("placed_at"))["at"]
    text = f"The last webhook came {_when(last)}." if last else "No webhook came in two weeks."
    is_telling = ordered and _ON_ITS_WAY < timezone.now() - ordered < _EVENTS_ARE_KEPT
    if is_telling and (last is None or last < ordered):
        message = f"{text} An order was placed with SeQura {_when(ordered)}."
        remedy = "Mend the check webhooks; then look for /webhooks/ in the log of the proxy."
        return Finding("last_webhook", "warning", message, remedy)
    return Finding("last_webhook", "ok", text)


def of_step(name: str, step: Step) -> Finding:
    """A line of the merchant's set-up list, with what an operator does about it."""
    # An icon without an entry is named like its state.
    state: _State = _ICONS.get(step.icon, step.icon)  # type: ignore[arg-type]
    if state == "ok":
        return Finding(name, state, f"{step.title}: {step.text}")
    reasons = " ".join(step.details) if step.icon != "todo" else step.text
    return Finding(name, state, f"{step.title}: {reasons or step.text}", _REMEDIES.get(name, ""))


def _when(moment: datetime | None) -> str:
    return f"at {moment:%Y-%m-%d %H:%M} UTC" if moment else "never"
