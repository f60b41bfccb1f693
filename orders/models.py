"""The link between a BigCommerce order and a SeQura order, and the inbox of webhook events."""

from typing import Any

from django.db import models
from django.utils import timezone

from stores.models import Connection, Store
from transaction_log.record import Subject


class Order(models.Model):
    """BigCommerce order ↔ SeQura order, and what SeQura last accepted of it."""

    class Status(models.TextChoices):
        APPROVED = "approved"
        IN_REVIEW = "in_review"
        CANCELLED = "cancelled"
        WITHOUT_REFERENCE = "without_reference"  # confirmed, SeQura does not know the number yet

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="orders")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    merchant_ref = models.CharField(max_length=255)
    bigcommerce_id = models.BigIntegerField()
    reference = models.UUIDField()  # SeQura's order
    order_ref_1 = models.CharField(max_length=255)
    status = models.CharField(max_length=20, choices=Status, default=Status.WITHOUT_REFERENCE)
    product = models.CharField(max_length=32, blank=True)
    payment_method = models.CharField(max_length=255, blank=True)  # as shoppers read it
    amount = models.PositiveIntegerField()  # financed at the purchase, cents
    currency = models.CharField(max_length=3, default="EUR")
    placed_at = models.DateTimeField(default=timezone.now)
    # What confirm() sent: delivery method, customer and platform stay as the shopper gave them.
    solicited = models.JSONField(default=dict)

    # Level-triggered sync: due while changed > synced.
    changed = models.PositiveBigIntegerField(default=0)
    synced = models.PositiveBigIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    settle_at = models.DateTimeField(null=True, blank=True)
    accepted_update = models.JSONField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    shipped_by_status = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "bigcommerce_id"], name="one_row_per_bigcommerce_order"
            ),
            models.UniqueConstraint(fields=["reference"], name="one_row_per_sequra_order"),
            models.UniqueConstraint(
                fields=["merchant_ref", "order_ref_1", "connection"],
                name="one_order_per_merchant_reference",
            ),
        ]
        indexes = [
            models.Index(
                fields=["due_at"],
                condition=models.Q(changed__gt=models.F("synced")),
                name="order_due",
            )
        ]

    def __str__(self) -> str:
        return f"order {self.bigcommerce_id}"

    @property
    def subject(self) -> Subject:
        """This order, as the transaction log names it."""
        return Subject(
            store=self.store,
            environment=self.connection.environment,
            bigcommerce_id=self.bigcommerce_id,
            reference=self.reference,
            payment_method=self.payment_method,
        )


class WebhookEvent(models.Model):
    """The inbox: one authentic delivery of BigCommerce, and what became of it."""

    class Outcome(models.TextChoices):
        NEW = "new"
        FOLDED = "folded"  # counted on its order
        PARKED = "parked"  # about an order that we do not know yet
        IGNORED = "ignored"

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="webhook_events")
    scope = models.CharField(max_length=64)
    bigcommerce_order_id = models.BigIntegerField(null=True, blank=True)
    payload = models.JSONField()
    received_at = models.DateTimeField(default=timezone.now)
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.NEW)

    class Meta:
        indexes = [
            models.Index(
                fields=["id"],
                condition=models.Q(outcome__in=("new", "parked")),
                name="event_waiting",
            ),
            models.Index(fields=["store", "bigcommerce_order_id"]),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.bigcommerce_order_id}"
