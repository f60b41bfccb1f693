"""Stores that installed the app, their settings, SeQura accounts and users."""

import base64
import secrets
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, models
from django.db.models.functions import Coalesce, Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from stores.encryption import EncryptedTextField, ModelWithSecrets, readable

# The countries in which SeQura is offered, by ISO 3166 code, and their names: those with euros.
SELLING_COUNTRIES = {
    "ES": _("Spain"),
    "FR": _("France"),
    "IT": _("Italy"),
    "PT": _("Portugal"),
}
# SeQura has merchant ids here too, in other currencies. Accounts and earlier settings name them.
NOT_OFFERED_COUNTRIES = {"CO": _("Colombia"), "PE": _("Peru")}


def country_name(code: str) -> str:
    """Return the country's name in the reader's language, or its code when SeQura is not there."""
    return str((SELLING_COUNTRIES | NOT_OFFERED_COUNTRIES).get(code, code))


# All processes share the database's clock, because a host's own clock may be wrong.
def database_now() -> datetime:
    """Return the database's time, to compare with a column or with an earlier result."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
    moment: datetime = now
    return moment


# An account that SeQura refused is probed this often; waiting updates follow a minute later.
PROBE_AFTER = timedelta(minutes=3)
# The time of the last checkout request is stored at most this often.
_ASKED_RESOLUTION = timedelta(minutes=1)


def new_secret() -> str:
    """Return 256 random bits, safe in a URL and in a header."""
    return secrets.token_urlsafe(32)


def default_shipped_statuses() -> list[int]:
    """Shipped and Completed, https://docs.bigcommerce.com order statuses."""
    return [2, 10]


def default_cancelling_statuses() -> list[int]:
    """Cancelled and Declined, https://docs.bigcommerce.com order statuses."""
    return [5, 6]


# Before every moment: what is due since then is due now.
AT_ONCE = datetime(1970, 1, 1, tzinfo=UTC)


