"""solicit(): turn a checkout into a SeQura order, and its payment methods into buttons.

Everything is read server to server. Of the browser only its claim about store credit counts, where
BigCommerce shows it to no app, and only when it explains the amount to the cent. https://docs.sequra.com/docs/start-solicitation
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any, cast

import structlog
from django.db import connection
from django.db.models import BooleanField
from django.db.models.expressions import RawSQL
from django.utils import timezone

import bigcommerce.api
import sequra.client
from bigcommerce.api import Quota, Rejected, Unavailable
from bigcommerce.client import BigCommerce
from bigcommerce.documents import Checkout
from orders.queue import throttle
from payloads.checkout.eligibility import (
    MOST,
    Method,
    Rules,
    availability,
    channel_of,
    ip_allowed,
    offered_methods,
)
from payloads.checkout.lines import Claim, credit_balance
from payloads.checkout.other_payments import other_payments
from payloads.checkout.parts import currency_of, customer_number, items, reference_of
from payloads.checkout.reasons import NotOffered, Reason
from payloads.checkout.shopper import merchant_country
from payloads.checkout.solicitation import fingerprint
from payloads.money import NotMoney, to_cents
from payloads.order.services import Terms, product_terms
from payments.balance import balance_of
from payments.models import Solicitation
from payments.notifications import digest
from payments.solicited_order import keep, order_of, sent_order
from stores.channels import ChannelSettings, in_use, selling_in
from stores.clients import bigcommerce_for, sequra_for, storefront_session
from stores.models import Connection, Merchant, Store
from transport.reading import clean_text, number_of

_NOT_FOUND = 404
_GOODS = ("physical_items", "digital_items")
# SeQura receives ten earlier orders; some of those read are Incomplete and do not count.
_ORDERS_READ = 20


class UnknownCheckout(Exception):
    """The store has no such checkout. The answer is a plain 404."""


def _read_checkout(api: BigCommerce, checkout_id: str) -> Checkout:
    try:
        return api.checkout(checkout_id)
    except Rejected as error:
        if error.status == _NOT_FOUND:
            raise UnknownCheckout(checkout_id) from error
        raise


def _customer_of(api: BigCommerce, checkout: Checkout, *, needed: bool) -> Any:
    """Return the registered customer with the store credit; None for a guest.

    Also None when BigCommerce does not return the customer and nothing depends on it: a purchase
    without store credit needs no more than the checkout, unless a customer group is excluded.
    """
    customer_id = customer_number(checkout)
    if not customer_id:
        return None
    try:
        return api.customer(customer_id)
    except (Rejected, Unavailable) as error:
        if needed:
            raise
        log.warning("customer_unavailable", checkout=checkout.get("id"), reason=str(error))
        return None


def _orders_of_customer(api: BigCommerce, checkout: Checkout) -> list[Any]:
    """Return a registered customer's latest orders; none for a guest.

    The history is optional for SeQura: without an answer the purchase continues.
    """
    customer_id = customer_number(checkout)
    if not customer_id:
        return []
    newest = "date_created:desc"
    try:
        return list(api.orders(customer_id=customer_id, sort=newest, limit=_ORDERS_READ, page=1))
    except (Rejected, Unavailable) as error:
        log.warning("order_history_unavailable", checkout=checkout.get("id"), reason=str(error))
        return []


def _products_of(api: BigCommerce, rules: Rules, checkout: Checkout) -> list[Any]:
    """Return the catalogue's documents of the goods, read only when something is excluded."""
    if not (rules.excluded_categories or rules.excluded_products):
        return []
    found = (number_of(item.get("product_id")) for item in items(checkout, *_GOODS))
    ids = {product_id for product_id in found if product_id}
    return list(api.products(ids)) if ids else []


def _services_of(
    api: BigCommerce, store: Store, merchant: Merchant, checkout: Checkout
) -> dict[str, Terms]:
    """Return how the digital goods are sold as services, by the reference of their lines.

    Their custom fields are read only when the store sells services, and the contract holds them.
    """
    options = merchant.contract_options
    goods = list(items(checkout, "digital_items"))
    if not (store.services_end and "services" in options and goods):
        return {}
    ids = {key for item in goods if (key := number_of(item.get("product_id")))}
    known = {product["id"]: product for product in api.custom_fields(ids)}
    found: dict[str, Terms] = {}
    for item in goods:
        product = known.get(number_of(item.get("product_id")) or 0, {})
        if terms := product_terms(product, store.services_end, options):
            found[reference_of(item)] = terms
    return found


log = structlog.get_logger()

