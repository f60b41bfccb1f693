"""Addresses of a V3 checkout as SeQura wants them, and the country that chooses the merchant."""

from payments.parts import Document, items
from sequra.phones import mobile_phone


def country_code(address: Document | None) -> str:
    """ISO 3166-1 alpha-2, upper case; empty when unknown. `country` is localised: never read."""
    return str((address or {}).get("country_code") or "").strip().upper()


def needs_shipping(checkout: Document) -> bool:
    """Does anything in the cart travel? Then there must be a consignment."""
    return any(
        item.get("is_require_shipping") is not False for item in items(checkout, "physical_items")
    )


def consignment(checkout: Document) -> Document | None:
    """The consignment SeQura is told about: the first that carries something physical.

    A SeQura order has one delivery address. None when nothing is shipped.
    """
    physical = {item.get("id") for item in items(checkout, "physical_items", "custom_items")}
    for candidate in checkout.get("consignments") or [] if physical else []:
        carried = set(candidate.get("line_item_ids") or physical)
        if carried & physical:
            return candidate  # type: ignore[no-any-return]
    return None


def is_pickup(chosen: Document) -> bool:
    return bool(chosen.get("selected_pickup_option"))


def delivery_address(checkout: Document) -> Document | None:
    """BigCommerce's delivery address, or None when there is none: digital, or collected."""
    address = (consignment(checkout) or {}).get("address") or {}
    return address if is_told(address) else None


def is_told(address: Document) -> bool:
    """BigCommerce shows an address that nobody entered as `{}` or as empty texts."""
    return any(address.get(key) for key in ("address1", "postal_code", "city", "country_code"))


def merchant_country(checkout: Document) -> str:
    """The country whose SeQura merchant finances this checkout; empty when not known yet.

    The country of delivery. The billing country counts only when nothing is delivered anywhere:
    a delivery to a country without merchant is a no, wherever the bill goes.
    """
    delivery = delivery_address(checkout)
    if delivery is not None:
        return country_code(delivery)
    if needs_shipping(checkout) and not is_pickup(consignment(checkout) or {}):
        return ""
    return country_code(checkout.get("billing_address"))


def sequra_address(address: Document) -> dict[str, str]:
    """SeQura requires the keys, not their contents; what is missing the form asks for."""
    country, phone = country_code(address), _text(address, "phone")
    told = {
        "given_names": _text(address, "first_name"),
        "surnames": _text(address, "last_name"),
        "company": _text(address, "company"),
        "address_line_1": _text(address, "address1"),
        "address_line_2": _text(address, "address2"),
        "postal_code": _text(address, "postal_code"),
        "city": _text(address, "city"),
        "country_code": country,
    }
    optional = {
        "state": _text(address, "state_or_province"),
        "phone": phone,
        "mobile_phone": mobile_phone(phone, country),
    }
    return told | {key: text for key, text in optional.items() if text}


def _text(address: Document, key: str) -> str:
    """One line of text: foreign documents hold nulls, numbers and line breaks."""
    return " ".join(str(address.get(key) or "").split())