class Store(ModelWithSecrets):
    """A BigCommerce store that installed the app, with its settings."""

    class State(models.TextChoices):
        INSTALLED = "installed"
        NEEDS_REAUTHORISATION = "needs_reauthorisation"
        UNINSTALLED = "uninstalled"

    hash = models.CharField(max_length=64, unique=True)
    public_id = models.UUIDField(unique=True, default=uuid.uuid4, editable=False)
    state = models.CharField(max_length=24, choices=State, default=State.INSTALLED)
    access_token = EncryptedTextField(blank=True)
    webhook_secret = EncryptedTextField(default=new_secret)
    scopes = models.TextField(blank=True)
    # When the access token was granted: distinguishes a revoked token from its replacement.
    authorised_at = models.DateTimeField(default=timezone.now)
    installed_at = models.DateTimeField(default=timezone.now)
    uninstalled_at = models.DateTimeField(null=True, blank=True)
    # When no personal data was left to erase: see `stores.privacy.personal_data`.
    erased_at = models.DateTimeField(null=True, blank=True)
    # When an uninstallation was announced while BigCommerce still accepted the token.
    uninstall_asked_at = models.DateTimeField(null=True, blank=True)

    # From BigCommerce: GET /v2/store, /v3/channels, /v3/channels/{id}/site.
    name = models.CharField(max_length=255, blank=True)
    email = models.CharField(max_length=255, blank=True)
    secure_url = models.CharField(max_length=255, blank=True)
    control_panel_url = models.CharField(max_length=255, blank=True)
    country = models.CharField(max_length=2, blank=True)
    currency = models.CharField(max_length=3, blank=True)
    timezone = models.CharField(max_length=64, default="UTC")
    language = models.CharField(max_length=16, blank=True)
    # Storefront channels: [{"id": 1, "name": "...", "origins": ["https://..."]}]; `new` is one that
    # was opened since the installation, and not decided about.
    channels = models.JSONField(default=list)
    # The registration at the last check: `stores.registration.parts.Health` per part of
    # `stores.registration.PARTS`.
    registration = models.JSONField(default=dict)
    registration_started_at = models.DateTimeField(null=True, blank=True)
    # The installation is incomplete. What the merchant removes afterwards is not registered again.
    registration_due = models.BooleanField(default=True)
    # The checkout script as last registered: its content-addressed file.
    script_file = models.CharField(max_length=255, blank=True)
    # When the store's next turn comes in the loops over all stores (`stores.isolation.in_turn`):
    # each finds it by an index, and reads no other store.
    maintain_due_at = models.DateTimeField(default=AT_ONCE, db_default=AT_ONCE, editable=False)
    erase_due_at = models.DateTimeField(default=AT_ONCE, db_default=AT_ONCE, editable=False)
    report_due_at = models.DateTimeField(default=AT_ONCE, db_default=AT_ONCE, editable=False)
    check_due_at = models.DateTimeField(default=AT_ONCE, db_default=AT_ONCE, editable=False)
    forget_due_at = models.DateTimeField(default=AT_ONCE, db_default=AT_ONCE, editable=False)
    alert_due_at = models.DateTimeField(default=AT_ONCE, db_default=AT_ONCE, editable=False)
    # When a checkout of the store last requested SeQura's payment methods.
    checkout_asked_at = models.DateTimeField(null=True, blank=True)

    # Settings of the merchant.
    environment = models.CharField(
        max_length=8, choices=[("sandbox", "Sandbox"), ("live", "Live")], default="sandbox"
    )
    send_statistics = models.BooleanField(default=True)
    allowed_ips = models.JSONField(default=list, blank=True)
    excluded_categories = models.JSONField(default=list, blank=True)
    excluded_products = models.JSONField(default=list, blank=True)
    # Every category below an excluded one, as last read from the catalogue.
    excluded_subcategories = models.JSONField(default=list, blank=True)
    # Names of what is excluded: {"category 23": "Shoes", "product SKU-1": "Red shoe"}.
    catalogue_names = models.JSONField(default=dict, blank=True)
    # Storefront channels in which SeQura is not offered, by id.
    disabled_channels = models.JSONField(default=list, blank=True)
    # What storefronts set for themselves, by id and column: {"3": {"status_approved": 9}}. They
    # inherit the rest: see `stores.channels`.
    channel_settings = models.JSONField(default=dict, db_default={}, blank=True)
    # Customer groups, by id, to which SeQura is not offered; and is it offered to companies?
    excluded_groups = models.JSONField(default=list, db_default=[], blank=True)
    offers_companies = models.BooleanField(default=True, db_default=True)
    # Is SeQura offered for carts in which nothing is shipped, where the contract has services?
    offers_services = models.BooleanField(default=True)
    # Are orders of digital products alone set to Completed, and so reported, when they are paid?
    completes_digital = models.BooleanField(default=True, db_default=True)
    # When services end that SeQura sells: a date or an ISO 8601 duration; empty: as downloads.
    services_end = models.CharField(max_length=32, blank=True, default="", db_default="")
    # BigCommerce status ids; null is "None": leave the status alone.
    status_approved = models.PositiveSmallIntegerField(null=True, blank=True, default=11)
    status_needs_review = models.PositiveSmallIntegerField(null=True, blank=True, default=12)
    status_cancelled = models.PositiveSmallIntegerField(null=True, blank=True, default=5)
    shipped_statuses = models.JSONField(default=default_shipped_statuses, blank=True)
    # Statuses in which the shopper owes nothing for what has not been shipped.
    cancelling_statuses = models.JSONField(
        default=default_cancelling_statuses, db_default=[5, 6], blank=True
    )
    # The store's labels of the statuses: {"11": "Awaiting Fulfillment"}.
    status_labels = models.JSONField(default=dict, blank=True)
    # Does the status Refunded, set by hand without a refund record, mean that all was refunded?
    refunded_status_refunds = models.BooleanField(default=False)
    # Is what SeQura corrected also changed in the customer's account and address book?
    corrects_customers = models.BooleanField(default=False, db_default=False)
    reports_enabled = models.BooleanField(default=True)
    reports_hour = models.PositiveSmallIntegerField(default=4)
    report_token = EncryptedTextField(default=new_secret)
    # What the statistics leave out, of `stores.settings_file.STATISTICS`.
    statistics_without = models.JSONField(default=list, blank=True)
    log_retention_days = models.PositiveSmallIntegerField(default=90)
    # What no e-mail is sent about, of `stores.settings_file.ALERTS`; and the hours without any, in
    # the store's time zone: none where both are the same.
    alerts_without = models.JSONField(default=list, db_default=[], blank=True)
    alerts_quiet_from = models.PositiveSmallIntegerField(default=21, db_default=21)
    alerts_quiet_until = models.PositiveSmallIntegerField(default=8, db_default=8)
    # Where alerts are sent as signed requests, if anywhere; one secret, or for a day after it was
    # replaced both, divided by a space.
    alert_webhook = models.CharField(max_length=500, blank=True, default="", db_default="")
    alert_secrets = EncryptedTextField(blank=True, default="", db_default="")
    alert_secrets_at = models.DateTimeField(null=True, blank=True)
    # Promotional widgets: which payment methods are shown in which place, where in the page, and
    # how they look, as `stores.settings_file` describes them. Without a method a place is off.
    widget_methods = models.JSONField(default=dict, db_default={}, blank=True)
    widget_selectors = models.JSONField(default=dict, db_default={}, blank=True)
    widget_theme = models.JSONField(default=dict, db_default={}, blank=True)
    # Their script as last registered; empty without. `widgets_due`: a setting changed since.
    widget_script_file = models.CharField(max_length=255, blank=True, default="", db_default="")
    widgets_due = models.BooleanField(default=False, db_default=False)
    # Checks passed before going live, and when (ISO 8601): {"paid": "2026-…"}.
    go_live = models.JSONField(default=dict, blank=True)

    # Saving one of these may move a turn: it makes all turns due, and the loops compute the next.
    _MOVE_TURNS = frozenset(
        {
            "timezone", "reports_hour", "reports_enabled", "log_retention_days", "state",
            "alerts_without", "alerts_quiet_from", "alerts_quiet_until", "alert_webhook",
        }
    )  # fmt: skip
    _TURNS = (
        "maintain_due_at", "erase_due_at", "report_due_at", "check_due_at", "forget_due_at",
        "alert_due_at",
    )  # fmt: skip

    class Meta:
        indexes = [
            models.Index(
                fields=["maintain_due_at"],
                condition=~models.Q(state="uninstalled"),
                name="store_maintain_due",
            ),
            models.Index(fields=["erase_due_at"], name="store_erase_due"),
            models.Index(
                fields=["report_due_at"],
                condition=~models.Q(state="uninstalled"),
                name="store_report_due",
            ),
            models.Index(
                fields=["check_due_at"],
                condition=models.Q(state="installed"),
                name="store_check_due",
            ),
            models.Index(fields=["forget_due_at"], name="store_forget_due"),
            models.Index(
                fields=["alert_due_at"],
                condition=~models.Q(state="uninstalled"),
                name="store_alert_due",
            ),
            models.Index(
                fields=["script_file"],
                condition=models.Q(state="installed"),
                name="store_script_file",
            ),
            models.Index(
                fields=["uninstall_asked_at"],
                condition=models.Q(uninstall_asked_at__isnull=False),
                name="store_uninstall_asked",
            ),
        ]

    def __str__(self) -> str:
        return self.name or self.hash

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """Save the store, and make its turns due when they may come earlier now."""
        fields = None if update_fields is None else set(update_fields)
        if fields is None or fields & self._MOVE_TURNS:
            for turn in self._TURNS:
                setattr(self, turn, AT_ONCE)
            fields = fields and fields.union(self._TURNS)
        super().save(*args, update_fields=fields, **options)

    @property
    def widget_places(self) -> list[str]:
        """Return where promotional widgets are shown: product, cart, listing; none by default."""
        return [place for place, methods in self.widget_methods.items() if methods]

    @property
    def origins(self) -> set[str]:
        """Every origin on which this store's checkout may run."""
        return {origin for channel in self.channels for origin in channel["origins"]}

    @property
    def report_url(self) -> str:
        """Whoever calls this starts the store's delivery report; it is the merchant's secret."""
        token = readable(self, "report_token")
        return f"{settings.APP_URL}/sequra/report/{self.public_id}/{token}" if token else ""

    @property
    def is_installed(self) -> bool:
        return self.state == self.State.INSTALLED

    def needs_reauthorisation(self) -> None:
        """BigCommerce refused the token: stop calling until the merchant consents again.

        A token that was replaced while the call was under way changes nothing.
        """
        Store.objects.filter(
            pk=self.pk, state=self.State.INSTALLED, authorised_at=self.authorised_at
        ).update(state=self.State.NEEDS_REAUTHORISATION, maintain_due_at=AT_ONCE)

    def is_authorised_anew(self) -> bool:
        """Was the token replaced since this row was read?"""
        current = Store.objects.filter(pk=self.pk, authorised_at=self.authorised_at)
        return not current.exists()

    def replace_alert_secret(self) -> str:
        """Return a new secret for the webhook of alerts. The last one is valid for another day."""
        secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
        newest = readable(self, "alert_secrets").partition(" ")[0]
        self.alert_secrets = f"{secret} {newest}".strip()
        self.alert_secrets_at = timezone.now()
        return secret

    def look_for_alerts(self) -> None:
        """Make the store's turn in the loop of alerts due."""
        Store.objects.filter(pk=self.pk).update(alert_due_at=AT_ONCE)

    def checkout_asked(self) -> None:
        """Store that a checkout asked just now: one statement, once a minute at most."""
        now = timezone.now()
        if self.checkout_asked_at and now - self.checkout_asked_at < _ASKED_RESOLUTION:
            return
        before = models.Q(checkout_asked_at=None) | models.Q(
            checkout_asked_at__lt=now - _ASKED_RESOLUTION
        )
        Store.objects.filter(before, pk=self.pk).update(checkout_asked_at=now)

    def works_again(self) -> None:
        """BigCommerce takes the token after all."""
        Store.objects.filter(
            pk=self.pk, state=self.State.NEEDS_REAUTHORISATION, authorised_at=self.authorised_at
        ).update(state=self.State.INSTALLED, maintain_due_at=AT_ONCE)


