"""Digital goods, and those of them that SeQura sells as services. Pure.

A service ends on a day or after a duration, and a part of its price may be due at once, as a
registration fee. Both are agreed when the purchase is solicited, and every order update repeats
them. https://docs.sequrapi.com (order, items)
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple, cast

from payloads.cart import Line
from payloads.money import NotMoney, to_cents
from payloads.order.lines import BOUGHT_CERTIFICATE, text
from transport.reading import sections

_DURATION = re.compile(r"P(?=.)(\d+Y)?(\d+M)?(\d+W)?(\d+D)?(T(?=.)(\d+H)?(\d+M)?(\d+S)?)?")
# Custom fields of a product in BigCommerce, and what they hold.
_END, _FIRST_CHARGE, _REGISTRATION = (
    "sequra_service_end",
    "sequra_first_charge",
    "sequra_registration",
)
_Item = Mapping[str, Any]


class Terms(NamedTuple):
    """How a product is sold as a service: its end, and the cents of each unit due at once."""

    end: str
    registration: int = 0
    first_charge_on: str = ""


def is_end(given: str) -> bool:
    """Return whether this is a day (2027-12-31) or an ISO 8601 duration (P1Y)."""
    return _is_day(given) or _DURATION.fullmatch(given) is not None


def _is_day(given: str) -> bool:
    try:
        return date.fromisoformat(given).isoformat() == given
    except ValueError:
        return False


def is_digital(items: Iterable[_Item]) -> bool:
    """Return whether these lines hold goods, and nothing of them is shipped.

    Bought gift certificates alone are none: the merchant releases them.
    """
    goods = [item for item in items if item["type"] in ("product", "service")]
    has_goods = any(item.get("reference") != BOUGHT_CERTIFICATE for item in goods)
    return has_goods and all(item.get("downloadable") for item in goods)


def product_terms(product: Mapping[str, Any], default: str, options: Iterable[str]) -> Terms | None:
    """Return how a catalogue's product is sold, by its custom fields; None for a mere download.

    `default` is the end of services without one of their own, `options` what the contract holds.
    """
    fields = {
        text(field.get("name")).casefold(): text(field.get("value"))
        for field in sections(product.get("custom_fields"))
    }
    if fields.get(_END, "").casefold() == "no":
        return None
    end, first = fields.get(_END, ""), fields.get(_FIRST_CHARGE, "")
    return Terms(
        end if is_end(end) else default,
        _cents(fields.get(_REGISTRATION, "")) if "with_registration" in options else 0,
        first if "allow_first_instalment_delay" in options and _is_day(first) else "",
    )


def _cents(amount: str) -> int:
    try:
        return max(0, to_cents(amount))
    except NotMoney:
        return 0


def first_charge(terms: Iterable[Terms]) -> str | None:
    """Return the day of the first charge of a cart: the earliest of its services."""
    return min((one.first_charge_on for one in terms if one.first_charge_on), default=None)


def sold_as_services(lines: Sequence[Line], terms: Mapping[str, Terms]) -> list[Line]:
    """Return the lines, those of services as such. Their sum stays the same to the cent.

    What is shipped is none, even under the reference of a service.
    """
    found: list[Line] = []
    for line in lines:
        is_service = line["type"] == "product" and line["downloadable"]
        known = terms.get(line["reference"]) if is_service else None
        found += [line] if known is None else _service(cast(Any, line), known)
    return found


def _service(line: dict[str, Any], terms: Terms) -> list[Line]:
    """Return a service and, before it, what of its price is due at once: as much of each unit."""
    each = min(terms.registration, line["total_with_tax"] // line["quantity"])
    fee = each * line["quantity"]
    rest, reference, name = line["total_with_tax"] - fee, line["reference"], line["name"]
    service = {
        "type": "service",
        "reference": reference,
        "name": name,
        "price_with_tax": (2 * rest + line["quantity"]) // (2 * line["quantity"]),
        "quantity": line["quantity"],
        "total_with_tax": rest,
        "downloadable": line["downloadable"],
        "ends_on" if _is_day(terms.end) else "ends_in": terms.end,
    }
    registration = {
        "type": "registration",
        "reference": f"{reference}-reg",
        "name": f"Reg. {name}",
        "total_with_tax": fee,
    }
    return [cast(Any, one) for one in ([registration] if fee else []) + [service]]


def agreed_terms(items: Iterable[_Item]) -> dict[str, Terms]:
    """Return how the services of a solicited cart were sold, by their references.

    Their goods sold on these terms are the same lines again. A cheap line has a smaller fee than
    others of its reference, and has it again by the highest one.
    """
    found: dict[str, Terms] = {}
    fees: dict[str, int] = {}  # each stands before its service
    for row in sections(list(items)):
        reference = row.get("reference", "")
        if row["type"] == "registration":
            fees[reference] = row["total_with_tax"]
        elif row["type"] == "service" and (end := row.get("ends_on") or row.get("ends_in")):
            each = fees.pop(f"{reference}-reg", 0) // max(1, row["quantity"])
            known = found.get(reference)
            found[reference] = Terms(end, max(each, known.registration if known else 0))
    return found
