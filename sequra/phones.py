"""Mobile numbers as SeQura's form wants them: it sends a code to the mobile phone."""

import re

# National numbers of mobile phones, and the country's calling code.
_MOBILE = {
    "ES": re.compile(r"(?:(?:\+|00)34)?([67]\d{8})"),
    "FR": re.compile(r"(?:(?:\+|00)33)?0?([67]\d{8})"),
    "IT": re.compile(r"(?:(?:\+|00)39)?(3\d{8,9})"),
    "PT": re.compile(r"(?:(?:\+|00)351)?(9\d{8})"),
}


def mobile_phone(phone: str, country: str) -> str:
    """The bare national number when it is a mobile one there, else nothing."""
    digits = re.sub(r"[^\d+]", "", phone)
    match = _MOBILE[country].fullmatch(digits) if country in _MOBILE else None
    if match is None:
        return ""
    return f"0{match[1]}" if country == "FR" else match[1]