class SettingChange(models.Model):
    """One setting that somebody changed: the value before and after, and who it was.

    Of a secret only the moment is kept.
    """

    class Source(models.TextChoices):
        PAGE = "page"
        COMMAND = "command"
        SUPPORT = "support"  # SeQura's support, with the same command

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="setting_changes")
    at = models.DateTimeField(default=timezone.now)
    source = models.CharField(max_length=8, choices=Source)
    by = models.CharField(max_length=255, blank=True)  # an e-mail address, or a name
    key = models.CharField(max_length=64)  # as in the document of `store_settings`
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        indexes = [models.Index(fields=["store", "-id"], name="setting_change_newest")]

    def __str__(self) -> str:
        return f"{self.key} of {self.store}"


class Canary(ModelWithSecrets):
    """A secret of no use, encrypted when the database was new: does ENCRYPTION_KEYS decrypt it?"""

    secret = EncryptedTextField()

    def __str__(self) -> str:
        return f"canary {self.pk}"


class Lock(models.Model):
    """Who is the only one at something, behind a database pooler: see `stores.isolation`."""

    name = models.CharField(max_length=255, primary_key=True)
    holder = models.CharField(max_length=32)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class ScriptVersion(models.Model):
    """A storefront script as some version of the app had it, under its content-addressed name.

    Stores name the file that their script was registered with; every process serves every file.
    """

    name = models.CharField(max_length=255, primary_key=True)
    body = models.BinaryField()
    current_at = models.DateTimeField(default=timezone.now)  # when a process had it last

    def __str__(self) -> str:
        return self.name


