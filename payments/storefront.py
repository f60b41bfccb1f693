"""Answer the storefront script: `solicit` within rate limits, one run at a time per checkout."""

import re
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from typing import Any, TypedDict, cast

from django.core.cache import cache
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop
from rest_framework.request import Request

from payloads.checkout.eligibility import Method
from payloads.checkout.lines import Claim
from payloads.checkout.reasons import FOR_SHOPPERS, Reason
from payments.form import terms_remembered, terms_required
from payments.models import Offer, Solicitation
from payments.solicit import Offered, Shopper, UnknownCheckout, solicit
from stores.isolation import Busy, only_one
from stores.models import Connection, Store
from stores.rate_limit import LIMITS, KeyLimit, RateLimited, caller, check_limit, consume
from stores.storefronts import browser_origin, language_of, may_ask, origin_of
from transport.reading import clean_text

_ROBOTS = re.compile(r"(?<!cu)bot\b|crawl|spider|slurp|facebookexternalhit|preview", re.IGNORECASE)
_CALLS_OF_A_QUESTION = 4  # at most: checkout, customer, orders, products
_ANY = 1_000_000_000
_GUESSES = LIMITS["guess"]


# SeQura's script explains every product except this one.
_UNEXPLAINED = {"fp1"}
_TERMS_SECONDS = 60
_LOCALES = {"es": "es-ES", "fr": "fr-FR", "it": "it-IT", "pt": "pt-PT"}


# What the script shows when its second file can't be loaded: it has room for few texts of its own.
_TEXTS = {
    "opening": gettext_noop("Opening SeQura…"),
    "gone": gettext_noop("SeQura is no longer available for this order."),
    "retry": gettext_noop(
        "You have not been charged. Try again in a moment or choose another payment method."
    ),
    "offline": gettext_noop("You seem to be offline. Check your connection and try again."),
}


class _Info(TypedDict):
    """What SeQura's own script needs to explain the methods, and the amount in cents."""

    configuration: dict[str, Any]
    amount: int


class MethodsAnswer(TypedDict):
    """Payment methods, or the codes of the reasons why there are none."""

    solicitation: str | None
    methods: list[Method]
    reasons: list[str]
    message: str
    info: _Info | None
    terms: bool  # does the storefront require a checkbox for its terms?
    texts: dict[str, str]


def methods_for(store: Store, request: Request, body: dict[str, Any]) -> MethodsAnswer:
    """Return the payment methods for a checkout. Raise RateLimited and UnknownCheckout."""
    shopper, checkout_id = _shopper(request, body), body["checkout_id"]
    if _ROBOTS.search(shopper.user_agent) or not shopper.user_agent:
        return {
            "solicitation": None,
            "methods": [],
            "reasons": [],
            "message": "",
            "info": None,
            "terms": False,
            "texts": {},
        }
    network = caller(shopper.ip)
    guesses = f"guesses {store.pk} {network}"
    try:
        _consume(store, checkout_id, network, guesses)
    except RateLimited:
        check_limit(guesses, **_GUESSES)  # whoever guesses leaves no trace for the merchant
        _remember_refusal(store, checkout_id)
        raise
    claim = Claim.of(body["store_credit_applied"], body["outstanding_balance"])
    try:
        with only_one(f"checkout {store.pk} {checkout_id}"):
            offered = solicit(store, checkout_id, claim, shopper, _origin(store, request))
    except Busy as error:  # a double click; the script asks again
        raise RateLimited(retry_after=1) from error
    except UnknownCheckout:
        consume(guesses, **_GUESSES)
        raise
    public_id = str(offered.solicitation.public_id) if offered.solicitation else None
    return {
        "solicitation": public_id,
        "methods": offered.methods,
        "reasons": [str(reason) for reason in offered.reasons],
        "message": _message(store, checkout_id, offered.reasons, shopper.locale),
        "info": _info(offered, shopper.locale),
        "terms": offered.solicitation is not None and _requires_terms(offered.solicitation),
        "texts": _texts_in(shopper.locale),
    }


def _texts_in(locale: str) -> dict[str, str]:
    """Return the script's texts in the shopper's language."""
    with translation.override(language_of(locale)):
        return {name: _(text) for name, text in _TEXTS.items()}