_REUSED_FOR = timedelta(minutes=15)
_UNKNOWN_FOR = timedelta(minutes=1)
UNKNOWN = "unknown_checkout"
_UNAUTHORISED = 401
_Quotas = dict[int, Quota | None]  # what BigCommerce reported, by store
_ODD_DOCUMENT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)


@dataclass
class Offered:
    """The outcome of `solicit`: buttons, or the reasons why there are none."""

    attempt: Solicitation | None = None  # whose payment methods were looked at
    methods: list[Method] = field(default_factory=list)
    assets_key: str = ""  # of the merchant, for SeQura's script
    reasons: list[Reason] = field(default_factory=list)
    detail: str = ""

    @property
    def solicitation(self) -> Solicitation | None:
        """Return the attempt when it can be paid."""
        return self.attempt if self.methods else None


@dataclass(frozen=True)
class Shopper:
    """The shopper's request: address, browser, language and layout."""

    ip: str
    user_agent: str
    locale: str
    layout: str


def solicit(store: Store, checkout_id: str, claim: Claim, shopper: Shopper, origin: str) -> Offered:
    """Offer SeQura for this checkout, or return the reasons not to. Store either for the merchant.

    Raises UnknownCheckout when the store has no such checkout.
    """
    attempt = Solicitation(
        store=store,
        checkout_id=checkout_id,
        origin=origin,
        claim=asdict(claim),
        shopper=asdict(shopper),
    )
    merchants = merchants_in_use(store, **_known(attempt))
    if any(cast(Any, merchant).is_unknown for merchant in merchants):
        raise UnknownCheckout  # as a moment ago
    quotas: _Quotas = {}
    try:
        offered = _or_reason(attempt, claim, merchants, quotas)
    except UnknownCheckout:
        _remember(attempt, quotas, [UNKNOWN])
        raise
    reasons = [str(reason) for reason in offered.reasons]
    _remember(attempt, quotas, reasons, offered.detail, offered.attempt)
    return offered


def _or_reason(
    attempt: Solicitation, claim: Claim, merchants: Sequence[Merchant], quotas: _Quotas
) -> Offered:
    """Run `_solicit` and turn every failure into a reason."""
    try:
        return _solicit(attempt, claim, merchants, quotas)
    except NotOffered as no:
        return Offered(reasons=[no.reason], detail=no.detail)
    except Rejected as error:
        return Offered(reasons=[_refused(attempt.store, error)], detail=error.message)
    except (bigcommerce.api.Unavailable, sequra.client.Unavailable) as error:
        is_sequra = isinstance(error, sequra.client.Unavailable)
        reason = Reason.SEQURA_UNAVAILABLE if is_sequra else Reason.BIGCOMMERCE_UNAVAILABLE
        return Offered(reasons=[reason], detail=error.reason)
    except NotMoney as odd:
        return Offered(reasons=[Reason.UNREADABLE], detail=str(odd))
    except _ODD_DOCUMENT:
        # A defect of ours or an unexpected document: the shopper pays in another way.
        log.exception("checkout_unreadable", store=attempt.store.hash)
        return Offered(reasons=[Reason.UNREADABLE])


def _refused(store: Store, error: Rejected) -> Reason:
    """A refused token is no refusal when it was replaced meanwhile: the next question has it."""
    if error.status == _UNAUTHORISED:
        store.needs_reauthorisation()
        if store.is_authorised_anew():
            return Reason.BIGCOMMERCE_UNAVAILABLE
    return Reason.REFUSED_BY_BIGCOMMERCE


_REMEMBER = f"""
WITH attempt AS (
    UPDATE payments_solicitation SET reference = %(reference)s, payment_methods = %(methods)s::jsonb
    WHERE id = %(attempt)s AND %(reference)s::uuid IS NOT NULL
), quota AS ({throttle.RECORD_QUOTAS})
INSERT INTO payments_offer (store_id, environment, checkout_id, attempt_id, reasons, detail, at)
VALUES (%(store)s, %(environment)s, %(checkout)s, %(of)s, %(reasons)s::jsonb, %(detail)s, now())
"""  # noqa: S608 (parts of ours)


