"""A store from outside: origins, language, time zone, and the addresses of its orders."""

from contextlib import suppress
from urllib.parse import urlsplit
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import idna
from django.conf import settings
from django.db.models.expressions import Combinable
from django.http import Http404, HttpRequest

from sequra.documents import READ_SPANISH
from stores.models import Store


def language_of(locale: str) -> str:
    """Return our language for a BCP-47 locale such as `es-MX` or `ca`; English by default."""
    language = locale.strip().replace("_", "-").split("-")[0].lower()
    if language in READ_SPANISH:
        return "es"
    return language if language in dict(settings.LANGUAGES) else "en"


def time_zone_of(store: Store) -> ZoneInfo:
    """Return the store's time zone, UTC when it is invalid."""
    try:
        return ZoneInfo(store.timezone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return ZoneInfo("UTC")


def origin_of(url: str) -> str:
    """`https://host[:port]` of an address as a browser would write it; nothing for no address.

    Browsers write `ñandú.example` as `xn--and-6ma2c.example`.
    """
    try:
        parts = urlsplit(url)
        host = _ascii(parts.netloc.rpartition("@")[2].lower())
    except ValueError:
        return ""
    host = host.removesuffix(":443" if parts.scheme == "https" else ":80")
    safe = host.isascii() and all(c.isalnum() or c in ".-:[]" for c in host)
    return f"{parts.scheme}://{host}" if parts.scheme in ("http", "https") and host and safe else ""


def _ascii(host: str) -> str:
    """Return the host as DNS knows it. Raise ValueError when it is invalid."""
    if host.isascii():
        return host
    name, colon, port = host.partition(":")
    return idna.encode(name, uts46=True).decode() + colon + port


def browser_origin(request: HttpRequest) -> str:
    """Return a browser's origin, written like those of a store; empty for another text."""
    named = request.headers.get("Origin", "")
    with suppress(UnicodeError):  # a header's bytes, when they are not ASCII
        named = named.encode("latin-1").decode()
    scheme, _, rest = named.partition("://")
    return origin_of(named) if scheme and not set("/?#@\\") & set(rest) else ""


def may_ask(store: Store, origin: str) -> bool:
    """Return whether this store's checkout runs at that origin, however it is spelled."""
    return bool(origin) and (
        origin in store.origins or origin in {origin_of(known) for known in store.origins}
    )


# What a request of a checkout may need: neither the secrets of other parts nor the settings of
# statuses, reports and the log, which are most of the row.
_OF_A_CHECKOUT = (
    "hash", "public_id", "state", "access_token", "authorised_at", "secure_url", "channels",
    "environment", "checkout_asked_at", "allowed_ips", "excluded_categories", "excluded_products",
    "excluded_subcategories", "disabled_channels", "channel_settings", "offers_services",
    "excluded_groups", "offers_companies", "scopes", "services_end",
)  # fmt: skip


def storefront_store(public_id: UUID, *columns: str, **also: Combinable) -> Store:
    """Return the installed store with this public id, or raise Http404 without a reason.

    `columns` are read besides the usual ones; `also` are expressions that its row gets as
    attributes.
    """
    installed = Store.objects.filter(public_id=public_id, state=Store.State.INSTALLED)
    store = installed.only(*_OF_A_CHECKOUT, *columns).annotate(**also).first()
    if store is None:
        raise Http404
    return store


# Where an order is found in the two systems.
#
# SeQura has one portal per environment, whatever the deployment.
# https://docs.sequra.com/docs/post-checkout-integration
def portal_link(environment: str, reference: UUID | None) -> str:
    """Return the URL of the order in SeQura's portal; empty for an order unknown to SeQura."""
    return f"{portal_home(environment)}/orders/{reference}" if reference else ""


def portal_home(environment: str) -> str:
    """Return the URL of the portal."""
    home: str = settings.PORTAL_URL if environment == "live" else settings.PORTAL_SANDBOX_URL
    return home


def order_link(store: Store, bigcommerce_id: int | None) -> str:
    """Return the URL of the order in BigCommerce's control panel; empty without an order."""
    if bigcommerce_id is None:
        return ""
    return f"{_control_panel(store)}/manage/orders/{bigcommerce_id}"


def app_link(store: Store) -> str:
    """Return the URL of the app in BigCommerce's control panel; of all apps without its number."""
    app = settings.BIGCOMMERCE_APP_ID
    return f"{_control_panel(store)}/manage/{f'app/{app}' if app else 'apps'}"


def _control_panel(store: Store) -> str:
    return origin_of(store.control_panel_url) or f"https://store-{store.hash}.mybigcommerce.com"
