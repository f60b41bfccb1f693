"""Read from BigCommerce: a store's name, its control panel, its storefronts."""

from typing import Any

import structlog

from bigcommerce.client import BigCommerce
from bigcommerce.documents import Channel, Site
from bigcommerce.errors import Rejected, Unavailable
from stores.models import Store
from stores.registration.changes import Problem
from stores.storefronts import origin_of

log = structlog.get_logger(__name__)

FIELDS = [
    "name",
    "email",
    "secure_url",
    "control_panel_url",
    "country",
    "currency",
    "timezone",
    "language",
    "channels",
]


def refresh(api: BigCommerce, store: Store) -> list[Problem]:
    """Read the store's facts and storefronts anew, into `store`; saving is the caller's."""
    facts = api.store()
    store.name = _text(facts.get("name"), 255)
    store.email = _text(facts.get("admin_email"), 255)
    store.secure_url = origin_of(_text(facts.get("secure_url"), 255))
    store.control_panel_url = origin_of(_text(facts.get("control_panel_base_url"), 255))
    store.country = _text(facts.get("country_code"), 2)
    store.currency = _text(facts.get("currency"), 3)
    store.timezone = _text((facts.get("timezone") or {}).get("name"), 64) or "UTC"
    store.language = _text(facts.get("language"), 16)
    store.channels = [_channel(api, store, channel) for channel in api.channels()]
    return []


def _text(value: object, limit: int) -> str:
    return str(value or "").replace("\0", "")[:limit]


def _channel(api: BigCommerce, store: Store, channel: Channel) -> dict[str, Any]:
    return {
        "id": channel["id"],
        "name": _text(channel.get("name"), 255),
        "origins": _origins(store, channel["id"], api.site(channel["id"])),
        **_checkout(api, store, channel["id"]),
    }


def _checkout(api: BigCommerce, store: Store, channel_id: int) -> dict[str, Any]:
    """Return the storefront's checkout settings; without an answer they are empty."""
    try:
        found = api.checkout_settings(channel_id)
    except (Rejected, Unavailable) as error:
        log.info("checkout_settings_unknown", store=store.hash, why=str(error))
        found = {}
    return {
        "terms": bool(found.get("is_order_terms_and_conditions_enabled")),
        "checkout_type": _text(found.get("checkout_type"), 64),
        "custom_checkout": bool(found.get("custom_checkout_script_url")),
    }


def _origins(store: Store, channel_id: int, site: Site) -> list[str]:
    """Where the channel's checkout may run: its site, its checkout domain, BigCommerce's own.

    The last is https://store-{hash}.mybigcommerce.com, with the channel id behind it on stores
    with more than one storefront.
    """
    addresses = [site.get("url", ""), *(row.get("url", "") for row in site.get("urls") or [])]
    own = f"https://store-{store.hash}"
    addresses += [f"{own}.mybigcommerce.com", f"{own}-{channel_id}.mybigcommerce.com"]
    if channel_id == 1:
        addresses.append(store.secure_url)
    return sorted({origin_of(address) for address in addresses} - {""})