def _remember(
    attempt: Solicitation,
    quotas: _Quotas,
    reasons: list[str],
    detail: str = "",
    of: Solicitation | None = None,
) -> None:
    """Store what was learnt, in one statement: after the calls, when nothing else is waited for."""
    store, checkout_id = attempt.store, attempt.checkout_id
    with connection.cursor() as cursor:
        cursor.execute(
            _REMEMBER,
            {
                **throttle.quota_rows(quotas),
                "attempt": attempt.pk,
                "reference": attempt.reference,
                "methods": json.dumps(attempt.payment_methods),
                "store": store.pk,
                "environment": store.environment,
                "checkout": checkout_id,
                "of": of.pk if of else None,
                "reasons": json.dumps(reasons),
                "detail": clean_text(detail),
            },
        )
    if reasons != [UNKNOWN]:
        store.checkout_asked()
    if reasons:
        log.info("not_offered", store=store.hash, checkout=checkout_id, reasons=reasons)


def _solicit(
    attempt: Solicitation, claim: Claim, merchants: Sequence[Merchant], quotas: _Quotas
) -> Offered:
    """Check first what costs no call: each later check costs one."""
    _check_without_calls(attempt.store, merchants, attempt.shopper["ip"])
    api = bigcommerce_for(attempt.store, session=storefront_session())
    try:
        return _ask(attempt, claim, api, merchants)
    finally:
        if api.quota:
            quotas[attempt.store_id] = api.quota


# Conditions as SQL: Django composes them anew for each request, for a tenth of its processor time.
_WAS_UNKNOWN = f"""EXISTS (SELECT FROM payments_offer WHERE store_id = %s AND checkout_id = %s
    AND at > %s AND reasons = '["{UNKNOWN}"]')"""
# The attempts for the same checkout that a shopper may still pay with.
_REUSABLE = """store_id = %s AND checkout_id = %s AND claim = %s AND origin = %s AND NOT stale
    AND shopper @> %s AND phase = 'solicited' AND state = '' AND reference IS NOT NULL
    AND created_at > %s"""


def _known(attempt: Solicitation) -> dict[str, RawSQL]:
    """Return what to ask about the checkout beside the merchants, in the same statement.

    `is_unknown`: it did not exist a moment ago. `is_known`: it may be offered as before.
    """
    since = timezone.now() - _UNKNOWN_FOR
    reusable = f"EXISTS (SELECT FROM payments_solicitation WHERE {_REUSABLE})"
    return {
        "is_unknown": RawSQL(_WAS_UNKNOWN, [attempt.store_id, attempt.checkout_id, since]),  # noqa: S611 (ours)
        "is_known": RawSQL(reusable, _of_reusable(attempt)),  # noqa: S611 (ours)
    }


def _of_reusable(attempt: Solicitation) -> list[Any]:
    """Return the values for `_REUSABLE`."""
    same = {name: attempt.shopper[name] for name in ("locale", "layout")}
    return [
        attempt.store_id,
        attempt.checkout_id,
        json.dumps(attempt.claim),
        attempt.origin,
        json.dumps(same),
        timezone.now() - _REUSED_FOR,
    ]


def _ask(
    attempt: Solicitation, claim: Claim, api: BigCommerce, known: Sequence[Merchant]
) -> Offered:
    checkout = _read_checkout(api, attempt.checkout_id)
    attempt.channel_id = channel_of(checkout)
    merchants = selling_in(attempt.store, attempt.channel_id, known)
    rules = rules_of(attempt.store, attempt.channel_id, merchants)
    total, ip = to_cents(checkout.get("grand_total", "")), attempt.shopper["ip"]
    if reasons := availability(rules, checkout, amount=total, ip=ip):
        return Offered(reasons=reasons, detail=_storefront(attempt))
    needed = claim.applied or bool(rules.excluded_groups)
    customer = _customer_of(api, checkout, needed=needed)
    shown = balance_of(attempt.store, checkout)
    balance = credit_balance(customer) if claim.applied or shown else 0
    attempt.other_payments = other_payments(balance, total, claim, shown)
    attempt.amount = max(0, total - attempt.other_payments.total)
    if total > MOST:
        raise NotOffered(Reason.AMOUNT)
    products = _products_of(api, rules, checkout)
    if reasons := availability(
        rules, checkout, amount=attempt.amount, ip=ip, products=products, customer=customer
    ):
        return Offered(reasons=reasons, detail=_storefront(attempt))
    merchant = merchants[merchant_country(checkout)]
    _address(attempt, checkout, merchant)
    services = _services_of(api, attempt.store, merchant, checkout)
    order = order_of(attempt, checkout, customer=customer, services=services)
    attempt.fingerprint = fingerprint(order)
    key = merchant.assets_key
    if earlier := _earlier(attempt, merchant):
        return _with_methods(earlier, key)
    if history := _orders_of_customer(api, checkout):
        order = order_of(attempt, checkout, customer=customer, orders=history, services=services)
    keep(attempt, order)
    return _with_methods(_new(attempt), key)


