"""Attempts to pay a checkout with SeQura."""

import uuid
from typing import Any

from django.db import models
from django.utils import timezone

from stores.encryption import EncryptedTextField
from stores.models import Connection, Store, new_secret


class Solicitation(models.Model):
    """One attempt to pay a checkout with SeQura. Never replaced: a shopper may finish any of them."""

    class Phase(models.TextChoices):
        SOLICITED = "solicited"  # SeQura knows the cart, the shopper chooses or fills in the form
        CONFIRMING = "confirming"  # notified; our confirmation may have reached SeQura
        CONFIRMED = "confirmed"  # SeQura accepted `confirmed` or `on_hold`
        CREATING = "creating"  # BigCommerce may have made the order
        CREATED = "created"  # the order is known, still Incomplete
        SETTLED = "settled"  # store credit is used, payment fields are written
        PLACED = "placed"  # the order has its status
        DONE = "done"  # SeQura knows the order's number
        REFUSED = "refused"  # a definitive refusal, with its reason

    # From here on the checkout is paid with this solicitation and no other.
    TAKEN = ("confirming", "confirmed", "creating", "created", "settled", "placed", "done")
    OPEN = ("confirming", "confirmed", "creating", "created", "settled", "placed")

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="solicitations")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    merchant_ref = models.CharField(max_length=255)
    checkout_id = models.CharField(max_length=64)
    channel_id = models.IntegerField(default=1)
    # In our addresses: the shopper's, and the one only SeQura knows.
    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    token = EncryptedTextField(default=new_secret)
    token_digest = models.CharField(max_length=64, unique=True)
    signature = EncryptedTextField(default=new_secret)
    origin = models.CharField(max_length=255, blank=True)

    # What was solicited: the order as sent, its fingerprint, amounts in cents.
    order = models.JSONField[Any, Any]()
    fingerprint = models.CharField(max_length=64)
    claim = models.CharField(max_length=64, blank=True)
    amount = models.PositiveIntegerField()
    store_credit = models.PositiveIntegerField(default=0)
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2)
    reference = models.UUIDField(unique=True, null=True, blank=True)
    payment_methods = models.JSONField[Any, Any](default=list)

    # What the shopper chose and what SeQura said.
    product = models.CharField(max_length=32, blank=True)
    campaign = models.CharField(max_length=64, blank=True)
    form_shown_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=16, blank=True)  # approved, needs_review, cancelled
    accepted_state = models.CharField(max_length=16, blank=True)  # confirmed, on_hold
    risk_level = models.CharField(max_length=32, blank=True)

    # confirm(): where it stands.
    phase = models.CharField(max_length=12, choices=Phase, default=Phase.SOLICITED)
    refusal = models.CharField(max_length=64, blank=True)
    refusal_detail = models.TextField(blank=True)
    intent_at = models.DateTimeField(null=True, blank=True)
    credit_intent_at = models.DateTimeField(null=True, blank=True)
    order_id = models.BigIntegerField(null=True, blank=True)
    checkout_token = EncryptedTextField(blank=True)
    cart_deleted = models.BooleanField(default=False)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(null=True, blank=True)
    last_error = models.TextField(blank=True)

    created_at = models.DateTimeField(default=timezone.now)
    notified_at = models.DateTimeField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "checkout_id"],
                condition=models.Q(
                    phase__in=(
                        "confirming",
                        "confirmed",
                        "creating",
                        "created",
                        "settled",
                        "placed",
                        "done",
                    )
                ),
                name="one_confirmed_solicitation_per_checkout",
            )
        ]
        indexes = [
            models.Index(fields=["store", "checkout_id", "-id"]),
            models.Index(
                fields=["next_at"],
                condition=models.Q(
                    phase__in=("confirming", "confirmed", "creating", "created", "settled", "placed")
                ),
                name="solicitation_open",
            ),
        ]

    def __str__(self) -> str:
        return f"solicitation {self.reference or self.public_id}"


class Offer(models.Model):
    """Why SeQura was, or was not, offered for a checkout: asked later by the merchant."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="offers")
    checkout_id = models.CharField(max_length=64)
    reasons = models.JSONField[Any, Any](default=list)  # reason codes; empty means offered
    detail = models.TextField(blank=True)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["store", "checkout_id", "-at"])]

    def __str__(self) -> str:
        return f"offer for checkout {self.checkout_id}"
