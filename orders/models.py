"""The link between a BigCommerce order and a SeQura order, and the inbox of webhook events."""

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from payloads.order.order_update import OrderFacts, Rules
from stores.channels import ChannelSettings
from stores.models import Connection, Merchant, Store
from transaction_log.record import Subject

__all__ = [
    "Correction",
    "Drift",
    "DriftCheck",
    "Gate",
    "MerchantReport",
    "Order",
    "RecentOrders",
    "Reconciliation",
    "ReportRun",
    "WebhookEvent",
]


def _shipment_digest() -> models.Func:
    """Return the expression that identifies what has shipped, as SeQura last accepted it.

    It is empty when nothing has shipped.
    """
    items = "%(expressions)s #> '{shipped_cart,items}'"
    return models.Func(
        "accepted_update",
        template=f"coalesce(md5(nullif({items}, '[]'::jsonb)::text), '')",
        output_field=models.CharField(max_length=32),
    )


_ACCENTED = "ÁÀÂÃÄÅáàâãäåÇçÉÈÊËéèêëÍÌÎÏíìîïÑñÓÒÔÕÖóòôõöÚÙÛÜúùûüÝýÿ"
_PLAIN = "aaaaaaaaaaaacceeeeeeeeiiiiiiiinnoooooooooouuuuuuuuyyy"
_CUSTOMER = {
    "email": "%(expressions)s #>> '{customer,email}'",
    "surnames": "%(expressions)s #>> '{customer,surnames}'",
    "name": "(%(expressions)s #>> '{customer,given_names}') || ' '"
    " || (%(expressions)s #>> '{customer,surnames}')",
}


def searchable(value: models.F | models.Value, of: str = "%(expressions)s") -> models.Func:
    """Return a text as searches compare it: without case and accents, of at most 100 letters.

    In byte order, so that an index finds what a value begins with. The letters are listed, because
    what `lower` does with them depends on the database's locale.
    """
    folded = f"lower(translate({of}, '{_ACCENTED}', '{_PLAIN}'))"
    text = models.CharField(max_length=100)
    return models.Func(value, template=f'(left({folded}, 100) COLLATE "C")', output_field=text)


def customer(part: str) -> models.Func:
    """Return the customer's `email`, `name` or `surnames` as an index of `Order` holds it.

    Of the solicited statement: SeQura accepts later ones for the same customer, and an index on
    these would cost every update of an order.
    """
    return searchable(models.F("solicited"), _CUSTOMER[part])


