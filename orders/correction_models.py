"""What SeQura says about a shopper and the shop does not."""

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from stores.models import Store


class Correction(models.Model):
    """One detail that SeQura corrected on its side, until somebody has decided about it.

    Known by SeQura's reference, because the first may arrive before the BigCommerce order exists.
    """

    class Source(models.TextChoices):
        NOTIFICATION = "notification", _("SeQura's notification")
        EVENT = "event", _("SeQura's event")
        PERSON = "person", _("Entered by hand")

    class Decision(models.TextChoices):
        OPEN = "", _("Open")
        APPLIED = "applied", _("Applied to BigCommerce")
        KEPT = "kept", _("Ours was kept")
        AGREED = "agreed", _("BigCommerce says the same")

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="corrections")
    reference = models.UUIDField()
    path = models.CharField(max_length=64)  # of the order update: customer.email
    ours = models.CharField(max_length=255, blank=True)  # when we heard of it
    theirs = models.CharField(max_length=255, blank=True)
    source = models.CharField(max_length=16, choices=Source)
    heard_at = models.DateTimeField(default=timezone.now)
    heard_by = models.CharField(max_length=255, blank=True)  # who entered it, an e-mail address
    decision = models.CharField(max_length=8, choices=Decision, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=255, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "reference", "path"],
                condition=models.Q(decision=""),
                name="one_open_correction_per_detail",
            )
        ]
        indexes = [models.Index(fields=["store", "reference"], name="correction_of_order")]

    def __str__(self) -> str:
        return f"{self.path} of {self.reference}"
