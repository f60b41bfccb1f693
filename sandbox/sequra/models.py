"""What the pretend SeQura remembers."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.crypto import get_random_string

Document = dict[str, Any]


def new_secret() -> str:
    return get_random_string(40)


class Order(models.Model):
    """An order at SeQura, from its solicitation on. Amounts are cents, tax included."""

    class State(models.TextChoices):
        SOLICITED = "solicited"
        REJECTED = "rejected"
        NEEDS_REVIEW = "needs_review"
        APPROVED = "approved"
        ON_HOLD = "on_hold"
        CONFIRMED = "confirmed"
        SHIPPED = "shipped"
        CANCELLED = "cancelled"

    uuid = models.UUIDField(primary_key=True, default=uuid.uuid4)
    account = models.CharField(max_length=64)
    merchant = models.CharField(max_length=64)
    state = models.CharField(max_length=16, choices=State, default=State.SOLICITED)
    secret = models.CharField(max_length=40, default=new_secret)

    # The order as solicited, and what the shop has said about it since.
    solicited: models.JSONField[Document, Document] = models.JSONField()
    approved_amount = models.BigIntegerField()
    unshipped_cart: models.JSONField[Document, Document] = models.JSONField()
    shipped_cart: models.JSONField[Document, Document] = models.JSONField()
    current: models.JSONField[Document, Document] = models.JSONField(default=dict)
    order_ref_1 = models.CharField(max_length=255, blank=True)
    order_ref_2 = models.CharField(max_length=255, blank=True)

    # What the shopper did.
    product = models.CharField(max_length=16, blank=True)
    campaign = models.CharField(max_length=64, blank=True)
    shopper: models.JSONField[Document, Document] = models.JSONField(default=dict)
    reviewed = models.BooleanField(default=False)
    # Who ended it: "shop" (empty carts), "conflict" (409 or 410), "sequra" (an event says so).
    cancelled_by = models.CharField(max_length=16, blank=True)

    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["merchant", "order_ref_1"],
                condition=~models.Q(order_ref_1=""),
                name="sandbox_sequra_one_order_per_reference",
            )
        ]
        indexes = [models.Index(fields=["-created_at"], name="sandbox_sequra_newest")]

    def __str__(self) -> str:
        return f"SeQura order {self.uuid}"

    @property
    def total(self) -> int:
        """What the shopper owes, in cents."""
        carts = (self.unshipped_cart, self.shipped_cart)
        return sum(int(cart["order_total_with_tax"]) for cart in carts)

    @property
    def country(self) -> str:
        address = self.solicited.get("delivery_address", {})
        return str(address.get("country_code", ""))

    def note(self, what: str, **detail: Any) -> None:
        """Add a line to the order's history."""
        self.history.create(what=what, state=self.state, total=self.total, detail=detail)


class HistoryLine(models.Model):
    """Something that happened to an order."""

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="history")
    at = models.DateTimeField(default=timezone.now)
    what = models.CharField(max_length=120)
    state = models.CharField(max_length=16)
    total = models.BigIntegerField()
    detail: models.JSONField[Document, Document] = models.JSONField(default=dict)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return self.what


class Message(models.Model):
    """A notification or an event on its way to the shop, with every answer it got."""

    class Kind(models.TextChoices):
        NOTIFICATION = "notification"
        EVENT = "event"

    class Status(models.TextChoices):
        WAITING = "waiting"  # due at `due_at`
        SENDING = "sending"
        ACCEPTED = "accepted"
        CONFLICT = "conflict"  # the shop answered a notification with 409 or 410
        FAILED = "failed"  # no more attempts

    order = models.ForeignKey(Order, on_delete=models.CASCADE, related_name="messages")
    kind = models.CharField(max_length=16, choices=Kind)
    name = models.CharField(max_length=40)  # sq_state, or the name of the event
    url = models.TextField()
    fields: models.JSONField[Document, Document] = models.JSONField()
    status = models.CharField(max_length=16, choices=Status, default=Status.WAITING)
    attempts_left = models.PositiveIntegerField(default=1)
    due_at = models.DateTimeField(default=timezone.now)
    answers: models.JSONField[Any, Any] = models.JSONField(default=list)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.name}"


class DeliveryReport(models.Model):
    """A delivery report as it was accepted."""

    account = models.CharField(max_length=64)
    merchant = models.CharField(max_length=64)
    body: models.JSONField[Document, Document] = models.JSONField()
    received_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return f"delivery report of {self.merchant}"


class StoreIntegration(models.Model):
    """Where SeQura may ask a shop for its configuration."""

    account = models.CharField(max_length=64)
    webhook_url = models.TextField()
    capabilities: models.JSONField[Any, Any] = models.JSONField(default=list)
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.webhook_url
