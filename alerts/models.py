"""Who receives alerts, what needs a person, and which mails and requests are on their way."""

import uuid

from django.conf import settings
from django.db import models
from django.utils import timezone

from stores.models import Store


class Recipient(models.Model):
    """An address of a store. Until whoever reads it has confirmed, it gets one mail: the question.

    `key` is the capability in that mail's links, and in those that end the alerts.
    """

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="recipients")
    key = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    address = models.CharField(max_length=254)
    language = models.CharField(max_length=2, choices=settings.LANGUAGES, default="en")
    added_at = models.DateTimeField(default=timezone.now)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    reached_at = models.DateTimeField(null=True, blank=True)  # when a mail server took one last
    # When a mail server last refused a mail to this address for good; null once it takes one.
    failed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "address"], name="one_recipient_per_store_and_address"
            )
        ]
        indexes = [
            models.Index(
                fields=["added_at"],
                condition=models.Q(confirmed_at=None),
                name="recipient_unconfirmed",
            )
        ]

    def __str__(self) -> str:
        return f"recipient {self.pk} of {self.store}"


class Alert(models.Model):
    """One thing that needs a person, from when it was found until it is over."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="alerts")
    kind = models.CharField(max_length=16)  # of `stores.settings_file.ALERTS`
    topic = models.CharField(max_length=64)  # what it is about: "entry 17"
    found_at = models.DateTimeField(default=timezone.now)
    mailed_at = models.DateTimeField(null=True, blank=True)  # when its mails were written
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "topic"],
                condition=models.Q(ended_at=None),
                name="one_open_alert_per_topic",
            )
        ]
        indexes = [
            models.Index(
                fields=["ended_at"],
                condition=models.Q(ended_at__isnull=False),
                name="alert_ended",
            ),
            models.Index(
                fields=["store", "kind", "-mailed_at"],
                condition=models.Q(mailed_at__isnull=False),
                name="alert_mailed",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind}: {self.topic} of {self.store}"


class Message(models.Model):
    """A row of the outbox. Its text is composed when it is sent, of what is still open then."""

    # It names the message: one that is sent twice after a crash counts as one where it arrives.
    key = models.UUIDField(default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=16)
    alerts = models.JSONField(default=list)  # ids
    created_at = models.DateTimeField(default=timezone.now)
    # When it is due; while a process sends it, when the next one may. Null: nothing to do.
    next_at = models.DateTimeField(null=True, blank=True, default=timezone.now)
    attempts = models.PositiveIntegerField(default=0)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True


class Mail(Message):
    """One mail to one recipient."""

    CONFIRM = "confirm"  # the question whether the address wants alerts

    recipient = models.ForeignKey(Recipient, on_delete=models.CASCADE, related_name="mails")

    class Meta:
        indexes = [
            models.Index(
                fields=["next_at"], condition=models.Q(next_at__isnull=False), name="mail_due"
            ),
            models.Index(fields=["created_at"], name="mail_age"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to {self.recipient}"


class Delivery(Message):
    """One signed request to a store's webhook."""

    TEST = "test"  # what the merchant sends to see whether it arrives

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="deliveries")
    failure = models.CharField(max_length=100, blank=True)  # of the last attempt

    class Meta:
        indexes = [
            models.Index(
                fields=["next_at"], condition=models.Q(next_at__isnull=False), name="delivery_due"
            ),
            models.Index(fields=["created_at"], name="delivery_age"),
            models.Index(fields=["store", "-id"], name="delivery_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} to the webhook of {self.store}"
