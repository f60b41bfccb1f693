"""When an order left the shop and when it last changed, as far as BigCommerce shows it. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from payloads.order.order_update import Snapshot

# BigCommerce writes seconds, and its clock is not ours.
_STOOD_STILL = timedelta(minutes=1)


def shipped_at(snapshot: Snapshot) -> datetime | None:
    """Return the day of the last parcel; without parcels, when the status became Shipped."""
    parcels = [shipment.get("date_created") for shipment in snapshot.get("shipments") or ()]
    known = list(_moments(parcels)) or list(_moments([snapshot["order"].get("date_shipped")]))
    return max(known, default=None)


def last_change(snapshot: Snapshot, now: datetime) -> str:
    """BigCommerce's date of the last change, as it wrote it, if the order stood still since.

    Nothing right after a change: another one within the same second would look alike.
    """
    written = str(snapshot["order"].get("date_modified") or "")
    return written[:64] if any(at < now - _STOOD_STILL for at in _moments([written])) else ""


def moment(text: object) -> datetime | None:
    """Return the moment that BigCommerce wrote, if it is readable."""
    return next(_moments([text]), None)


def _moments(texts: list[object]) -> Iterator[datetime]:
    """Yield the readable dates. V2 writes RFC 2822, sometimes ISO 8601."""
    for text in map(str, filter(None, texts)):
        for parse in (parsedate_to_datetime, datetime.fromisoformat):
            try:
                found = parse(text)
            except ValueError:
                continue
            yield found if found.tzinfo else found.replace(tzinfo=UTC)
            break