class Order(models.Model):
    """A BigCommerce order, its SeQura order, and what SeQura last accepted of it."""

    class Status(models.TextChoices):
        APPROVED = "approved", _("Approved")
        IN_REVIEW = "in_review", _("In review")
        CANCELLED = "cancelled", _("Cancelled")
        # SeQura has confirmed the payment and has not stored the order's number yet.
        WITHOUT_REFERENCE = "without_reference", _("Confirmed without reference")

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="orders")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    merchant_ref = models.CharField(max_length=255)
    bigcommerce_id = models.BigIntegerField()
    # The storefront of the purchase: its settings decide what the order's statuses mean.
    channel_id = models.IntegerField(default=1, db_default=1)
    reference = models.UUIDField()  # SeQura's order
    order_ref_1 = models.CharField(max_length=255)
    status = models.CharField(max_length=20, choices=Status, default=Status.WITHOUT_REFERENCE)
    product = models.CharField(max_length=32, blank=True)
    payment_method = models.CharField(max_length=255, blank=True)  # as shoppers read it
    amount = models.PositiveIntegerField()  # financed at the purchase, cents
    currency = models.CharField(max_length=3, default="EUR")
    placed_at = models.DateTimeField(default=timezone.now)
    # When the row was rebuilt from BigCommerce because it was missing: see `orders.drift.adopt`.
    adopted_at = models.DateTimeField(null=True, blank=True)
    # Adopted long after the order was completed: nothing is sent until the order changes.
    left_alone = models.BooleanField(default=False, db_default=False)
    # The purchase history: [["solicited", "2026-…"], …], named as in `panel.templatetags.labels`.
    beginnings = models.JSONField(default=list, db_default=[], blank=True)
    # What confirm() sent. Delivery method, customer and platform stay as the shopper entered them.
    solicited = models.JSONField(default=dict)

    # Until `orders.queue.claim.unpark` has looked for events that arrived before the row.
    is_new = models.BooleanField(default=True, db_default=True)

    # Level-triggered sync: due while changed > synced.
    changed = models.PositiveBigIntegerField(default=0)
    synced = models.PositiveBigIntegerField(default=0)
    due_at = models.DateTimeField(default=timezone.now)
    # The worker that holds the order, and until when. See `orders.queue.claim`.
    lease = models.CharField(max_length=32, blank=True)
    leased_until = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)  # failed ones in a row
    failing_since = models.DateTimeField(null=True, blank=True)
    # When to read the order again, because BigCommerce may have returned a stale version.
    settle_at = models.DateTimeField(null=True, blank=True)
    settle_step = models.PositiveSmallIntegerField(default=0)

    # What SeQura last accepted. `unsure`: a later update may have arrived without an answer.
    accepted_update = models.JSONField(null=True, blank=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    # Digest of the update that SeQura rejected last, until it accepts one or a merchant retries.
    refused = models.CharField(max_length=64, blank=True, db_default="")
    unsure = models.BooleanField(default=False)

    # A webhook carried a shipped status; and the goods left without shipment records.
    shipped_status_seen = models.BooleanField(default=False)
    shipped_by_status = models.BooleanField(default=False)
    # The goods that count as shipped because of the order's status, and that status as last read.
    # Goods added while the status stays have not shipped. See `payloads.order.ledger`.
    left_by_status = models.JSONField(default=list, db_default=[], blank=True)
    shipped_word = models.PositiveSmallIntegerField(null=True, blank=True)
    # On which side SeQura accepted each refund and each shipped unit: see `payloads.order.ledger`.
    ledger = models.JSONField(default=dict, db_default={}, blank=True)
    has_shipments = models.BooleanField(default=False)  # a webhook announced one
    has_refunds = models.BooleanField(default=False, db_default=False)  # a webhook announced one
    shipped_at = models.DateTimeField(null=True, blank=True)  # the last parcel's day, if known
    # BigCommerce's status when the order was last read.
    seen_status = models.PositiveSmallIntegerField(null=True, blank=True)
    # BigCommerce's `date_modified` when the order was last read, verbatim, and the digest of its
    # document if the whole statement follows from that; both empty unless SeQura holds it.
    seen_modified = models.CharField(max_length=64, blank=True, db_default="")
    seen_digest = models.CharField(max_length=64, blank=True, db_default="")
    # What has shipped, and what of it SeQura last accepted in a delivery report.
    shipment = models.GeneratedField(
        expression=_shipment_digest(),
        output_field=models.CharField(max_length=32),
        db_persist=True,
    )
    reported_shipment = models.CharField(max_length=32, blank=True, db_default="")
    reported_at = models.DateTimeField(null=True, blank=True)
    # Undecided details that SeQura corrected: {"customer.email": "…"}. Until the merchant decides,
    # updates carry SeQura's own value.
    corrected = models.JSONField(default=dict, db_default={}, blank=True)
    # The refund that `orders.returns` creates in BigCommerce, until its outcome is certain.
    refunding = models.JSONField(null=True, blank=True)
    # The app's block in BigCommerce's staff notes, as last written.
    staff_note = models.TextField(blank=True, db_default="")
    # When the personal data was erased. The next accepted update stores some again.
    erased_at = models.DateTimeField(null=True, blank=True)

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
                fields=["store", "due_at"],
                condition=models.Q(changed__gt=models.F("synced")),
                name="order_due",
            ),
            # The same over all stores: a claim begins with what has waited longest.
            models.Index(
                fields=["due_at"],
                condition=models.Q(changed__gt=models.F("synced")),
                name="order_due_at",
            ),
            models.Index(
                fields=["store"],
                condition=models.Q(leased_until__isnull=False),
                name="order_leased",
            ),
            models.Index(fields=["id"], condition=models.Q(is_new=True), name="order_new"),
            models.Index(
                fields=["settle_at"],
                condition=models.Q(settle_at__isnull=False),
                name="order_settles",
            ),
            models.Index(
                fields=["store", "connection", "merchant_ref", "id"],
                condition=~models.Q(shipment=models.F("reported_shipment"))
                & ~models.Q(shipment=""),
                name="order_to_report",
            ),
            # The dashboard: the orders of the last 30 days, and those that SeQura reviews.
            models.Index(
                fields=["store", "placed_at"],
                include=["connection", "status", "seen_status", "amount"],
                name="order_placed",
            ),
            models.Index(
                fields=["store", "placed_at"],
                condition=models.Q(status="in_review"),
                name="order_in_review",
            ),
            # The list of orders: by the customer, and those in a delivery report.
            models.Index("store", customer("email"), name="order_email"),
            models.Index("store", customer("name"), name="order_name"),
            models.Index("store", customer("surnames"), name="order_surnames"),
            models.Index(
                fields=["store", "reported_at"],
                condition=models.Q(reported_at__isnull=False),
                name="order_reported",
            ),
            models.Index(
                fields=["adopted_at"],
                condition=models.Q(adopted_at__isnull=False),
                name="order_adopted",
            ),
            models.Index(
                fields=["store", "placed_at"],
                condition=models.Q(erased_at__isnull=True),
                name="order_with_people",
            ),
        ]

    def __str__(self) -> str:
        return f"order {self.bigcommerce_id}"

    @property
    def is_settled(self) -> bool:
        """Return whether this reading only makes sure: SeQura holds the order as it was last read.

        An event, or anything else that may change the statement, sets `settle_step` to 0. What a
        webhook announced of shipments and refunds does not show in the order's own document.
        """
        is_in_doubt = self.unsure or bool(self.refused) or self.attempts > 0
        is_elsewhere = self.has_shipments or self.has_refunds
        is_held = self.status == self.Status.APPROVED and self.accepted_update is not None
        return self.settle_step > 0 and is_held and not is_in_doubt and not is_elsewhere

    def facts(self) -> OrderFacts:
        """Return what an order update needs of this row and its store."""
        return OrderFacts(
            merchant_ref=self.merchant_ref,
            order_ref_1=self.order_ref_1,
            reference=str(self.reference),
            currency=self.currency,
            solicited=self.solicited,
            shipped_by_status=self.left_by_status or self.shipped_by_status,
            shipped_word=self.shipped_word,
            shipped_status_seen=self.shipped_status_seen,
            ledger=self.ledger,
            rules=Rules(
                shipped_statuses=frozenset(self.settings.shipped_statuses),
                cancelling_statuses=frozenset(self.settings.cancelling_statuses),
                refunded_status_refunds=self.store.refunded_status_refunds,
            ),
        )

    @property
    def settings(self) -> ChannelSettings:
        """Return the settings of the storefront in which it was bought."""
        return ChannelSettings(self.store, self.channel_id)

    @property
    def subject(self) -> Subject:
        """Return this order as the transaction log names it."""
        return Subject(
            store=self.store,
            environment=self.connection.environment,
            bigcommerce_id=self.bigcommerce_id,
            reference=self.reference,
            payment_method=self.payment_method,
        )


