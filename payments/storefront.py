"""What the storefront script gets to know: `solicit`, within budget, one at a time per checkout."""

import re
from typing import Any, TypedDict

from django.utils import translation
from django.utils.translation import gettext as _
from rest_framework.request import Request

from payments.checkout_reading import UnknownCheckout
from payments.methods import Method
from payments.reasons import Reason
from payments.solicit import Offered, Shopper, solicit
from payments.store_credit import Claim
from stores.access import browser_origin, language_of, may_ask, origin_of
from stores.budget import OverBudget, caller, demand, spend
from stores.locks import Busy, only_one
from stores.models import Store
from wire.reading import clean_text

ROBOTS = re.compile(r"(?<!cu)bot\b|crawl|spider|slurp|facebookexternalhit|preview", re.IGNORECASE)
LOCK_SECONDS = 10
# BigCommerce allows 150 calls in 30 s on its smallest plan, to all apps of a store together.
OF_A_STORE = {"allowed": 60, "seconds": 30}
# Nobody takes more than a third of it: an address, or the /64 of an IPv6 user.
OF_AN_ADDRESS = {"allowed": 20, "seconds": 30}
# Who makes checkouts up gets a third of that, so that shoppers still see SeQura.
GUESSES = {"allowed": 6, "seconds": 30}


# SeQura explains every product but this one.
UNEXPLAINED = {"fp1"}
LOCALES = {"es": "es-ES", "fr": "fr-FR", "it": "it-IT", "pt": "pt-PT"}


class Info(TypedDict):
    """What SeQura's own script needs to explain the methods, and for which amount in cents."""

    configuration: dict[str, Any]
    amount: int


class Answer(TypedDict):
    """Buttons, or the codes of the reasons why there are none."""

    solicitation: str | None
    methods: list[Method]
    reasons: list[str]
    message: str
    info: Info | None


def methods_for(store: Store, request: Request, body: dict[str, Any]) -> Answer:
    """The payment methods for a checkout. Raises OverBudget and UnknownCheckout."""
    shopper, checkout_id = _shopper(request, body), body["checkout_id"]
    if ROBOTS.search(shopper.user_agent) or not shopper.user_agent:
        return {"solicitation": None, "methods": [], "reasons": [], "message": "", "info": None}
    network = caller(shopper.ip)
    guesses = f"guesses {store.pk} {network}"
    demand(guesses, **GUESSES)
    _spend(store, checkout_id, network)
    claim = Claim.of(body["store_credit_applied"], body["outstanding_balance"])
    try:
        with only_one(f"checkout {store.pk} {checkout_id}", wait=LOCK_SECONDS):
            offered = solicit(store, checkout_id, claim, shopper, _origin(store, request))
    except Busy as error:
        raise OverBudget(retry_after=1) from error
    except UnknownCheckout:
        spend(guesses, **GUESSES)
        raise
    public_id = str(offered.solicitation.public_id) if offered.solicitation else None
    return {
        "solicitation": public_id,
        "methods": offered.methods,
        "reasons": [str(reason) for reason in offered.reasons],
        "message": _message(offered.reasons, shopper.locale),
        "info": _info(offered, shopper.locale),
    }


def _info(offered: Offered, locale: str) -> Info | None:
    """None when SeQura named no key for this merchant, or no address for its script.

    https://docs.sequra.com/docs/widgets
    """
    found = offered.solicitation
    if found is None or not found.connection.assets_url:
        return None
    merchants = found.connection.merchants.filter(ref=found.merchant_ref, country=found.country)
    key = merchants.values_list("assets_key", flat=True).first()
    if not key:
        return None
    explained = {method["product"] for method in offered.methods} - UNEXPLAINED
    configuration = {
        "merchant": found.merchant_ref,
        "assetKey": key,
        "products": sorted(explained),
        "scriptUri": f"{found.connection.assets_url}sequra-checkout.min.js",
        "decimalSeparator": ",",
        "thousandSeparator": ".",
        "locale": LOCALES.get(language_of(locale), "es-ES"),
        "currency": found.currency,
    }
    return {"configuration": configuration, "amount": found.amount}


def _shopper(request: Request, body: dict[str, Any]) -> Shopper:
    """Who asks, as the request tells."""
    return Shopper(
        ip=request.META["REMOTE_ADDR"],
        user_agent=clean_text(request.headers.get("User-Agent", ""))[:500],
        locale=body["locale"].replace("_", "-"),
        layout=body["layout"],
    )


def _spend(store: Store, checkout_id: str, network: str) -> None:
    spend(f"ip {network}", allowed=600, seconds=60)
    spend(f"ip {store.pk} {network}", **OF_AN_ADDRESS)
    spend(f"checkout {store.pk} {checkout_id}", allowed=20, seconds=60)
    spend(f"store {store.pk}", **OF_A_STORE)


def _message(reasons: list[Reason], locale: str) -> str:
    """The one reason that a shopper can do something about, in their language."""
    if Reason.GIFT_CERTIFICATE not in reasons:
        return ""
    with translation.override(language_of(locale)):
        return _("SeQura cannot be combined with a gift certificate. Remove it to pay with SeQura.")


def _origin(store: Store, request: Request) -> str:
    """Where the shopper's checkout is: the browser's origin when it is the store's own."""
    origin = browser_origin(request)
    return origin if may_ask(store, origin) else origin_of(store.secure_url)
