"""What a check found, as CSV."""

import csv
from io import StringIO

from django.utils import timezone
from django.utils.translation import gettext as _

from orders.models import DriftCheck
from panel.drift_labels import detail_words, explain
from panel.export import BYTE_ORDER_MARK, harmless
from transaction_log.links import order_link, portal_link


def csv_file(check: DriftCheck) -> str:
    """One line for each drift, in the reader's language and the store's time zone."""
    heading = [
        _("Order"), _("SeQura reference"), _("What is wrong"), _("Explanation"), _("Details"),
        _("Repaired"), _("Date and time"), "BigCommerce", "SeQura",
    ]  # fmt: skip
    file = StringIO()
    writer = csv.writer(file)
    writer.writerow(heading)
    for one in check.drifts.order_by("bigcommerce_id", "kind").iterator(500):
        row = [
            one.bigcommerce_id,
            one.reference or "",
            one.get_kind_display(),
            explain(one.kind),
            detail_words(one),
            _("yes") if one.repaired else _("no"),
            timezone.localtime(one.at).isoformat(timespec="seconds"),
            order_link(check.store, one.bigcommerce_id),
            portal_link(one.environment, one.reference),
        ]
        writer.writerow([harmless(cell) for cell in row])
    return BYTE_ORDER_MARK + file.getvalue()
