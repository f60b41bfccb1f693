"""solicit(): a checkout becomes a SeQura order, and its payment methods become buttons.

Everything is read server to server; of the browser only its claim about store credit counts, and
only when it explains the amount to the cent. https://docs.sequra.com/docs/start-solicitation
"""

import re
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, TypedDict

import structlog
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from rest_framework.request import Request

import bigcommerce.errors
import sequra.errors
from bigcommerce.client import BigCommerce
from bigcommerce.documents import Checkout
from payments.addresses import merchant_country
from payments.availability import Rules, availability, ip_allowed
from payments.budget import spend
from payments.methods import Method, offered_methods
from payments.models import Offer, Solicitation
from payments.notifications import digest
from payments.parts import items
from payments.payloads import fingerprint
from payments.reasons import NotOffered, Reason
from payments.solicited_order import order_of
from payments.store_credit import Claim, credit_balance, store_credit
from sequra.money import to_cents
from stores.access import language_of
from stores.clients import bigcommerce_for, sequra_for
from stores.locks import only_one
from stores.models import Connection, Merchant, Store

log = structlog.get_logger()

REUSED_FOR = timedelta(minutes=15)
UNKNOWN_FOR = timedelta(minutes=1)
UNKNOWN = "unknown_checkout"
ROBOTS = re.compile(r"bot\b|crawl|spider|slurp|facebookexternalhit|preview", re.IGNORECASE)
GOODS = ("physical_items", "digital_items")


class UnknownCheckout(Exception):
    """This store has no such checkout; nobody learns more."""


class Answer(TypedDict):
    """What the storefront script gets to know."""

    solicitation: str | None
    methods: list[Method]
    reasons: list[str]
    message: str


@dataclass
class Offered:
    """The outcome of `solicit`: buttons, or the reasons why there are none."""

    solicitation: Solicitation | None = None
    methods: list[Method] = field(default_factory=list)
    reasons: list[Reason] = field(default_factory=list)
    detail: str = ""


@dataclass(frozen=True)
class Shopper:
    """Who asks, as the request tells."""

    ip: str
    user_agent: str
    locale: str
    layout: str

    @classmethod
    def of(cls, request: Request, claim: dict[str, Any]) -> "Shopper":
        return cls(
            ip=request.META["REMOTE_ADDR"],
            user_agent=request.headers.get("User-Agent", "")[:500],
            locale=claim["locale"].replace("_", "-"),
            layout=claim["layout"],
        )


def methods_for(store: Store, request: Request, body: dict[str, Any]) -> Answer:
    """`solicit` for the storefront script: within budget, one at a time per checkout."""
    shopper, checkout_id = Shopper.of(request, body), body["checkout_id"]
    if ROBOTS.search(shopper.user_agent) or not shopper.user_agent:
        return {"solicitation": None, "methods": [], "reasons": [], "message": ""}
    spend(f"ip {shopper.ip}", allowed=600, seconds=60)
    spend(f"checkout {store.pk} {checkout_id}", allowed=20, seconds=60)
    # BigCommerce allows 150 calls in 30 s on its smallest plan, to all apps of a store together.
    spend(f"store {store.pk}", allowed=30, seconds=30)
    claim = Claim.of(body["store_credit_applied"], body["outstanding_balance"])
    with only_one(f"checkout {store.pk} {checkout_id}", wait=10):
        offered = solicit(store, checkout_id, claim, shopper, _origin(store, request))
    public_id = str(offered.solicitation.public_id) if offered.solicitation else None
    return {
        "solicitation": public_id,
        "methods": offered.methods,
        "reasons": [str(reason) for reason in offered.reasons],
        "message": _message(offered.reasons, shopper.locale),
    }


def _message(reasons: list[Reason], locale: str) -> str:
    """The one reason that a shopper can do something about, in their language."""
    if Reason.GIFT_CERTIFICATE not in reasons:
        return ""
    with translation.override(language_of(locale)):
        return _("SeQura cannot be combined with a gift certificate. Remove it to pay with SeQura.")


def _origin(store: Store, request: Request) -> str:
    """Where the shopper's checkout is: the browser's origin when it is the store's own."""
    origin = request.headers.get("Origin", "")
    return origin if origin in store.origins else store.secure_url.rstrip("/")


def solicit(store: Store, checkout_id: str, claim: Claim, shopper: Shopper, origin: str) -> Offered:
    """Offer SeQura for this checkout, or know why not; either way it can be asked later."""
    _known_unknown(store, checkout_id)
    attempt = Solicitation(
        store=store,
        checkout_id=checkout_id,
        origin=origin,
        claim=asdict(claim),
        shopper=asdict(shopper),
    )
    try:
        offered = _solicit(attempt, claim)
    except NotOffered as no:
        offered = Offered(reasons=[no.reason], detail=no.detail)
    except bigcommerce.errors.Unavailable as error:
        offered = Offered(reasons=[Reason.BIGCOMMERCE_UNAVAILABLE], detail=error.reason)
    except sequra.errors.Unavailable as error:
        offered = Offered(reasons=[Reason.SEQURA_UNAVAILABLE], detail=error.reason)
    _remember(store, checkout_id, [str(reason) for reason in offered.reasons], offered.detail)
    return offered


def _known_unknown(store: Store, checkout_id: str) -> None:
    """A checkout that did not exist a moment ago is not asked for again: guessing costs nothing."""
    since = timezone.now() - UNKNOWN_FOR
    if Offer.objects.filter(
        store=store, checkout_id=checkout_id, at__gt=since, reasons=[UNKNOWN]
    ).exists():
        raise UnknownCheckout


