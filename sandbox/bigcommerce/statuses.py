"""The fifteen order statuses. https://developer.bigcommerce.com/docs/store-operations/orders"""

NAMES = (
    "Incomplete", "Pending", "Shipped", "Partially Shipped", "Refunded", "Cancelled", "Declined",
    "Awaiting Payment", "Awaiting Pickup", "Awaiting Shipment", "Completed",
    "Awaiting Fulfillment", "Manual Verification Required", "Disputed", "Partially Refunded",
)  # fmt: skip

INCOMPLETE, PENDING, SHIPPED, PARTIALLY_SHIPPED, REFUNDED, CANCELLED = range(6)
COMPLETED, AWAITING_FULFILLMENT, PARTIALLY_REFUNDED = 10, 11, 14

# What this merchant calls them: labels are free text, ids are not.
CUSTOM_LABELS = {5: "Cancelled by us", 11: "Ready to pack"}


def label(status_id: int) -> str:
    return CUSTOM_LABELS.get(status_id, NAMES[status_id])
