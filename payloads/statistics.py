"""Translate BigCommerce's list of orders into the statistics of a delivery report. Pure.

Seven days of all the store's orders, of every payment method: without names and addresses, and
without the parts that the merchant leaves out.
https://docs.sequra.com/docs/delivery-report-and-statistics
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from payloads.codes import INCOMPLETE, device_code, payment_code, status_code
from payloads.money import to_cents

DAYS = timedelta(days=7)
Row = dict[str, Any]

# What a merchant may leave out, and the fields that go with it.
_FIELDS = {
    "amount": ("amount",),
    "payment_method": ("payment_method", "sequra_offered"),
    "country": ("country",),
    "status": ("status", "raw_status"),
    "device": ("device",),
}


@dataclass(frozen=True)
class Ours:
    """What the database knows of an order that was paid with SeQura."""

    order_ref_1: str
    reference: str
    user_agent: str = ""


def row_of(order: Mapping[str, Any]) -> Row | None:
    """Return the statistics of an order of `GET /v2/orders`; None if Incomplete or deleted."""
    created = order.get("date_created")
    if not created or order.get("status_id") == INCOMPLETE or order.get("is_deleted"):
        return None
    method = _text(order.get("payment_method"))
    country = _text((order.get("billing_address") or {}).get("country_iso2")).upper()
    given = {
        "completed_at": _moment(created).isoformat(),
        "currency": _text(order.get("default_currency_code") or order.get("currency_code")),
        "amount": to_cents(order.get("total_inc_tax") or 0),
        "payment_method": payment_code(method) if method else "",
        "country": country if len(country) == 2 else "",
        "status": status_code(order.get("status_id")),
        "raw_status": _text(order.get("status")),
    }
    return {name: value for name, value in given.items() if value != ""}


def statistic(number: str, row: Row, ours: Ours | None, without: Collection[str] = ()) -> Row:
    """Return one row: an order with its number, without the parts that the merchant leaves out."""
    reference = {"order_ref_1": ours.order_ref_1 if ours else number}
    given = {**row, "merchant_reference": reference}
    if ours:
        reference["order_ref_2"] = ours.reference
        given |= {"payment_method": "SQ", "sequra_offered": True}
        given["device"] = device_code(ours.user_agent)
    hidden = {field for part in without for field in _FIELDS.get(part, ())}
    return {name: value for name, value in given.items() if name not in hidden}


def is_recent(row: Row, now: datetime) -> bool:
    """Return whether the order is of the last seven days."""
    return datetime.fromisoformat(row["completed_at"]) > now - DAYS


def _moment(text: str) -> datetime:
    """V2 writes RFC 2822 dates; its filters and newer endpoints know ISO 8601."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _text(value: object) -> str:
    """Return one line of untrusted text, cut short."""
    whole = str("" if value is None else value).encode("utf-8", "ignore").decode()
    return " ".join(whole.replace("\0", "").split())[:100]
