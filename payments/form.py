"""SeQura's identification form, fetched again for every attempt.

https://docs.sequra.com/docs/fetch-identification-form
"""

from datetime import timedelta
from html.parser import HTMLParser
from typing import Any, TypedDict

import structlog
from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

import bigcommerce.api
from payloads.checkout.eligibility import find_method, offered_methods
from payments.models import Solicitation
from payments.solicited_order import return_url
from sequra.client import Rejected, Sequra, Unavailable
from sequra.documents import origin
from stores.clients import bigcommerce_for, deployments, sequra_for, storefront_session
from stores.models import Store
from stores.rate_limit import LIMITS, consume

log = structlog.get_logger()
_LIVES = timedelta(hours=2)
_AWAY = _("SeQura isn't responding right now. Try again in a moment or choose another method.")
_CHANGED = _("Your cart has changed. Choose the payment method again.")
_TERMS = _("Accept the terms and conditions to continue.")


class FormAnswer(TypedDict):
    """SeQura's form, and where to follow the payment."""

    html: str
    origins: list[str]  # frames and scripts of the form come from these alone
    status_url: str
    return_url: str


class NoForm(Exception):
    """There is no form for this request: a code for the script, a message for the shopper."""

    def __init__(self, code: str, status: int, message: str | Promise = "") -> None:
        super().__init__(code)
        self.code, self.status, self.message = code, status, message


class _Sources(HTMLParser):
    """Collect every URL from which the form loads a frame or a script."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        loading = ("src", "srcdoc", "data") + (("href",) if tag in ("link", "base") else ())
        self.found += [value or "" for name, value in attrs if name in loading]


def show_form(store: Store, choice: dict[str, Any]) -> FormAnswer:
    """Return the form's HTML and what the script needs to follow the payment. Raise NoForm."""
    if choice["terms_accepted"] is False:
        raise NoForm("terms_not_accepted", 409, _TERMS)
    solicitation = _live(store, choice)
    if choice["terms_accepted"] is None and terms_required(solicitation):
        raise NoForm("terms_not_accepted", 409, _TERMS)
    consume(f"form {solicitation.pk}", **LIMITS["form"])
    product, campaign = choice["product"], choice["campaign"] or None
    html = _fetch(solicitation, product, campaign)
    origins = _check_sources(html, _trusted_origins(solicitation))
    solicitation.note(product=product, campaign=campaign or "", form_shown_at=timezone.now())
    status = reverse("storefront_status", args=[store.public_id, solicitation.public_id])
    return {
        "html": html,
        "origins": origins,
        "status_url": settings.APP_URL + status,
        "return_url": return_url(solicitation),
    }


def _live(store: Store, choice: dict[str, Any]) -> Solicitation:
    """Return the solicitation if it may still be paid with the chosen method. Raise NoForm."""
    found = (
        Solicitation.objects.select_related("store", "connection")
        .filter(store=store, public_id=choice["solicitation"])
        .first()
    )
    if found is None:
        raise NoForm("unknown", 404)
    too_old = found.created_at < timezone.now() - _LIVES
    if too_old or found.phase != Solicitation.Phase.SOLICITED:
        raise NoForm("cart_changed", 409, _CHANGED)
    offered, _noes = offered_methods(found.payment_methods, found.amount, timezone.now())
    if find_method(offered, choice["product"], choice["campaign"]) is None:
        raise NoForm("unknown_method", 409, _CHANGED)
    return found


def terms_remembered(solicitation: Solicitation) -> bool:
    """Return whether the storefront required its terms when its settings were last read."""
    channels = solicitation.store.channels
    return any(one.get("terms") for one in channels if one["id"] == solicitation.channel_id)


def terms_required(solicitation: Solicitation) -> bool:
    """Return whether the storefront requires its terms now, or as last known."""
    store, channel = solicitation.store, solicitation.channel_id
    try:
        api = bigcommerce_for(store, session=storefront_session())
        settings_now = api.checkout_settings(channel)
    except (bigcommerce.api.Rejected, bigcommerce.api.Unavailable) as error:
        log.warning("terms_unknown", store=store.hash, why=str(error))
        return terms_remembered(solicitation)
    return bool(settings_now.get("is_order_terms_and_conditions_enabled"))


def _fetch(solicitation: Solicitation, product: str, campaign: str | None) -> str:
    api = sequra_for(solicitation.connection, storefront_session())
    try:
        return api.form(solicitation.merchant_ref, solicitation.sequra_order, product, campaign)
    except Unavailable as error:
        log.warning("form_unavailable", reference=str(solicitation.reference), why=error.reason)
        raise NoForm("sequra_unavailable", 502, _AWAY) from error
    except Rejected as error:
        log.warning("form_refused", reference=str(solicitation.reference), status=error.status)
        raise _refused(api, solicitation, error) from error


def _refused(api: Sequra, solicitation: Solicitation, refusal: Rejected) -> NoForm:
    """Return the error for a rejected account, or for a solicitation to be made again."""
    try:
        away = api.is_about_us(refusal, solicitation.merchant_ref)
    except Unavailable:
        away = True
    if away:
        return NoForm("sequra_unavailable", 409, _AWAY)
    solicitation.note(stale=True)
    return NoForm("cart_changed", 409, _CHANGED)


def _trusted_origins(solicitation: Solicitation) -> set[str]:
    """Return the origins of the deployments document, or the connection's when it is unreadable."""
    connection = solicitation.connection
    named = (connection.api_url, connection.assets_url, settings.SEQURA_DEPLOYMENTS_URL)
    ours = {origin(url) for url in named if url}
    try:
        return ours.union(*(deployment.origins for deployment in deployments()))
    except (Rejected, Unavailable):
        return ours


def _check_sources(html: str, trusted: set[str]) -> list[str]:
    """Return the origins that the form loads from. Raise NoForm if one is not trusted."""
    parser = _Sources()
    parser.feed(html)
    for source in parser.found:
        if not _is_from(source, trusted):
            log.error("form_source_untrusted", source=source[:200])
            raise NoForm("sequra_unavailable", 502, _AWAY)
    return sorted(trusted)


def _is_from(source: str, trusted: set[str]) -> bool:
    try:
        return origin(source) in trusted
    except ValueError:
        return False
