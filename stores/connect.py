"""Connect a store with its SeQura accounts: check them with SeQura, then store all or none.

An account belongs to one deployment (seQura, SVEA) and environment. An account that is replaced is
archived, not deleted: open orders still use it.
"""

import math
import string
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial

import structlog
from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext as _

from sequra.client import Rejected, Sequra, Unavailable
from sequra.documents import Addresses, Credentials, Deployment, PaymentMethod
from stores import channels
from stores.clients import deployments, sequra_for
from stores.isolation import each
from stores.lifecycle import store_apps
from stores.models import (
    AT_ONCE,
    NOT_OFFERED_COUNTRIES,
    PROBE_AFTER,
    SELLING_COUNTRIES,
    Connection,
    Merchant,
    Store,
    database_now,
)
from transport.stopping import stopping

log = structlog.get_logger(__name__)
# Accounts are probed: refused ones as soon as their pause is over, others once a day.
_PROBES = 200  # of one run, of each kind
_PROBE_SECONDS = 60.0  # of one run, because it holds a slot of the fast lane
_PROBE_EVERY = timedelta(days=1)


class Refused(Exception):
    """Nothing was stored. `problems` has a message per deployment; "" is about all of them."""

    def __init__(self, problems: dict[str, str]) -> None:
        super().__init__(" ".join(problems.values()))
        self.problems = problems


# Characters that mail programs add when credentials are copied from them.
_PASTED = string.whitespace + "\u00a0\u200b\u200c\u200d\u2060\ufeff"


@dataclass(frozen=True)
class Login:
    """Username and password as a merchant enters them, without surrounding white space."""

    username: str
    password: str = field(repr=False)

    def __post_init__(self) -> None:
        for name in ("username", "password"):
            object.__setattr__(self, name, getattr(self, name).strip(_PASTED))


@dataclass(frozen=True)
class Account:
    """A login that SeQura accepted, with its merchant ids."""

    deployment: str
    environment: str
    addresses: Addresses
    login: Login
    merchants: list[Credentials]


def _connect(store: Store, environment: str, logins: Mapping[str, Login]) -> None:
    """Connect the store with exactly these accounts, by deployment. Raise Refused."""
    accounts = ask_sequra(environment, logins)
    save(store, environment, accounts)


def ask_sequra(environment: str, logins: Mapping[str, Login]) -> list[Account]:
    """Return the accounts of these logins. Check every deployment before raising Refused."""
    if not logins:
        return []
    try:
        known = {deployment.id: deployment for deployment in deployments()}
    except (Rejected, Unavailable) as error:
        raise Refused({"": _unavailable("SeQura")}) from error
    accounts: list[Account] = []
    problems: dict[str, str] = {}
    for name, login in logins.items():
        try:
            accounts.append(_account(known.get(name), name, environment, login))
        except Refused as refusal:
            problems |= refusal.problems
    if problems:
        raise Refused(problems)
    return accounts


def _account(deployment: Deployment | None, name: str, environment: str, login: Login) -> Account:
    if deployment is None or environment not in deployment.environments:
        sentence = _("SeQura has no platform “%(name)s” in this environment.")
        raise Refused({name: sentence % {"name": name}})
    addresses = deployment.environments[environment]
    try:
        rows = Sequra(addresses.api_url, login.username, login.password).credentials()
    except Rejected as refusal:
        raise Refused({name: _refusal(refusal, deployment.name)}) from refusal
    except Unavailable as failure:
        raise Refused({name: _unavailable(deployment.name)}) from failure
    known = SELLING_COUNTRIES.keys() | NOT_OFFERED_COUNTRIES
    merchants = [row for row in rows if row.get("ref") and row.get("country") in known]
    if not any(row["country"] in SELLING_COUNTRIES for row in merchants):
        raise Refused({name: _no_merchant(deployment.name)})
    return Account(name, environment, addresses, login, merchants)


def _refusal(refusal: Rejected, name: str) -> str:
    if refusal.status == 401:
        return _(
            "%(name)s rejected this username and password. Check both in the email from SeQura,"
            " and check that they belong to this environment."
        ) % {"name": name}
    if refusal.status == 403:
        sentence = _(
            "%(name)s recognises this account, but access is not enabled. Ask SeQura to enable it."
        )
        return sentence % {"name": name}
    return _("%(name)s answered: %(words)s") % {"name": name, "words": refusal.message}


def _unavailable(name: str) -> str:
    return _("%(name)s didn't respond. Try again in a minute.") % {"name": name}


def _no_merchant(name: str) -> str:
    return _(
        "This %(name)s account has no merchant ID in a supported country. Ask SeQura to add one."
    ) % {"name": name}


