"""Translate BigCommerce's statuses, payments, browsers and telephones into SeQura's codes. Pure.

https://docs.sequra.com/docs/delivery-report-and-statistics (statistics), https://docs.sequrapi.com
(previous orders of a customer).
"""

import re
from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

INCOMPLETE = 0
# https://docs.bigcommerce.com order statuses, as SeQura's three codes for the goods.
_SHIPPED = {2, 3, 8, 10}
_CANCELLED = {4, 5, 6}

# Payment codes, by a word in BigCommerce's free text.
_PAYMENTS = [
    ("SQ", re.compile(r"sequra", re.IGNORECASE)),
    ("PP", re.compile(r"paypal", re.IGNORECASE)),
    ("COD", re.compile(r"cash on delivery|contra ?reembolso|contrassegno", re.IGNORECASE)),
    ("TR", re.compile(r"bank|transfer|virement|bonifico|deposit", re.IGNORECASE)),
    ("CC", re.compile(r"card|visa|tarjeta|carte|carta|stripe|adyen|braintree", re.IGNORECASE)),
]
_TABLET = re.compile(r"iPad|Tablet|Kindle|Silk", re.IGNORECASE)
_ANDROID = re.compile(r"Android", re.IGNORECASE)
_MOBILE = re.compile(r"Mobile", re.IGNORECASE)
_PHONE = re.compile(r"Mobi|iPhone|iPod|Android|Opera Mini", re.IGNORECASE)
_COMPUTER = re.compile(r"Windows|Macintosh|X11|Linux|CrOS", re.IGNORECASE)


def payment_code(name: str) -> str:
    """Return how an order was paid: `SQ`, `CC`, `PP`, `TR`, `COD`, else `O/<name>`."""
    for code, pattern in _PAYMENTS:
        if pattern.search(name):
            return code
    return f"O/{name}"


def status_code(status_id: int | None) -> str:
    """Return `shipped`, `cancelled` or, for everything else, `processing`."""
    if status_id in _SHIPPED:
        return "shipped"
    return "cancelled" if status_id in _CANCELLED else "processing"


def device_code(user_agent: str) -> str:
    """Return `tablet`, `phone`, `computer` or `other`, by the browser's user agent."""
    *_, after = _ANDROID.split(user_agent)
    if after != user_agent and not _MOBILE.search(after):  # an Android that is no telephone
        return "tablet"
    kinds = (("tablet", _TABLET), ("phone", _PHONE), ("computer", _COMPUTER))
    return next((kind for kind, pattern in kinds if pattern.search(user_agent)), "other")


# Ranges that a country does not keep apart count: the form asks the shopper once more anyway.
_MOBILE_NUMBERS = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


@lru_cache(maxsize=32)  # both addresses of an order mostly have the same
def mobile_phone(phone: str, country: str) -> str:
    """Return the bare national number when it is a mobile number of the country, else "".

    `country` is an ISO 3166 code. French numbers keep their leading zero.
    """
    try:
        number = phonenumbers.parse(phone, country)
    except NumberParseException:
        return ""
    if phonenumbers.region_code_for_number(number) != country:
        return ""
    if phonenumbers.number_type(number) not in _MOBILE_NUMBERS:
        return ""
    national = phonenumbers.national_significant_number(number)
    return f"0{national}" if country == "FR" else national