def _remember(store: Store, checkout_id: str, reasons: list[str], detail: str = "") -> None:
    Offer.objects.create(store=store, checkout_id=checkout_id, reasons=reasons, detail=detail)
    if reasons:
        log.info("not_offered", store=store.hash, checkout=checkout_id, reasons=reasons)


def _solicit(attempt: Solicitation, claim: Claim) -> Offered:
    store = attempt.store
    merchants = selling_merchants(store)
    _cheap_noes(store, merchants, attempt.shopper["ip"])
    api = bigcommerce_for(store)
    checkout = _read_checkout(api, attempt)
    country, total = merchant_country(checkout), to_cents(checkout["grand_total"])
    customer = _customer(api, checkout)
    attempt.store_credit = store_credit(credit_balance(customer), total, claim)
    attempt.amount = total - attempt.store_credit
    rules = rules_of(store, merchants)
    noes = availability(
        rules,
        checkout,
        amount=attempt.amount,
        ip=attempt.shopper["ip"],
        products=_products(api, rules, checkout),
    )
    if noes:
        return Offered(reasons=noes)
    merchant = merchants[country]
    attempt.connection, attempt.merchant_ref = merchant.connection, merchant.ref
    attempt.country, attempt.currency = country, checkout["cart"]["currency"]["code"]
    attempt.channel_id = checkout["cart"].get("channel_id") or 1
    history = _previous_orders(api, checkout)
    attempt.order = order_of(attempt, checkout, customer=customer, orders=history)
    attempt.fingerprint = fingerprint(attempt.order)
    return _with_methods(_earlier(attempt) or _new(attempt))


def _cheap_noes(store: Store, merchants: dict[str, Merchant], ip: str) -> None:
    """What is known without asking anybody."""
    if not merchants or not store.is_installed:
        raise NotOffered(Reason.NOT_CONNECTED)
    if not ip_allowed(ip, store.allowed_ips):
        raise NotOffered(Reason.IP_NOT_ALLOWED)


def selling_merchants(store: Store) -> dict[str, Merchant]:
    """The merchant id of each selling country, over connections that are in use."""
    merchants = Merchant.objects.select_related("connection").filter(store=store, selling=True)
    in_use = merchants.exclude(connection__state=Connection.State.ARCHIVED)
    return {merchant.country: merchant for merchant in in_use}


def rules_of(store: Store, merchants: dict[str, Merchant]) -> Rules:
    return Rules(
        connected=bool(merchants),
        countries={country: found.contract_options for country, found in merchants.items()},
        allowed_ips=store.allowed_ips,
        excluded_products=store.excluded_products,
        excluded_categories=store.excluded_categories,
    )


def _read_checkout(api: BigCommerce, attempt: Solicitation) -> Checkout:
    try:
        return api.checkout(attempt.checkout_id)
    except bigcommerce.errors.Rejected as error:
        if error.status == 401:
            attempt.store.needs_reauthorisation()
        if error.status != 404:
            raise NotOffered(Reason.BIGCOMMERCE_UNAVAILABLE, error.words) from error
        _remember(attempt.store, attempt.checkout_id, [UNKNOWN])
        raise UnknownCheckout from error


def _customer(api: BigCommerce, checkout: Checkout) -> Any:
    customer_id = checkout["cart"].get("customer_id")
    return api.customer(customer_id) if customer_id else None


def _previous_orders(api: BigCommerce, checkout: Checkout) -> list[Any]:
    customer_id = checkout["cart"].get("customer_id")
    if not customer_id:
        return []
    return list(api.orders(customer_id=customer_id, sort="date_created:desc", limit=20, page=1))


def _products(api: BigCommerce, rules: Rules, checkout: Checkout) -> list[Any]:
    """The catalogue's documents, needed only when something is excluded."""
    if not (rules.excluded_categories or rules.excluded_products):
        return []
    ids = {item["product_id"] for item in items(checkout, *GOODS) if item.get("product_id")}
    return list(api.products(sorted(ids))) if ids else []


def _earlier(attempt: Solicitation) -> Solicitation | None:
    """An attempt that stands for the same: nothing changed that SeQura assessed."""
    return (
        Solicitation.objects.filter(
            store=attempt.store,
            checkout_id=attempt.checkout_id,
            fingerprint=attempt.fingerprint,
            claim=attempt.claim,
            origin=attempt.origin,
            phase=Solicitation.Phase.SOLICITED,
            state="",
            reference__isnull=False,
            created_at__gt=timezone.now() - REUSED_FOR,
        )
        .order_by("-id")
        .first()
    )


def _new(attempt: Solicitation) -> Solicitation:
    """Solicit at SeQura. The row comes first: every attempt is kept, whatever becomes of it."""
    connection = attempt.connection
    if connection.is_paused:
        raise NotOffered(Reason.SEQURA_UNAVAILABLE, "SeQura refused the credentials a moment ago")
    attempt.token_digest = digest(attempt.token)
    attempt.save()
    api = sequra_for(connection)
    try:
        attempt.reference = api.solicit(attempt.merchant_ref, attempt.order)
        options = api.order_payment_methods(attempt.merchant_ref, attempt.reference)
    except sequra.errors.Rejected as error:
        log.warning("solicitation_refused", status=error.status, request=error.request_id)
        if error.status == 401:
            connection.pause()
            raise NotOffered(Reason.SEQURA_UNAVAILABLE, error.words) from error
        raise NotOffered(Reason.REFUSED_BY_SEQURA, error.words) from error
    connection.resume()
    attempt.note(reference=attempt.reference, payment_methods=options)
    return attempt


def _with_methods(attempt: Solicitation) -> Offered:
    methods, noes = offered_methods(attempt.payment_methods, attempt.amount, timezone.now())
    return Offered(solicitation=attempt if methods else None, methods=methods, reasons=noes)
