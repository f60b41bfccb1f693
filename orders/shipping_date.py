"""When an order left the shop, as far as BigCommerce says. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from orders.payloads import Snapshot


def shipped_at(snapshot: Snapshot) -> datetime | None:
    """The day of the last parcel; without parcels, when the status became Shipped."""
    parcels = [shipment.get("date_created") for shipment in snapshot.get("shipments") or ()]
    known = list(_moments(parcels)) or list(_moments([snapshot["order"].get("date_shipped")]))
    return max(known, default=None)


def _moments(texts: list[object]) -> Iterator[datetime]:
    """V2 writes RFC 2822; what cannot be read is not known."""
    for text in texts:
        try:
            found = parsedate_to_datetime(str(text or ""))
        except ValueError:
            continue
        yield found if found.tzinfo else found.replace(tzinfo=UTC)