def _requires_terms(solicitation: Solicitation) -> bool:
    """Return whether the storefront requires its terms, read at most once a minute."""
    if not terms_remembered(solicitation):
        return False
    key = f"terms {solicitation.store.public_id} {solicitation.channel_id}"
    return bool(cache.get_or_set(key, partial(terms_required, solicitation), _TERMS_SECONDS))


def _info(offered: Offered, locale: str) -> _Info | None:
    """Return the parameters of SeQura's script; None without a key or script address."""
    found, key = offered.solicitation, offered.assets_key
    if found is None or not found.connection.assets_url or not key:
        return None
    explained = {method["product"] for method in offered.methods} - _UNEXPLAINED
    configuration = configuration_of(
        found.connection, found.merchant_ref, key, explained, locale
    ) | {"currency": found.currency}
    return {"configuration": configuration, "amount": found.amount}


def configuration_of(
    connection: Connection, merchant: str, key: str, products: Iterable[str], locale: str
) -> dict[str, Any]:
    """Return the configuration of SeQura's own script: https://docs.sequra.com/docs/widgets"""
    return {
        "merchant": merchant,
        "assetKey": key,
        "products": sorted(products),
        "scriptUri": f"{connection.assets_url.rstrip('/')}/sequra-checkout.min.js",
        "decimalSeparator": ",",
        "thousandSeparator": ".",
        "locale": _LOCALES.get(language_of(locale), "es-ES"),
        "currency": "EUR",
    }


def _shopper(request: Request, body: dict[str, Any]) -> Shopper:
    """Return the shopper's data from the request."""
    return Shopper(
        ip=request.META["REMOTE_ADDR"],
        user_agent=clean_text(request.headers.get("User-Agent", ""))[:500],
        locale=body["locale"].replace("_", "-"),
        layout=body["layout"],
    )


def _consume(store: Store, checkout_id: str, network: str, guesses: str) -> None:
    """Count the request, unless its network guesses checkouts. Raise RateLimited.

    The store has no limit while BigCommerce's quota shows remaining calls, otherwise it has one,
    however many calls the order changes used. An address, which many shoppers may share, gets as
    much as is left for all others.
    """
    of_store, of_address = LIMITS["question of a store"], LIMITS["question of an address"]
    room = (cast(Any, store).calls_left or 0) // _CALLS_OF_A_QUESTION
    if room > 0:
        of_store = {**of_store, "allowed": _ANY}
        of_address = {**of_address, "allowed": max(room, of_address["allowed"])}
    consume(
        f"ip {network}",
        **LIMITS["question from"],
        also=[
            KeyLimit(f"ip {store.pk} {network}", **of_address),
            KeyLimit(f"checkout {store.pk} {checkout_id}", **LIMITS["question of a checkout"]),
            KeyLimit(f"store {store.pk}", **of_store),
            KeyLimit(guesses, **_GUESSES, counted=False),
        ],
    )


def _remember_refusal(store: Store, checkout_id: str) -> None:
    """Store a refused request for the merchant, at most one a minute."""
    with suppress(RateLimited):
        consume(f"refusal {store.pk}", **LIMITS["refusal"])
        reasons = [str(Reason.TOO_MANY_QUESTIONS)]
        Offer.objects.create(
            store=store,
            environment=store.environment,
            checkout_id=checkout_id,
            reasons=reasons,
        )


def _message(store: Store, checkout_id: str, reasons: list[Reason], locale: str) -> str:
    """Return why SeQura is not offered, in the shopper's language; empty for a temporary reason.

    A gift certificate can be removed. Other reasons concern only shoppers who saw SeQura before:
    for all others the checkout does not change.
    """
    why = next((reason for reason in FOR_SHOPPERS if reason in reasons), None)
    if why is None:
        return ""
    seen = Offer.objects.filter(store=store, checkout_id=checkout_id, reasons=[])
    if why != Reason.GIFT_CERTIFICATE and not seen.exists():
        return ""
    with translation.override(language_of(locale)):
        return _(FOR_SHOPPERS[why])


def _origin(store: Store, request: Request) -> str:
    """Return the checkout's origin: the browser's, when it belongs to the store."""
    origin = browser_origin(request)
    return origin if may_ask(store, origin) else origin_of(store.secure_url)
