"""Delivery reports on their way, and what the statistics remember of BigCommerce's orders."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from stores.models import Connection, Store


class ReportRun(models.Model):
    """One sending of a store's delivery reports, to all its merchant ids."""

    class State(models.TextChoices):
        RUNNING = "running", _("Under way")
        DONE = "done", _("Accepted")
        FAILED = "failed", _("Failed")

    class Cause(models.TextChoices):
        NIGHT = "night", _("Every night")
        CALL = "call", _("Trigger address")
        PERSON = "person", _("Send now")

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="report_runs")
    cause = models.CharField(max_length=8, choices=Cause, default=Cause.NIGHT)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    attempts = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)  # failed: when it goes on by itself

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store"],
                condition=models.Q(state="running"),
                name="one_report_run_at_a_time",
            )
        ]
        indexes = [
            models.Index(fields=["store", "-id"], name="report_run_newest"),
            models.Index(
                fields=["next_at"],
                condition=models.Q(next_at__isnull=False),
                name="report_run_again",
            ),
        ]

    def __str__(self) -> str:
        return f"delivery reports of {self.store}, {self.started_at:%Y-%m-%d %H:%M}"


class MerchantReport(models.Model):
    """The delivery report of one merchant id in a run, and how far it is."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Accepted")
        FAILED = "failed", _("Failed")

    run = models.ForeignKey(ReportRun, on_delete=models.CASCADE, related_name="reports")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    merchant_ref = models.CharField(max_length=255)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    orders = models.PositiveIntegerField(default=0)  # that were to be told when it began
    told = models.PositiveIntegerField(default=0)  # orders in accepted pages
    broken = models.PositiveIntegerField(default=0)
    statistics = models.PositiveIntegerField(default=0)  # rows in accepted pages
    pages = models.PositiveIntegerField(default=0)  # that SeQura accepted
    after = models.BigIntegerField(default=0)  # the last order of the last accepted page
    reason = models.CharField(max_length=64, blank=True)
    words = models.TextField(blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run", "connection", "merchant_ref"], name="one_report_per_merchant"
            )
        ]

    def __str__(self) -> str:
        return f"delivery report of {self.merchant_ref}"

    @property
    def looked_at(self) -> int:
        """Orders behind us, told or broken."""
        return self.told + self.broken


class RecentOrders(models.Model):
    """What the statistics say of a store's orders of the last days, whoever was paid.

    `rows` maps a BigCommerce id to its line of statistics; read again is what changed `until` then.
    """

    store = models.OneToOneField(Store, on_delete=models.CASCADE, related_name="recent_orders")
    rows = models.JSONField(default=dict)
    until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"recent orders of {self.store}"
