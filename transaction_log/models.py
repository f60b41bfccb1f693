"""What was told to SeQura or by SeQura, and with which outcome."""

from django.db import models
from django.utils import timezone

from stores.models import Store


class Entry(models.Model):
    """One line of the transaction log."""

    class Outcome(models.TextChoices):
        ACCEPTED = "accepted"
        REJECTED = "rejected"
        DELAYED = "delayed"
        IGNORED = "ignored"

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="entries")
    bigcommerce_id = models.BigIntegerField(null=True, blank=True)
    reference = models.UUIDField(null=True, blank=True)
    payment_method = models.CharField(max_length=255, blank=True)
    environment = models.CharField(max_length=8, default="sandbox")
    event = models.CharField(max_length=32)  # purchase, edit, ship, refund, cancel, ...
    outcome = models.CharField(max_length=8, choices=Outcome)
    reason = models.CharField(max_length=64, blank=True)  # our code; explained in words by the page
    words = models.TextField(blank=True)  # SeQura's own words
    statement = models.CharField(max_length=64, blank=True)  # digest of the update that was refused
    attempts = models.PositiveIntegerField(default=1)
    at = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now)
    next_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(
                fields=["store", "bigcommerce_id", "statement", "reason"],
                condition=models.Q(outcome__in=("rejected", "delayed"), closed_at__isnull=True),
                name="one_open_entry_per_statement_and_reason",
            )
        ]
        indexes = [
            models.Index(fields=["store", "-id"]),
            models.Index(fields=["store", "bigcommerce_id", "-id"]),
        ]

    def __str__(self) -> str:
        return f"{self.event} of order {self.bigcommerce_id}: {self.outcome}"
