"""What the statistics in a delivery report may hold of each order. Merchants may leave parts out.

https://docs.sequra.com/docs/delivery-report-and-statistics
"""

from django.utils.translation import gettext_lazy as _

# Our name of a part, and what a merchant reads. Date and currency are always told.
PARTS = {
    "amount": _("Amount"),
    "payment_method": _("Payment method"),
    "country": _("Country"),
    "status": _("Order status"),
    "device": _("Kind of device"),
}