def save(store: Store, environment: str, accounts: Iterable[Account]) -> None:
    """Replace the store's connections by these accounts in one transaction.

    A country keeps its merchant id, and stays off when it was off; a new country is switched on.
    """
    with transaction.atomic():
        Store.objects.select_for_update().get(pk=store.pk)
        before = list(Merchant.objects.filter(store=store).exclude(connection__state="archived"))
        kept = [_connection(store, account).pk for account in accounts]
        _archive(store.connections.exclude(pk__in=kept))
        choose(store, _choice(store, before))
        store.environment = environment
        store.save(update_fields=["environment"])


def _connection(store: Store, account: Account) -> Connection:
    """Return the connection of an account, revived when the store had it before."""
    identity = {
        "deployment": account.deployment,
        "environment": account.environment,
        "username": account.login.username,
    }
    _archive(store.connections.filter(deployment=account.deployment).exclude(**identity))
    found = store.connections.filter(**identity).order_by("pk").last()
    connection = found or Connection(store=store, **identity)
    connection.password = account.login.password
    connection.api_url, connection.assets_url = account.addresses
    connection.state = Connection.State.CONNECTED
    connection.paused_until = connection.refused_at = connection.stopped_at = None
    connection.connected_at = connection.probed_at = database_now()
    connection.erase_at = None
    connection.save()
    _merchants(connection, account.merchants)
    _take_along(connection)
    return connection


def _take_along(connection: Connection) -> None:
    """Move the orders and payments of earlier accounts with the same merchant ids to this one."""
    refs = list(connection.merchants.values_list("ref", flat=True))
    earlier = connection.store.connections.exclude(pk=connection.pk).filter(
        deployment=connection.deployment, environment=connection.environment
    )
    keys = list(earlier.values_list("pk", flat=True))
    for app in store_apps():
        app.move_to_account(connection, keys, refs)


def _merchants(connection: Connection, rows: list[Credentials]) -> None:
    wanted = {(row["country"], row["ref"]): row for row in rows}
    for merchant in connection.merchants.all():
        if (merchant.country, merchant.ref) not in wanted:
            merchant.delete()
    for (country, ref), row in wanted.items():
        terms = {
            "contract_options": row.get("contract_options") or [],
            "assets_key": row.get("assets_key") or "",
        }
        connection.merchants.update_or_create(
            country=country,
            ref=ref,
            defaults=terms,
            create_defaults={"store": connection.store, "selling": False} | terms,
        )


def _archive(connections: Iterable[Connection]) -> None:
    """Stop selling through these connections. Their open orders continue."""
    for connection in connections:
        connection.merchants.update(selling=False)
        connection.state = Connection.State.ARCHIVED
        connection.save(update_fields=["state"])


def _open_merchants(store: Store) -> QuerySet[Merchant]:
    """Return the merchants of the open connections, in countries where SeQura is offered."""
    offered = store.merchants.filter(country__in=SELLING_COUNTRIES)
    return offered.exclude(connection__state="archived").select_related("connection")


def available(store: Store) -> dict[str, list[Merchant]]:
    """Return the merchants of the open connections, by country."""
    found: dict[str, list[Merchant]] = {}
    for merchant in _open_merchants(store).order_by("pk"):
        found.setdefault(merchant.country, []).append(merchant)
    return found


def selling(store: Store) -> list[Merchant]:
    """Return the merchant of each country in which the store offers SeQura."""
    return list(_open_merchants(store).filter(selling=True).order_by("country"))


def selling_anywhere(store: Store) -> list[Merchant]:
    """Return the merchants with which the store or a storefront of its own sells, by country."""
    found = channels.in_use(store).select_related("connection")
    return list(found.order_by("country", "pk"))


def not_offered(store: Store) -> list[str]:
    """Return the countries of the open connections in which SeQura is not offered."""
    others = store.merchants.filter(country__in=NOT_OFFERED_COUNTRIES)
    others = others.exclude(connection__state="archived").order_by("country")
    return list(others.values_list("country", flat=True).distinct())


def _choice(store: Store, before: list[Merchant]) -> dict[str, str]:
    selling = {merchant.country: merchant.ref for merchant in before if merchant.selling}
    switched_off = {merchant.country for merchant in before} - set(selling)
    choice = {}
    for country, merchants in available(store).items():
        refs = [merchant.ref for merchant in merchants]
        if country not in switched_off:
            choice[country] = selling[country] if selling.get(country) in refs else refs[0]
    return choice