def _storefront(attempt: Solicitation) -> str:
    """Return the storefront's name for the merchant, where others may have other rules."""
    known = {one["id"]: str(one["name"]) for one in attempt.store.channels}
    return known.get(attempt.channel_id, "") if len(known) > 1 else ""


def _address(attempt: Solicitation, checkout: Checkout, merchant: Merchant) -> None:
    """Set the SeQura merchant that this attempt goes to, and its country and currency."""
    attempt.connection, attempt.merchant_ref = merchant.connection, merchant.ref
    attempt.country, attempt.currency = merchant.country, currency_of(checkout)


def _check_without_calls(store: Store, merchants: Sequence[Merchant], ip: str) -> None:
    """Raise NotOffered for reasons that are known without a call."""
    if reason := no_access(store, merchants):
        raise NotOffered(reason)
    if not ip_allowed(ip, store.allowed_ips):
        raise NotOffered(Reason.IP_NOT_ALLOWED)


def no_access(store: Store, merchants: Sequence[Merchant]) -> Reason | None:
    """Return why no checkout of the store can be offered SeQura: an account is missing."""
    if merchants and store.state == Store.State.NEEDS_REAUTHORISATION:
        return Reason.ACCESS_LOST
    return None if merchants and store.is_installed else Reason.NOT_CONNECTED


def merchants_in_use(store: Store, **also: RawSQL) -> list[Merchant]:
    """Return the merchant ids with which any storefront of the store sells."""
    return list(in_use(store).select_related("connection").annotate(**also))


def rules_of(store: Store, channel_id: int, merchants: dict[str, Merchant]) -> Rules:
    """Return the rules of a storefront, which sells with these merchant ids."""
    own = ChannelSettings(store, channel_id)
    return Rules(
        connected=True,
        countries={country: found.contract_options for country, found in merchants.items()},
        allowed_ips=store.allowed_ips,
        excluded_products=own.excluded_products,
        excluded_categories=own.excluded_categories,
        disabled_channels=store.disabled_channels,
        offers_services=store.offers_services,
        offers_companies=store.offers_companies,
        excluded_groups=store.excluded_groups,
    )


def _earlier(attempt: Solicitation, merchant: Merchant) -> Solicitation | None:
    """Return an earlier attempt for the same checkout if nothing changed that SeQura assessed."""
    if not cast(Any, merchant).is_known:
        return None
    same = Solicitation.objects.filter(
        RawSQL(_REUSABLE, _of_reusable(attempt), output_field=BooleanField()),  # noqa: S611 (ours)
        connection=attempt.connection,
        merchant_ref=attempt.merchant_ref,
        fingerprint=attempt.fingerprint,
    )
    found = same.order_by("-id").first()
    if found and found.other_payments != attempt.other_payments:
        return None  # as much as before, and by other certificates
    if found:
        found.store, found.connection = attempt.store, attempt.connection  # not read again
    return found


def _new(attempt: Solicitation) -> Solicitation:
    """Solicit at SeQura. The row is stored first, so that no attempt is lost.

    `_remember` adds SeQura's reference and payment methods.
    """
    connection = attempt.connection
    if connection.is_refused:
        raise NotOffered(Reason.ACCOUNT_REFUSED)
    attempt.token_digest = digest(attempt.token)
    attempt.save()
    api = sequra_for(connection, storefront_session())
    try:
        reference = api.solicit(attempt.merchant_ref, sent_order(attempt))
        options = api.order_payment_methods(attempt.merchant_ref, reference)
    except sequra.client.Rejected as error:
        log.warning("solicitation_refused", status=error.status, request=error.request_id)
        if error.status == 401:
            raise NotOffered(_paused(connection), error.message) from error
        raise NotOffered(Reason.REFUSED_BY_SEQURA, error.message) from error
    connection.resume()
    log.info("solicited", store=attempt.store.hash, reference=str(reference))
    # Both or none: without its methods an attempt must not be offered again.
    attempt.reference, attempt.payment_methods = reference, options
    return attempt


def _paused(connection: Connection) -> Reason:
    """A password that was replaced meanwhile is not the one that SeQura refused."""
    connection.pause()
    return Reason.ACCOUNT_REFUSED if connection.is_refused else Reason.SEQURA_UNAVAILABLE


def _with_methods(attempt: Solicitation, assets_key: str) -> Offered:
    methods, reasons = offered_methods(attempt.payment_methods, attempt.amount, timezone.now())
    return Offered(attempt, methods, assets_key, reasons)
