"""Attempts to pay a checkout with SeQura, and the reasons why SeQura was offered or not."""

import json
import uuid
from typing import Any

from django.db import models
from django.db.models.functions import Coalesce, Now
from django.utils import timezone

from payloads.checkout.other_payments import Certificate, OtherPayments
from stores.channels import ChannelSettings
from stores.encryption import EncryptedTextField, ModelWithSecrets
from stores.models import Connection, Store, new_secret
from transaction_log.record import Subject


class Solicitation(ModelWithSecrets):
    """One attempt to pay a checkout with SeQura.

    Rows are kept for ever: each may still be finished.
    """

    class State(models.TextChoices):
        """SeQura's state: `sq_state` of the notification, or the event."""

        APPROVED = "approved"
        NEEDS_REVIEW = "needs_review"
        CANCELLED = "cancelled"

    class Phase(models.TextChoices):
        SOLICITED = "solicited"  # SeQura knows the cart, the shopper chooses or fills in the form
        CONFIRMING = "confirming"  # our confirmation may have reached SeQura
        CONFIRMED = "confirmed"  # SeQura accepted `confirmed` or `on_hold`
        CREATING = "creating"  # BigCommerce may have made the order
        CREATED = "created"  # the order is known, still Incomplete
        SETTLED = "settled"  # its total agrees and the store credit is used
        PLACED = "placed"  # it has its payment fields and its status
        DONE = "done"  # SeQura knows the order's number
        REFUSED = "refused"  # a definitive refusal, with its reason

    # Phases in which the checkout is paid with this solicitation and no other.
    TAKEN = ("confirming", "confirmed", "creating", "created", "settled", "placed", "done")

    # Phases in which nothing is spent or shown yet: the purchase may still be stopped.
    REVOCABLE = ("solicited", "confirming", "confirmed", "creating", "created")

    # What the current run of `confirm` has read. Not stored.
    is_unordered = False  # the checkout is as solicited and has no order
    is_unplaced = False  # the order has no status yet that staff may have changed

    # Phases in which the shopper may see the order.
    WITH_ORDER = ("placed", "done")

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="solicitations")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    merchant_ref = models.CharField(max_length=255)
    checkout_id = models.CharField(max_length=64)
    channel_id = models.IntegerField(default=1)
    # Parts of our URLs: the shopper's, and the one that only SeQura knows.
    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    token = EncryptedTextField(default=new_secret)
    token_digest = models.CharField(max_length=64, unique=True)
    signature = EncryptedTextField(default=new_secret)
    origin = models.CharField(max_length=255, blank=True)

    # What was solicited: the order as sent, its fingerprint, amounts in cents.
    order = models.JSONField()
    # The order's `merchant` part: URLs and signature that only SeQura may know.
    told_addresses = EncryptedTextField(blank=True)
    fingerprint = models.CharField(max_length=64)
    # What no server API returns: {"applied": bool, "outstanding": "110.89" or null}; the shopper.
    claim = models.JSONField(default=dict)
    shopper = models.JSONField(default=dict)
    amount = models.PositiveIntegerField()
    store_credit = models.PositiveIntegerField(default=0)
    # Gift certificates that pay a part, as JSON: [["ABC", 1000]]. Whoever has a code can spend it.
    certificates = EncryptedTextField(blank=True, default="", db_default="")
    paid_by_certificates = models.PositiveIntegerField(default=0, db_default=0)
    currency = models.CharField(max_length=3)
    country = models.CharField(max_length=2)
    reference = models.UUIDField(unique=True, null=True, blank=True)
    payment_methods = models.JSONField(default=list)

    # The shopper's choice and SeQura's state.
    product = models.CharField(max_length=32, blank=True)
    campaign = models.CharField(max_length=64, blank=True)
    stale = models.BooleanField(default=False, db_default=False)  # SeQura shows no form any more
    form_shown_at = models.DateTimeField(null=True, blank=True)
    state = models.CharField(max_length=16, choices=State, blank=True)
    risk_level = models.CharField(max_length=32, blank=True)
    notified_at = models.DateTimeField(null=True, blank=True)

    # confirm(): its progress, and when it is due again (null: nothing to do).
    phase = models.CharField(max_length=12, choices=Phase, default=Phase.SOLICITED)
    next_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    last_error = models.TextField(blank=True)
    refusal = models.CharField(max_length=64, blank=True)
    refusal_detail = models.TextField(blank=True)

    # Written before a call that must not be repeated, so that a crash leaves a trace.
    confirm_intent_at = models.DateTimeField(null=True, blank=True)
    # The state of that confirmation: `confirmed`, or `on_hold`; a later approval leaves it.
    intended_state = models.CharField(max_length=16, blank=True, default="", db_default="")
    first_create_intent_at = models.DateTimeField(null=True, blank=True)
    create_intent_at = models.DateTimeField(null=True, blank=True)
    credit_intent_at = models.DateTimeField(null=True, blank=True)
    place_intent_at = models.DateTimeField(null=True, blank=True)

    # The outcome: the state that SeQura accepted, and the one that the order's status shows.
    accepted_state = models.CharField(max_length=16, blank=True)  # confirmed, on_hold
    shown_state = models.CharField(max_length=16, blank=True)  # confirmed, on_hold, cancelled
    checkout_token = EncryptedTextField(blank=True)
    order_id = models.BigIntegerField(null=True, blank=True)
    create_attempts = models.PositiveIntegerField(default=0)
    conversions_refused = models.PositiveIntegerField(default=0, db_default=0)
    strays_voided_at = models.DateTimeField(null=True, blank=True)
    # How often a repetition was rejected after a lost answer: the first attempt may have succeeded.
    confirmations_refused = models.PositiveIntegerField(default=0, db_default=0)
    credits_refused = models.PositiveIntegerField(default=0, db_default=0)
    # How often SeQura rejected the order's number, in either form.
    numbers_refused = models.PositiveIntegerField(default=0, db_default=0)
    # When the order was found placed although this row, restored from a backup, was half-way.
    adopted_at = models.DateTimeField(null=True, blank=True)
    # Taking a payment back: when each part was accepted, and when both sides were done.
    undone_in_shop_at = models.DateTimeField(null=True, blank=True)
    undo_reference_at = models.DateTimeField(null=True, blank=True)
    taken_back_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    done_at = models.DateTimeField(null=True, blank=True)
    # When the personal data was erased: only the references can be sent any more.
    erased_at = models.DateTimeField(null=True, blank=True)

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
                condition=models.Q(next_at__isnull=False),
                name="solicitation_due",
            ),
            models.Index(
                fields=["store", "created_at"],
                condition=models.Q(erased_at__isnull=True),
                name="solicitation_with_people",
            ),
            # What the metrics count, and what `payments.retention` deletes.
            models.Index(
                fields=["phase"],
                include=["confirm_intent_at"],
                condition=~models.Q(phase__in=("solicited", "refused", "done")),
                name="solicitation_under_way",
            ),
            models.Index(
                fields=["created_at"],
                condition=models.Q(phase="solicited", state=""),
                name="solicitation_abandoned",
            ),
        ]

    def __str__(self) -> str:
        return f"solicitation {self.reference or self.public_id}"

    @property
    def settings(self) -> ChannelSettings:
        """Return the settings of the storefront in which the shopper pays."""
        return ChannelSettings(self.store, self.channel_id)

    @property
    def sequra_order(self) -> uuid.UUID:
        """Return SeQura's reference. Raise ValueError before the attempt was solicited."""
        if self.reference is None:
            raise ValueError(f"{self} is not known to SeQura")
        return self.reference

    @property
    def bigcommerce_order(self) -> int:
        """Return the order's id. Raise ValueError while there is no order."""
        if self.order_id is None:
            raise ValueError(f"{self} has no BigCommerce order")
        return self.order_id

    @property
    def is_in_doubt(self) -> bool:
        """Return whether a refused payment may be confirmed at SeQura and is being taken back."""
        is_settled = not self.confirm_intent_at or self.taken_back_at or self.undone_at
        return self.phase == self.Phase.REFUSED and not is_settled

    @property
    def may_be_confirmed(self) -> bool:
        """Return whether SeQura may hold `confirmed`.

        Only that charges the shopper; `on_hold` does not.

        Decided by what was sent, not by what SeQura has decided since. An order that SeQura itself
        reports as cancelled is not held any more.
        """
        if not self.confirm_intent_at or self.state == self.State.CANCELLED:
            return False
        accepted = self.accepted_state or self.intended_state
        return accepted == "confirmed" or (not accepted and self.state == self.State.APPROVED)

    @property
    def is_taken_back(self) -> bool:
        """Return whether it was refused and SeQura certainly holds nothing of it any more."""
        is_proved = self.state == self.State.CANCELLED or (
            self.may_be_confirmed and self.taken_back_at is not None
        )
        return self.phase == self.Phase.REFUSED and is_proved

    @property
    def is_refused_unproved(self) -> bool:
        """Return whether it was refused by a row that shows no confirmation SeQura may hold."""
        is_open = self.state != self.State.CANCELLED and not self.erased_at
        return self.phase == self.Phase.REFUSED and is_open and not self.may_be_confirmed

    def believe_confirmed(self) -> None:
        """Commit that SeQura holds `confirmed`, even if a restored row does not know it.

        An unfinished payment is confirmed again. A refused one is taken back again, unless that is
        proved. Nothing can be sent once the personal data was erased.
        """
        is_over = self.phase == self.Phase.DONE or self.state == self.State.CANCELLED
        is_refused = self.phase == self.Phase.REFUSED
        if is_over or self.erased_at or (is_refused and not self.is_refused_unproved):
            return
        accepted = "confirmed" if is_refused or self.accepted_state else ""
        self.note(
            confirm_intent_at=self.confirm_intent_at or timezone.now(),
            intended_state="confirmed",
            accepted_state=accepted,
            taken_back_at=None,
            undone_at=None,
            next_at=Now(),
        )
        if not is_refused:
            news = Solicitation.objects.filter(pk=self.pk).exclude(state=self.State.CANCELLED)
            news.update(
                state=self.State.APPROVED, notified_at=Coalesce("notified_at", timezone.now())
            )

    @property
    def other_payments(self) -> OtherPayments:
        """Return what pays a part of the checkout besides SeQura."""
        known = json.loads(self.certificates) if self.certificates else []
        return OtherPayments(tuple(Certificate(*one) for one in known), self.store_credit)

    @other_payments.setter
    def other_payments(self, payments: OtherPayments) -> None:
        self.store_credit = payments.credit
        self.paid_by_certificates = payments.by_certificates
        self.certificates = json.dumps(payments.certificates) if payments.certificates else ""

    @property
    def paid_otherwise(self) -> int:
        """Return the cents of other payments, also when their certificates were erased."""
        return self.store_credit + self.paid_by_certificates

    @property
    def may_have_spent_credit(self) -> bool:
        """Return whether store credit, or a gift certificate, may be spent on an unseen order.

        A conversion may apply them to an order that this row does not know.
        """
        if self.credit_intent_at:
            return True
        known = 0 if self.order_id is None else 1
        is_unseen = bool(known) and not self.undone_in_shop_at
        may_have_strays = self.create_attempts > known and not self.strays_voided_at
        return bool(self.paid_otherwise) and (is_unseen or may_have_strays)

    @property
    def subject(self) -> Subject:
        """Return this payment, whose order may not exist, as the transaction log names it."""
        return Subject(
            store=self.store,
            environment=self.connection.environment,
            bigcommerce_id=self.order_id,
            reference=self.reference,
        )

    def moved(self, phase: str, **fields: Any) -> None:
        """Commit the next phase and clear the errors of earlier attempts."""
        self.note(phase=phase, attempts=0, last_error="", next_at=Now(), **fields)

    def note(self, **fields: Any) -> None:
        """Commit these fields and no others."""
        for name, value in fields.items():
            setattr(self, name, value)
        self.save(update_fields=list(fields))


class Offer(models.Model):
    """Why SeQura was or was not offered for a checkout, kept for the merchant's questions."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="offers")
    checkout_id = models.CharField(max_length=64)
    environment = models.CharField(max_length=8, db_default="", blank=True)  # the store's then
    reasons = models.JSONField(default=list)  # reason codes; empty means offered
    detail = models.TextField(blank=True)
    # Whose payment methods were looked at. It may be forgotten before this row is.
    attempt = models.ForeignKey(
        Solicitation,
        models.DO_NOTHING,
        null=True,
        blank=True,
        related_name="+",
        db_constraint=False,
        db_index=False,
    )
    at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [
            models.Index(fields=["store", "checkout_id", "-at"]),
            models.Index(fields=["at"], name="offer_age"),
        ]

    def __str__(self) -> str:
        return f"offer for checkout {self.checkout_id}"
