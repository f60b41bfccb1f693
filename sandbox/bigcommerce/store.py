"""Store, channels, sites, currencies, statuses, settings: what an app asks before it starts."""

import time
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

from sandbox import settings
from sandbox.bigcommerce import statuses
from sandbox.bigcommerce.answers import data, listing, v2, v2_listing, v3
from sandbox.bigcommerce.geography import COUNTRIES, CURRENCIES
from sandbox.bigcommerce.models import Channel, Document, Store
from sandbox.bigcommerce.oauth import ACCOUNT_UUID
from sandbox.bigcommerce.webhooks import STORE_ID
from sandbox.knobs import knobs


def store(_request: HttpRequest, store_hash: str) -> JsonResponse:
    """`GET /v2/store`."""
    shop = Channel.objects.get(id=1).url
    own: Document = {
        "id": store_hash, "account_uuid": ACCOUNT_UUID, "domain": shop.partition("//")[2],
        "secure_url": shop, "control_panel_base_url": settings.PANEL_URL, "status": "live",
        "name": settings.STORE_NAME, "first_name": "Núria", "last_name": "Vidal",
        "address": "Carrer del Rec 15, 08003 Barcelona", "country": "Spain", "country_code": "ES",
        "infrastructure_region": "us-central1", "phone": "+34 932 000 000",
        "admin_email": "owner@mardefondo.example", "order_email": "orders@mardefondo.example",
        "favicon_url": "", "timezone": timezone(), "language": "es", "currency": "EUR",
        "currency_symbol": "€", "decimal_separator": ",", "thousands_separator": ".",
        "decimal_places": 2, "currency_symbol_location": "right", "weight_units": "KGS",
        "dimension_units": "Centimeters", "dimension_decimal_places": 2,
        "dimension_decimal_token": ",", "dimension_thousands_token": ".",
        "plan_name": "Partner Sandbox", "plan_level": "Partner Sandbox", "plan_is_trial": False,
        "industry": "Furniture", "logo": {"url": ""},
        "is_price_entered_with_tax": knobs.tax_inclusive, "store_id": int(STORE_ID),
        "default_channel_id": 1, "default_site_id": 1000, "active_comparison_modules": [],
        "features": {
            "stencil_enabled": True, "sitewidehttps_enabled": True, "facebook_catalog_id": "",
            "checkout_type": "optimized", "wishlists_enabled": True,
            "graphql_storefront_api_enabled": True, "shopper_consent_tracking_enabled": True,
            "multi_storefront_enabled": True,
            "storefront_limits": {"active": 3, "total_including_inactive": 4},
        },
    }  # fmt: skip
    return JsonResponse(own | Store.objects.get(hash=store_hash).details)


def timezone() -> Document:
    return {
        "name": "Europe/Madrid", "raw_offset": 3600, "dst_offset": 7200, "dst_correction": True,
        "date_format": {"display": "j M Y", "export": "j M Y", "extended_display": "j M Y @ H:i"},
    }  # fmt: skip


