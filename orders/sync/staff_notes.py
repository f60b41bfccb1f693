"""The app's block in an order's staff notes: reference, status, and the link to SeQura's portal.

BigCommerce offers no field of our own on the order page and no version of an order, so the last
writer wins, and staff write into the same notes. Therefore the notes are written only when our
block would change, they are read immediately before, they must be equal in two readings, and
everything outside our block stays unchanged to the letter.
https://docs.bigcommerce.com/docs/rest-management/orders/update-order
"""

import re
from collections.abc import Callable
from uuid import UUID

import structlog
from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext as _

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce
from orders.models import Order
from stores.storefronts import language_of, portal_link

log = structlog.get_logger(__name__)

_BEGIN, _END = "[SeQura]", "[/SeQura]"
# A second begin mark inside means that staff deleted the first end mark: leave the first alone.
_BLOCK = re.compile(r"\[SeQura\](?:(?!\[SeQura\]).)*?\[/SeQura\]", re.DOTALL)
REFERENCE = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CONFLICT = 409
_READINGS = 3  # the first, and two more to find the notes unchanged since the one before


def write(api: BigCommerce, order: Order, may_write: Callable[[], bool] = lambda: True) -> str:
    """Update the block. Return it when it is in the notes now: store it as `staff_note`.

    Costs no call while the block equals the stored one, and uses no database. The note is a
    convenience: when BigCommerce refuses or is down, nothing is returned. The side panel shows the
    same, and the next synchronisation of the order retries. `may_write` is called immediately
    before the write: it returns whether the order's lease is still held.
    """
    block = block_of(order)
    if block == order.staff_note or order.status == Order.Status.WITHOUT_REFERENCE:
        return ""
    try:
        return block if _written(api, order, block, may_write) else ""
    except (Rejected, Unavailable) as error:
        log.warning("staff_note_not_written", order=order.bigcommerce_id, reason=str(error))
        return ""


def _written(api: BigCommerce, order: Order, block: str, may_write: Callable[[], bool]) -> bool:
    """Write the block and return whether it is there now.

    False when staff kept writing meanwhile.
    """
    seen = _read(api, order)
    for _attempt in range(_READINGS - 1):
        if (wanted := _merged(seen, block, order)) == seen:
            return True
        again = _read(api, order)
        if not may_write():
            return False
        if again == seen and _put(api, order, wanted):
            return True
        seen = again
    log.info(
        "staff_note_not_written", order=order.bigcommerce_id, reason="staff are editing the notes"
    )
    return False


def _read(api: BigCommerce, order: Order) -> str:
    return str(api.order(order.bigcommerce_id).get("staff_notes") or "")


def _put(api: BigCommerce, order: Order, notes: str) -> bool:
    """Write the notes. Return False on a conflict."""
    try:
        api.update_order(order.bigcommerce_id, {"staff_notes": notes})
    except Rejected as refusal:
        if refusal.status == _CONFLICT:
            return False
        raise
    return True


def block_of(order: Order) -> str:
    """Return the block that the notes should contain, in the language of the store."""
    with translation.override(language_of(order.store.language)):
        return "\n".join([_BEGIN, *_lines(order, order.status), _END])


def _lines(order: Order, status: str) -> list[str]:
    return [
        _("SeQura reference: %(reference)s") % {"reference": order.reference},
        _("Status: %(status)s") % {"status": Order.Status(status).label},
        portal_link(order.connection.environment, order.reference),
    ]


def reference_in(notes: str) -> UUID | None:
    """Return the SeQura reference of the block in these notes."""
    found = _BLOCK.search(notes)
    named = REFERENCE.search(found[0]) if found else None
    return UUID(named[0]) if named else None


def status_in(notes: str) -> str:
    """Return the status that the block in these notes shows, in whichever language it is."""
    found = _BLOCK.search(notes)
    inside = {line.strip() for line in found[0].splitlines()} if found else set()
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            for status in Order.Status:
                if _("Status: %(status)s") % {"status": status.label} in inside:
                    return status.value
    return ""


def _merged(notes: str, block: str, order: Order) -> str:
    """Return the notes with our block in its place; the same text when it is there already.

    Lines that staff wrote inside our block move below it.
    """
    found = _BLOCK.search(notes)
    if found is None:
        return with_line(notes, block)
    old = found[0].replace("\r\n", "\n")
    if old == block:
        return notes
    below = "".join(f"\n{line}" for line in _staffs_lines(old, order))
    return f"{notes[: found.start()]}{block}{below}{notes[found.end() :]}"


def with_line(notes: str, line: str) -> str:
    """Return the notes with a line of ours at the end; the same text when it is there already."""
    if line in notes:
        return notes
    return f"{notes.rstrip()}\n\n{line}" if notes.strip() else line


def _staffs_lines(old: str, order: Order) -> list[str]:
    """Return the lines in our block that are not ours, whatever its status and language were."""
    inside = old.removeprefix(_BEGIN).removesuffix(_END).split("\n")
    ours = _ever_ours(order)
    return [line for line in inside if line.strip() and line.strip() not in ours]


def _ever_ours(order: Order) -> set[str]:
    lines = {block.strip() for block in order.staff_note.split("\n")}
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            for status in Order.Status.values:
                lines.update(_lines(order, status))
    return lines