class Connection(ModelWithSecrets):
    """A store's SeQura account on one deployment and environment."""

    class State(models.TextChoices):
        CONNECTED = "connected"
        ARCHIVED = "archived"  # disconnected; kept for the orders that are still open

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="connections")
    deployment = models.CharField(max_length=32)
    environment = models.CharField(max_length=8)
    username = models.CharField(max_length=255)
    password = EncryptedTextField()
    api_url = models.CharField(max_length=255)
    assets_url = models.CharField(max_length=255, blank=True)
    state = models.CharField(max_length=12, choices=State, default=State.CONNECTED)
    # Since when SeQura has refused the account, null once it accepts it. No call before
    # `paused_until`.
    refused_at = models.DateTimeField(null=True, blank=True)
    paused_until = models.DateTimeField(null=True, blank=True)
    # When the password was last checked with SeQura.
    probed_at = models.DateTimeField(null=True, blank=True)
    connected_at = models.DateTimeField(default=timezone.now)
    # When the merchant disconnected for good: no more updates of its orders are sent.
    stopped_at = models.DateTimeField(null=True, blank=True)
    # The app is uninstalled, and the password is still needed for payments under way: until then.
    erase_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "deployment"],
                condition=~models.Q(state="archived"),
                name="one_open_connection_per_deployment",
            )
        ]
        # What the periodic tasks look for, and the metrics count.
        indexes = [
            models.Index(
                fields=["refused_at"],
                condition=models.Q(refused_at__isnull=False),
                name="connection_refused",
            ),
            models.Index(
                fields=["probed_at"],
                condition=models.Q(state="connected", refused_at=None, stopped_at=None),
                name="connection_to_probe",
            ),
            models.Index(
                fields=["erase_at"],
                condition=models.Q(erase_at__isnull=False),
                name="connection_to_erase",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.store}: {self.deployment} {self.environment}"

    @property
    def is_refused(self) -> bool:
        """Return whether SeQura refused the account and has not accepted it since."""
        return self.refused_at is not None

    def pause(self) -> None:
        """Stop calls for three minutes because SeQura answered 401. One probe follows.

        A password that was replaced while the call was under way is not the one that SeQura
        refused.
        """
        Connection.objects.filter(pk=self.pk, connected_at=self.connected_at).update(
            paused_until=Now() + PROBE_AFTER, refused_at=Coalesce("refused_at", Now())
        )
        self.refresh_from_db(fields=["paused_until", "refused_at"])

    def release_probe(self) -> None:
        """Let the next call to SeQura pass. The account stays refused until SeQura accepts it.

        Used when the probe did not need to call SeQura, and when a merchant asks for a retry.
        """
        if self.paused_until is not None:
            Connection.objects.filter(pk=self.pk).update(paused_until=Now())
            self.refresh_from_db(fields=["paused_until"])

    def resume(self) -> None:
        """Clear the pause and the refusal because SeQura accepts the password."""
        if self.paused_until is not None or self.refused_at is not None:
            self.paused_until = self.refused_at = None
            self.save(update_fields=["paused_until", "refused_at"])


class Merchant(models.Model):
    """The SeQura merchant id for one selling country, and the connection it belongs to."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="merchants")
    connection = models.ForeignKey(Connection, on_delete=models.CASCADE, related_name="merchants")
    country = models.CharField(max_length=2)
    ref = models.CharField(max_length=255)
    # Does the merchant offer SeQura in this country? One row per country has it set.
    selling = models.BooleanField(default=True)
    # From GET /merchants/credentials: "services", "allow_first_instalment_delay", ...
    contract_options = models.JSONField(default=list, blank=True)
    # With it SeQura's own script explains the payment methods; a public name, no secret.
    assets_key = models.CharField(max_length=64, blank=True, default="", db_default="")
    # GET /merchants/{ref}/payment_methods as SeQura returned it, and when.
    payment_methods = models.JSONField(default=list, blank=True)
    payment_methods_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["connection", "country", "ref"], name="one_row_per_merchant_and_country"
            ),
            models.UniqueConstraint(
                fields=["store", "country"],
                condition=models.Q(selling=True),
                name="one_selling_merchant_per_country",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.ref} ({self.country})"


class PanelUser(models.Model):
    """A control-panel user of a store, as /load and /auth named them."""

    store = models.ForeignKey(Store, on_delete=models.CASCADE, related_name="users")
    bigcommerce_id = models.BigIntegerField()
    email = models.CharField(max_length=255, blank=True)
    locale = models.CharField(max_length=16, default="en")
    is_owner = models.BooleanField(default=False)
    seen_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["store", "bigcommerce_id"], name="one_row_per_store_and_user"
            )
        ]

    def __str__(self) -> str:
        return f"user {self.bigcommerce_id} of {self.store}"


class PanelSession(models.Model):
    """A control-panel session. The browser carries the token in the path; we keep its digest."""

    IDLE = timedelta(hours=1)
    ABSOLUTE = timedelta(hours=12)

    user = models.ForeignKey(PanelUser, on_delete=models.CASCADE, related_name="sessions")
    digest = models.CharField(max_length=64, unique=True)
    # The order whose Action menu opened it as a side panel; none for the app's own page.
    side_panel_of = models.BigIntegerField(null=True, blank=True)
    created_at = models.DateTimeField(default=timezone.now)
    used_at = models.DateTimeField(default=timezone.now)
    # Fingerprint of the client secret that the opening payload was signed with.
    client = models.CharField(max_length=16, default="", db_default="")

    class Meta:
        indexes = [models.Index(fields=["created_at"], name="panel_session_age")]

    def __str__(self) -> str:
        return f"session of {self.user}"

    @classmethod
    def delete_expired(cls) -> None:
        """Delete the rows of expired sessions."""
        cls.objects.filter(created_at__lt=timezone.now() - cls.ABSOLUTE).delete()


class SpentPayload(models.Model):
    """A signed payload that was used: BigCommerce's `jti` is valid for one request."""

    digest = models.CharField(max_length=64, unique=True)
    at = models.DateTimeField(default=timezone.now, db_index=True)

    def __str__(self) -> str:
        return f"payload spent at {self.at:%Y-%m-%d %H:%M}"


class WorkerFigure(models.Model):
    """A counter of all workers together: web processes show it, since workers serve no metrics."""

    name = models.CharField(max_length=80)
    labels = models.CharField(max_length=200)  # as JSON, in the order of their names
    value = models.FloatField()

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["name", "labels"], name="one_figure_of_a_name"),
        )

    def __str__(self) -> str:
        return f"{self.name} {self.labels}"


class Allowance(models.Model):
    """How many requests of a key were granted in the current window, and in the one before."""

    key = models.CharField(max_length=160, primary_key=True)
    window = models.BigIntegerField()
    used = models.PositiveIntegerField()
    used_before = models.PositiveIntegerField(default=0, db_default=0)  # in the window before
    counted_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.key