def clock(_request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`GET /v2/time`."""
    return JsonResponse({"time": int(time.time())})


def currencies(request: HttpRequest, **_parts: Any) -> HttpResponse:
    """`GET /v2/currencies`."""
    rows: list[Document] = [
        {
            "id": number, "is_default": code == "EUR",
            "country_iso2": "ES" if code == "EUR" else "",
            "default_for_country_codes": [], "currency_code": code, "name": name,
            "currency_exchange_rate": "1.0000000000", "auto_update": False,
            "token_location": "right", "token": symbol, "decimal_token": ",",
            "thousands_token": ".", "decimal_places": places, "enabled": True,
            "is_transactional": transactional, "use_default_name": True,
            "last_updated": "Sun, 01 Nov 2026 08:00:00 +0000",
        }
        for code, (number, name, symbol, places, transactional) in CURRENCIES.items()
    ]  # fmt: skip
    return v2_listing(request, rows)


def countries(request: HttpRequest, store_hash: str) -> HttpResponse:
    """`GET /v2/countries?country_iso2=`."""
    wanted = request.GET.get("country_iso2")
    rows = [
        {
            "id": number, "country": name, "country_iso2": iso2, "country_iso3": iso3,
            "states": {
                "url": f"{settings.API_URL}/stores/{store_hash}/v2/countries/{number}/states",
                "resource": f"/countries/{number}/states",
            },
        }
        for iso2, (number, name, iso3, _) in COUNTRIES.items()
        if wanted in (None, iso2)
    ]  # fmt: skip
    return v2_listing(request, rows)


def states(request: HttpRequest, country_id: int, **_parts: Any) -> HttpResponse:
    """`GET /v2/countries/{id}/states`."""
    for number, _, _, known in COUNTRIES.values():
        if number == country_id:
            rows = [
                {
                    "id": country_id * 100 + i, "state": name, "state_abbreviation": short,
                    "country_id": country_id,
                }
                for i, (name, short) in enumerate(known)
            ]  # fmt: skip
            return v2_listing(request, rows)
    raise v2(404, "The requested resource was not found.")


def order_statuses(request: HttpRequest, **_parts: Any) -> HttpResponse:
    """`GET /v2/order_statuses`."""
    rows = [
        {
            "id": number, "name": name, "system_label": name,
            "custom_label": statuses.label(number), "system_description": f"{name}.",
            "order": number,
        }
        for number, name in enumerate(statuses.NAMES)
    ]  # fmt: skip
    return v2_listing(request, rows)


# --- Channels and sites --------------------------------------------------------------------------


def channel_as_v3(channel: Channel) -> Document:
    moment = channel.created.isoformat()
    return {
        "id": channel.id, "name": channel.name, "type": channel.type, "platform": channel.platform,
        "status": channel.status, "external_id": "", "icon_url": "", "is_listable_from_ui": True,
        "is_visible": True, "is_enabled": channel.status == "active",
        "date_created": moment, "date_modified": moment,
    }  # fmt: skip


def channels(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`GET /v3/channels?available&type:in&include=currencies`."""
    kinds = [kind for kind in request.GET.get("type:in", "").split(",") if kind]
    rows = Channel.objects.order_by("id")
    if kinds:
        rows = rows.filter(type__in=kinds)
    if request.GET.get("available") == "true":
        rows = rows.filter(status__in=("active", "prelaunch", "connected"))
    shown = [channel_as_v3(channel) for channel in rows]
    if "currencies" in request.GET.get("include", ""):
        for channel in shown:
            channel["currencies"] = {
                "channel_id": channel["id"], "enabled_currencies": ["EUR", "USD", "GBP"],
                "default_currency": "EUR",
            }  # fmt: skip
    return listing(request, shown)


def opened(channel_id: int) -> Channel:
    channel = Channel.objects.filter(id=channel_id).first()
    if channel is None:
        raise v3(404, "Channel not found")
    return channel


def channel(_request: HttpRequest, channel_id: int, **_parts: Any) -> JsonResponse:
    return data(channel_as_v3(opened(channel_id)))


def currency_assignments(_request: HttpRequest, channel_id: int, **_parts: Any) -> JsonResponse:
    opened(channel_id)
    return data({
        "channel_id": channel_id, "enabled_currencies": ["EUR", "USD", "GBP"],
        "default_currency": "EUR",
    })  # fmt: skip


def site_as_v3(channel: Channel) -> Document:
    """A channel's site; without a checkout domain of its own, checkout is the default channel's."""
    moment = channel.created.isoformat()
    default = Channel.objects.get(id=1)
    checkout = channel.checkout_url or default.checkout_url or default.url
    canonical = f"https://store-{settings.STORE_HASH}.mybigcommerce.com"
    addresses = {"primary": channel.url, "canonical": canonical, "checkout": checkout}
    return {
        "id": 999 + channel.id, "url": channel.url, "channel_id": channel.id,
        "created_at": moment, "updated_at": moment, "ssl_status": "dedicated",
        "urls": [
            {"url": url, "type": kind, "created_at": moment, "updated_at": moment}
            for kind, url in addresses.items()
        ],
        "is_checkout_url_customized": bool(channel.checkout_url),
    }  # fmt: skip


def site(_request: HttpRequest, channel_id: int, **_parts: Any) -> JsonResponse:
    """`GET /v3/channels/{id}/site`; a channel without a site has none."""
    found = opened(channel_id)
    if not found.url:
        raise v3(404, "Site not found")
    return data(site_as_v3(found))


def sites(request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`GET /v3/sites?channel_id:in=`."""
    rows = Channel.objects.exclude(url="").order_by("id")
    wanted = request.GET.get("channel_id:in")
    if wanted:
        rows = rows.filter(id__in=[int(number) for number in wanted.split(",")])
    return listing(request, [site_as_v3(channel) for channel in rows])


# --- Settings ------------------------------------------------------------------------------------

CHECKOUT_SETTINGS: Document = {
    "checkout_type": "optimized_one_page", "guest_checkout_type": "enabled",
    "guest_checkout_for_existing_accounts": "allow", "policy_consent": "",
    "order_confirmation_contact_email": "orders@mardefondo.example",
    "order_terms_and_conditions_type": "link",
    "order_terms_and_conditions_link": "https://mardefondo.example/terms",
    "order_terms_and_conditions_textarea": "", "should_redirect_to_storefront_for_auth": False,
    "custom_checkout_script_url": "", "order_confirmation_use_custom_checkout_script": False,
    "custom_order_confirmation_script_url": "", "custom_checkout_supports_uco_settings": False,
    "custom_checkout_sri_hash": "", "custom_order_confirmation_sri_hash": "",
}  # fmt: skip


def checkout_settings(_request: HttpRequest, channel_id: int, **_parts: Any) -> JsonResponse:
    """`GET /v3/checkouts/settings/channels/{id}`: 422 for an unknown channel."""
    channel = Channel.objects.filter(id=channel_id).first()
    if channel is None:
        raise v3(422, "Invalid channel id", {"channel_id": "Channel does not exist"})
    terms = {"is_order_terms_and_conditions_enabled": knobs.terms_required}
    return data(CHECKOUT_SETTINGS | terms | channel.settings)


SETTINGS: dict[str, Document] = {
    "storefront/security": {
        "csp_header": {"enabled": False, "header_value": ""},
        "hsts": {
            "enabled": True, "include_preload": False, "include_subdomains": False,
            "max_age": "one_year",
        },
        "sitewide_https_enabled": True,
        "x_frame_options_header": {
            "allowed_url": "", "enabled": True, "setting": "same_origin",
        },
    },
    "inventory": {
        "product_out_of_stock_behavior": "do_nothing", "option_out_of_stock_behavior": "do_nothing",
        "update_stock_behavior": "order_placed", "edit_order_stock_adjustment": True,
        "refund_order_stock_adjustment": False, "stock_level_display": "show",
        "default_out_of_stock_message": "", "hide_in_product_filtering": False,
        "show_pre_order_stock_levels": False, "show_out_of_stock_message": True,
    },
    "store/locale": {
        "default_shopper_language": "es", "shopper_language_selection_method": "browser",
        "store_country": "Spain",
    },
    "store/profile": {
        "store_address": "Carrer del Rec 15, 08003 Barcelona", "store_address_type": "Retail",
        "store_email": "owner@mardefondo.example", "store_name": settings.STORE_NAME,
        "store_phone": "+34 932 000 000",
    },
    "email-statuses": {"invoice_email": True, "combined_order_status_email": True},
}  # fmt: skip


def settings_of(_request: HttpRequest, name: str, store_hash: str) -> JsonResponse:
    """`GET /v3/settings/{name}`; `details["settings"]` of the store overrides."""
    if name not in SETTINGS:
        raise v3(404, "The requested resource was not found.")
    override = Store.objects.get(hash=store_hash).details.get("settings", {}).get(name, {})
    return data(SETTINGS[name] | override)


def tax_settings(_request: HttpRequest, **_parts: Any) -> JsonResponse:
    """`GET /v3/tax/settings`."""
    return data({
        "tax_entered_with_prices": knobs.tax_inclusive,
        "price_display_settings": {
            "control_panel_price_display_strategy": "ZONE",
            "invoice_price_display_strategy": "ZONE",
        },
        "fallback_strategy": "BASIC", "should_subtract_store_tax": True,
        "should_use_geolocation_to_determine_guest_shopper_tax_zone": False,
        "document_submission_strategy": "ON_ORDER_CREATION", "rounding_strategy": "RATE_ROUNDING",
    })  # fmt: skip