def merchant_reference(store: Store, merchant_ref: str, order_id: int) -> str:
    """Return `order_ref_1`: the order's number, after the store's hash where ids are shared."""
    shared = Merchant.objects.filter(ref=merchant_ref).exclude(store=store).exists()
    return f"{store.hash}-{order_id}" if shared else str(order_id)


class WebhookEvent(models.Model):
    """One authentic webhook event in the inbox, however often it was delivered.

    BigCommerce repeats an event with the same `hash`. A repetition is counted and makes the event
    new again. The count decides nothing, because two changes may share a hash.
    """

    class Outcome(models.TextChoices):
        NEW = "new"
        FOLDED = "folded"  # counted on its order
        PARKED = "parked"  # about an order without a row (yet)
        IGNORED = "ignored"

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="webhook_events")
    scope = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    bigcommerce_order_id = models.BigIntegerField(null=True, blank=True)
    payload = models.JSONField()
    deliveries = models.PositiveIntegerField(default=1, db_default=1)
    received_at = models.DateTimeField(default=timezone.now, db_default=Now())
    outcome = models.CharField(max_length=8, choices=Outcome, default=Outcome.NEW)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "scope", "hash"], name="one_row_per_event")
        ]
        indexes = [
            models.Index(fields=["id"], condition=models.Q(outcome="new"), name="event_new"),
            models.Index(
                fields=["received_at"], condition=models.Q(outcome="parked"), name="event_parked"
            ),
            models.Index(
                fields=["id"],
                condition=models.Q(outcome="parked", bigcommerce_order_id__isnull=True),
                name="event_of_store_parked",
            ),
            models.Index(fields=["store", "bigcommerce_order_id"]),
            models.Index(fields=["received_at"]),
        ]

    def __str__(self) -> str:
        return f"{self.scope} {self.bigcommerce_order_id}"