def choose(store: Store, choice: Mapping[str, str]) -> None:
    """Sell in exactly these countries with these merchant ids. Raise Refused."""
    merchants = check_choice(store, choice)
    with transaction.atomic():
        store.merchants.update(selling=False)
        Merchant.objects.filter(pk__in=[merchant.pk for merchant in merchants]).update(selling=True)
        # A store that sells nowhere has no delivery reports; its first may be due.
        Store.objects.filter(pk=store.pk).update(report_due_at=AT_ONCE)


def check_choice(store: Store, choice: Mapping[str, str]) -> list[Merchant]:
    """Return the merchant ids of these countries. Raise Refused for one that is not the store's."""
    return [_merchant(store, country, ref) for country, ref in choice.items()]


def _merchant(store: Store, country: str, ref: str) -> Merchant:
    for merchant in available(store).get(country, []):
        if merchant.ref == ref:
            return merchant
    sentence = _("“%(ref)s” isn't a merchant ID of your SeQura account in %(country)s.")
    raise Refused({country: sentence % {"ref": ref, "country": country}})


def probe_accounts() -> None:
    """Probe every account that SeQura refused, then, once a day, all others.

    Accounts for which there is no time come first in the next run.
    """
    is_over = Q(refused_at__isnull=False) & ~Q(paused_until__gt=Now())
    is_old = Q(probed_at=None) | Q(probed_at__lte=Now() - _PROBE_EVERY)
    in_use = Connection.objects.filter(stopped_at=None).exclude(password="")
    in_use = in_use.exclude(store__state=Store.State.UNINSTALLED)
    others = in_use.filter(is_old, refused_at=None, state=Connection.State.CONNECTED)
    until = time.monotonic() + _PROBE_SECONDS
    for due in (in_use.filter(is_over), others):
        rows = due.select_related("store").order_by("probed_at", "pk")[:_PROBES]
        each("accounts", rows, partial(probe, until=until))


def probe(connection: Connection, until: float = math.inf) -> str:
    """Probe one account, unless another process has done so meanwhile.

    Return why SeQura did not answer, or nothing.
    """
    if stopping() or time.monotonic() > until:
        return ""
    seen = Connection.objects.filter(pk=connection.pk, probed_at=connection.probed_at)
    pause = Now() + PROBE_AFTER if connection.is_refused else F("paused_until")
    if not seen.update(probed_at=Now(), paused_until=pause):
        return ""
    try:
        rows = sequra_for(connection).credentials()
    except Rejected as refusal:
        if refusal.is_unauthorised:
            connection.pause()
            log.warning("account_refused", store=connection.store.hash, status=refusal.status)
    except Unavailable as error:
        log.warning("account_not_probed", store=connection.store.hash, reason=error.reason)
        return error.reason
    else:
        known = {row.get("ref") for row in rows}
        refs = set(connection.merchants.values_list("ref", flat=True))
        _refresh_keys(connection, rows)
        if connection.is_refused and (not refs or refs & known):
            connection.refresh_from_db(fields=["paused_until", "refused_at"])
            connection.resume()
            log.info("account_accepted", store=connection.store.hash)
    return ""


def _refresh_keys(connection: Connection, rows: list[Credentials]) -> None:
    """Store the keys of SeQura's explanations that are missing or new.

    https://docs.sequra.com/docs/widgets
    """
    for row in rows:
        merchants = connection.merchants.filter(ref=row.get("ref"), country=row.get("country"))
        if key := row.get("assets_key"):
            merchants.exclude(assets_key=key).update(assets_key=key)


def disconnect(store: Store, *, stop: bool = False) -> None:
    """Stop offering SeQura. Open orders stay in sync unless the merchant stops that too.

    The password is kept either way: a payment under way is still confirmed.
    """
    with transaction.atomic():
        _archive(store.connections.all())
        if stop:
            store.connections.filter(stopped_at=None).update(stopped_at=timezone.now())


_THREADS = 4


def refresh(store: Store) -> list[str]:
    """Fetch the payment methods of each merchant id. Return the ids that keep their old ones."""
    merchants = list(_open_merchants(store))
    with ThreadPoolExecutor(max_workers=_THREADS) as pool:
        answers = list(pool.map(_fetch, merchants))
    for merchant, methods in zip(merchants, answers, strict=True):
        if methods is not None:
            Merchant.objects.filter(pk=merchant.pk).update(
                payment_methods=methods, payment_methods_at=timezone.now()
            )
    return [one.ref for one, methods in zip(merchants, answers, strict=True) if methods is None]


def _fetch(merchant: Merchant) -> list[PaymentMethod] | None:
    try:
        return sequra_for(merchant.connection).payment_methods(merchant.ref)
    except (Rejected, Unavailable) as error:
        log.warning("payment_methods_unknown", merchant=merchant.ref, reason=str(error))
        return None
