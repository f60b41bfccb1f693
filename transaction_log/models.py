"""What was sent to SeQura or received from it, and the outcome."""

from django.db import models
from django.utils import timezone

from stores.models import Store


class Entry(models.Model):
    """One line of the transaction log."""

    class Outcome(models.TextChoices):
        ACCEPTED = "accepted", "Accepted"
        REJECTED = "rejected", "Rejected"
        DELAYED = "delayed", "Delayed"
        IGNORED = "ignored", "Ignored"

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="entries")
    bigcommerce_id = models.BigIntegerField(null=True, blank=True)
    reference = models.UUIDField(null=True, blank=True)
    payment_method = models.CharField(max_length=255, blank=True)
    environment = models.CharField(max_length=8, default="sandbox")
    event = models.CharField(max_length=32)  # purchase, edit, ship, refund, cancel, ...
    outcome = models.CharField(max_length=8, choices=Outcome)
    reason = models.CharField(max_length=64, blank=True)  # our code: see `explanations`
    words = models.TextField(blank=True)  # SeQura's message, verbatim
    statement = models.CharField(max_length=64, blank=True)  # digest of what was sent, or was not
    # The cart totals of that update in cents; unknown where nothing was to be sent.
    unshipped = models.BigIntegerField(null=True, blank=True)
    shipped = models.BigIntegerField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=1)
    at = models.DateTimeField(default=timezone.now)
    last_at = models.DateTimeField(default=timezone.now)
    next_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    # The e-mail address of the user who dismissed it, or pressed the button behind it; the note.
    ignored_by = models.CharField(max_length=255, blank=True)
    note = models.CharField(max_length=500, blank=True)

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.UniqueConstraint(
                fields=["store", "bigcommerce_id", "reference", "statement", "reason"],
                condition=models.Q(outcome__in=("rejected", "delayed"), closed_at__isnull=True),
                name="one_open_entry_per_statement_and_reason",
                nulls_distinct=False,  # a payment without an order is one thing, too
            )
        ]
        # A page of the log is one range of one of these, whatever it is filtered by and however
        # long the log is. Order number before store: the admin looks for orders of all stores.
        indexes = [
            models.Index(fields=["store", "-at", "-id"], name="entry_newest"),
            models.Index(fields=["store", "outcome", "-at", "-id"], name="entry_outcome"),
            models.Index(fields=["store", "event", "-at", "-id"], name="entry_event"),
            models.Index(
                fields=["store", "outcome", "event", "-at", "-id"], name="entry_outcome_event"
            ),
            models.Index(fields=["bigcommerce_id", "store", "-at", "-id"], name="entry_order"),
            models.Index(
                fields=["reference", "store", "-at", "-id"],
                condition=models.Q(reference__isnull=False),
                name="entry_reference",
            ),
            models.Index(
                fields=["store", "-at", "-id"],
                condition=models.Q(closed_at__isnull=True),
                name="entry_open",
            ),
            # The metrics count them by outcome, of all stores; a page of orders asks for each one.
            models.Index(
                fields=["outcome", "store", "bigcommerce_id"],
                condition=models.Q(closed_at__isnull=True),
                name="entry_open_outcome",
            ),
            models.Index(
                fields=["store", "at"],
                condition=~models.Q(words="") | ~models.Q(note="") | ~models.Q(ignored_by=""),
                name="entry_with_text",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.event} of order {self.bigcommerce_id}: {self.outcome}"

    @property
    def is_open(self) -> bool:
        """Return whether it is open: for the merchant when rejected, for a retry when delayed."""
        return self.closed_at is None

    @property
    def total(self) -> int | None:
        """Return the cents of the statement that it is about; None where there is none."""
        return None if self.unshipped is None else self.unshipped + (self.shipped or 0)