class Gate(models.Model):
    """Throttle of a host on behalf of a store. It is one row, so that all workers agree.

    The circuit breaker: after repeated failures nothing may be sent until `open_until`, then one
    order at a time. The rate limit: `budget` calls are left until `window_until`; afterwards the
    quota is unknown.
    """

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="gates")
    host = models.CharField(max_length=255)
    failures = models.PositiveIntegerField(default=0)  # in a row
    open_until = models.DateTimeField(null=True, blank=True)
    budget = models.IntegerField(default=0)
    window_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["store", "host"], name="one_gate_per_store_and_host")
        ]
        indexes = [
            models.Index(
                fields=["open_until"],
                condition=models.Q(open_until__isnull=False),
                name="gate_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.host} for {self.store}"


class Reconciliation(models.Model):
    """Until when all changes of a store's orders have been marked, with or without a webhook."""

    store = models.OneToOneField(Store, on_delete=models.CASCADE, related_name="reconciliation")
    until = models.DateTimeField(null=True, blank=True)  # changes before this are marked
    # When the webhooks were last working. Events after that may be missing.
    webhooks_at = models.DateTimeField(null=True, blank=True)
    # A host was away: every open order is checked once all hosts answer again.
    outage = models.BooleanField(default=False, db_default=False)

    class Meta:
        indexes = [
            models.Index(
                fields=["store"], condition=models.Q(outage=True), name="reconciliation_outage"
            )
        ]

    def __str__(self) -> str:
        return f"changes of {self.store} until {self.until}"


# Details of shoppers in which SeQura and the shop differ.
class Correction(models.Model):
    """One detail that SeQura corrected, open until the merchant has decided.

    Keyed by SeQura's reference, because the first may arrive before the BigCommerce order exists.
    """

    class Source(models.TextChoices):
        NOTIFICATION = "notification", _("SeQura's notification")
        EVENT = "event", _("SeQura's event")
        PERSON = "person", _("Entered by hand")

    class Decision(models.TextChoices):
        OPEN = "", "Open"
        APPLIED = "applied", "Applied to BigCommerce"
        KEPT = "kept", "Ours was kept"
        AGREED = "agreed", "BigCommerce says the same"

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="corrections")
    reference = models.UUIDField()
    path = models.CharField(max_length=64)  # of the order update: customer.email
    ours = models.CharField(max_length=255, blank=True)  # the shop's value at that moment
    theirs = models.CharField(max_length=255, blank=True)
    source = models.CharField(max_length=16, choices=Source)
    heard_at = models.DateTimeField(default=timezone.now)
    heard_by = models.CharField(max_length=255, blank=True)  # who entered it, an e-mail address
    decision = models.CharField(max_length=8, choices=Decision, blank=True, default="")
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.CharField(max_length=255, blank=True)
    # Beside the order: {"account": true, "addresses": 2}, or {"problem": "customer_refused"}.
    reached = models.JSONField(default=dict, db_default={}, blank=True)

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


# Checks of every open order, and where the shop, SeQura and the database disagree.
class DriftCheck(models.Model):
    """One check of the open orders of a store."""

    class State(models.TextChoices):
        RUNNING = "running", "Under way"
        DONE = "done", "Finished"
        FAILED = "failed", "Broken off"

    class Cause(models.TextChoices):
        NIGHT = "night", "Every night"
        OUTAGE = "outage", "After an outage"
        PERSON = "person", "Check now"
        COMMAND = "command", "Command line"

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="drift_checks")
    cause = models.CharField(max_length=8, choices=Cause, default=Cause.NIGHT)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    total = models.PositiveIntegerField(default=0)
    checked = models.PositiveIntegerField(default=0)
    after = models.BigIntegerField(default=0)  # the BigCommerce id of the last order checked
    words = models.TextField(blank=True)
    # First the shop's list is searched for orders that the database does not know: those created
    # since this moment (null: all), how many were searched, and the last one.
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
    """One order for which the shop, SeQura and the database disagree."""

    class Kind(models.TextChoices):
        MISSED = "missed", "Missed change"
        REJECTED = "rejected", "Refused by SeQura"
        PORTAL = "portal", "Changed in SeQura's portal?"
        CORRECTED = "corrected", "SeQura has other data"
        REVIEW = "review", "Review takes too long"
        STRAY = "stray", "Incomplete order"
        WITHOUT_REFERENCE = "without_reference", "Confirmed without number"
        UNREADABLE = "unreadable", "Cannot be read"
        ADOPTED = "adopted", "Order we did not know"
        NOT_ADOPTED = "not_adopted", "Unknown order, not linked"
        NOT_CHECKED = "not_checked", "Could not be checked"

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


