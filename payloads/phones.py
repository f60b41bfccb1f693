"""Mobile numbers as SeQura's identification form expects them: it sends a code to that phone."""

from functools import lru_cache

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

# Ranges that a country does not keep apart count: the form asks the shopper once more anyway.
_MOBILE = (PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE)


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
    if phonenumbers.number_type(number) not in _MOBILE:
        return ""
    national = phonenumbers.national_significant_number(number)
    return f"0{national}" if country == "FR" else national
