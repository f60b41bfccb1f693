"""What a look at every open order found: where the shop, SeQura and we disagree."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from stores.models import Store


class DriftCheck(models.Model):
    """One look at the open orders of a store."""

    class State(models.TextChoices):
        RUNNING = "running", _("Under way")
        DONE = "done", _("Finished")
        FAILED = "failed", _("Broken off")

    class Cause(models.TextChoices):
        NIGHT = "night", _("Every night")
        OUTAGE = "outage", _("After an outage")
        PERSON = "person", _("Check now")
        COMMAND = "command", _("Command line")

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="drift_checks")
    cause = models.CharField(max_length=8, choices=Cause, default=Cause.NIGHT)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    total = models.PositiveIntegerField(default=0)
    checked = models.PositiveIntegerField(default=0)
    after = models.BigIntegerField(default=0)  # the BigCommerce id of the last order looked at
    words = models.TextField(blank=True)
    # Before that, the shop's own list is searched for orders that the database does not know:
    # those made since then (all of them without a date), and how far the search has come.
    since = models.DateTimeField(null=True, blank=True)
    searched = models.PositiveIntegerField(default=0, db_default=0)
    searched_to = models.BigIntegerField(default=0, db_default=0)  # a BigCommerce id
    is_searched = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store"],
                condition=models.Q(state="running"),
                name="one_drift_check_at_a_time",
            )
        ]
        indexes = [models.Index(fields=["store", "-id"], name="drift_check_newest")]

    def __str__(self) -> str:
        return f"check of {self.store}, {self.started_at:%Y-%m-%d %H:%M}"


class Drift(models.Model):
    """One order that is not as it should be."""

    class Kind(models.TextChoices):
        MISSED = "missed", _("Missed change")
        REJECTED = "rejected", _("Refused by SeQura")
        PORTAL = "portal", _("Changed in SeQura's portal?")
        CORRECTED = "corrected", _("SeQura has other data")
        REVIEW = "review", _("Review takes too long")
        STRAY = "stray", _("Incomplete order")
        WITHOUT_REFERENCE = "without_reference", _("Confirmed without number")
        UNREADABLE = "unreadable", _("Cannot be read")
        ADOPTED = "adopted", _("Order we did not know")
        NOT_ADOPTED = "not_adopted", _("Unknown order, not linked")
        NOT_CHECKED = "not_checked", _("Could not be checked")

    check_run = models.ForeignKey(DriftCheck, on_delete=models.CASCADE, related_name="drifts")
    bigcommerce_id = models.BigIntegerField()
    reference = models.UUIDField(null=True, blank=True)
    environment = models.CharField(max_length=8, default="sandbox")
    kind = models.CharField(max_length=20, choices=Kind)
    detail = models.TextField(blank=True)
    repaired = models.BooleanField(default=False)
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["check_run", "bigcommerce_id", "kind"], name="one_drift_per_order_and_kind"
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind}: order {self.bigcommerce_id}"