# Delivery reports being sent, and the statistics about BigCommerce's orders.
class ReportRun(models.Model):
    """One sending of a store's delivery reports to all its merchant ids."""

    class State(models.TextChoices):
        RUNNING = "running", _("Under way")
        DONE = "done", _("Accepted")
        FAILED = "failed", _("Failed")

    class Cause(models.TextChoices):
        NIGHT = "night", "Every night"
        CALL = "call", "Trigger address"
        PERSON = "person", "Send now"

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="report_runs")
    cause = models.CharField(max_length=8, choices=Cause, default=Cause.NIGHT)
    state = models.CharField(max_length=8, choices=State, default=State.RUNNING)
    attempts = models.PositiveIntegerField(default=0)
    started_at = models.DateTimeField(default=timezone.now)
    ended_at = models.DateTimeField(null=True, blank=True)
    next_at = models.DateTimeField(null=True, blank=True)  # failed: when it is retried

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
    """The delivery report of one merchant id in a run, and its progress."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Accepted")
        FAILED = "failed", _("Failed")

    run = models.ForeignKey(ReportRun, on_delete=models.CASCADE, related_name="reports")
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, related_name="+")
    merchant_ref = models.CharField(max_length=255)
    state = models.CharField(max_length=8, choices=State, default=State.WAITING)
    orders = models.PositiveIntegerField(default=0)  # to report when the run began
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
        """Return how many orders were processed, reported or inconsistent."""
        return self.told + self.broken


class RecentOrders(models.Model):
    """Statistics rows of a store's orders of the last days, of every payment method.

    `rows` maps a BigCommerce id to its row. Orders that changed after `until` are read again.
    """

    store = models.OneToOneField(Store, on_delete=models.CASCADE, related_name="recent_orders")
    rows = models.JSONField(default=dict)
    until = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"recent orders of {self.store}"
