"""The details that SeQura may correct, as people call them."""

from django.utils.translation import gettext_lazy as _

from transaction_log.explanations import Text

PARTS: dict[str, Text] = {
    "customer": _("Customer"),
    "delivery_address": _("Delivery address"),
    "invoice_address": _("Invoice address"),
}
NAMES: dict[str, Text] = {
    "email": _("Email"),
    "given_names": _("First name"),
    "surnames": _("Last name"),
    "company": _("Company"),
    "address_line_1": _("Street"),
    "address_line_2": _("Street, second line"),
    "postal_code": _("Postal code"),
    "city": _("City"),
    "state": _("Region"),
    "phone": _("Phone"),
}


def label(path: str) -> str:
    """`Delivery address: City` for `delivery_address.city`; anything else as it is."""
    part, _dot, name = path.partition(".")
    if part not in PARTS or name not in NAMES:
        return path
    return f"{PARTS[part]}: {NAMES[name]}"


def labels(paths: str) -> str:
    """The same for several, separated by commas."""
    return ", ".join(label(path) for path in paths.split(", "))
