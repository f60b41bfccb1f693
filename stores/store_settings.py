"""Export and import a store's settings, and record every change of them.

An import is validated as a whole, then stored as a whole.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, NamedTuple

from django.db import transaction
from rest_framework.exceptions import ValidationError

from stores import catalogue, channels, connect, statuses
from stores.channels import INHERIT
from stores.connect import Account, Login
from stores.encryption import readable
from stores.models import AT_ONCE, Connection, SettingChange, Store
from stores.settings_file import BY_CHANNEL, CHANNELS, SETTINGS, SettingsFile, complaints
from stores.tasks import place_widgets, wake

_Document = Mapping[str, Any]

_STATUS_LISTS = ("shipped_statuses", "cancelling_statuses")


# What the history keeps besides the registry: SeQura has to agree to it, or it is a secret.
ENVIRONMENT, ACCOUNTS, COUNTRIES = (
    "connection.environment", "connection.accounts", channels.COUNTRIES,
)  # fmt: skip
PASSWORDS, TRIGGER = "connection.passwords", "reports.trigger_url"
ALERT_SECRET = "alerts.webhook_secret"  # noqa: S105 (its name in the history)
SECRET = (PASSWORDS, TRIGGER, ALERT_SECRET)
# A change of these is a change of the widgets' script.
_WHERE_WIDGETS_ARE = ("widgets.methods", "widgets.selectors", "general.disabled_channels")


class Refused(Exception):
    """Nothing was imported, for the reason given on one line."""


class _ChangedSince(Exception):
    """Somebody changed the setting again before it was undone."""


class Author(NamedTuple):
    """Who changes settings: a `SettingChange.Source`, and the person's name or e-mail address."""

    source: str
    name: str = ""


COMMAND = Author(SettingChange.Source.COMMAND)


@contextmanager
def recorded(store: Store, author: Author) -> Iterator[Mapping[str, Any]]:
    """Record what the block changes in the store's settings, in one transaction with it.

    Give the block the settings as they are before it, by their key in the document.

    Call nothing over HTTP in the block: the store's row is locked.
    """
    with transaction.atomic():
        before = _values(Store.objects.select_for_update().get(pk=store.pk))
        yield before
        after = _values(Store.objects.get(pk=store.pk))
        SettingChange.objects.bulk_create(
            SettingChange(
                store=store,
                source=author.source,
                by=author.name[:255],
                key=key,
                before=None if key in SECRET else before.get(key, INHERIT),
                after=None if key in SECRET else after.get(key, INHERIT),
            )
            # A storefront's own setting comes and goes; every other is in both.
            for key in after | before
            if after.get(key, INHERIT) != before.get(key, INHERIT)
        )
        if any(after[key] != before[key] for key in _WHERE_WIDGETS_ARE):
            _place_widgets(store)


def _place_widgets(store: Store) -> None:
    """Have the widgets' script registered where it is wanted now; without widgets do nothing."""
    shown = Store.objects.exclude(widget_methods={}, widget_script_file="").filter(pk=store.pk)
    if shown.update(widgets_due=True, maintain_due_at=AT_ONCE):
        transaction.on_commit(partial(wake, place_widgets, store.pk))


def _values(store: Store) -> dict[str, Any]:
    """Return every setting by its key in the document, secrets too."""
    accounts = _open(store)
    return {
        ENVIRONMENT: store.environment,
        ACCOUNTS: {name: one.username for name, one in accounts.items()},
        PASSWORDS: {name: readable(one, "password") for name, one in accounts.items()},
        COUNTRIES: {merchant.country: merchant.ref for merchant in connect.selling(store)},
        TRIGGER: readable(store, "report_token"),
        ALERT_SECRET: readable(store, "alert_secrets"),
        **{setting.key: getattr(store, setting.column) for setting in SETTINGS},
        **{
            f"{CHANNELS}.{channel}.{key}": own[column]
            for channel, own in store.channel_settings.items()
            for column, key in _KEYS.items()
            if column in own
        },
    }


# What a storefront may have of its own, by column: its key in the storefront's part.
_KEYS = {COUNTRIES: COUNTRIES, **{setting.column: setting.key for setting in BY_CHANNEL}}


def of_channel(key: str) -> tuple[int, str] | None:
    """Return the storefront and its setting, of a key of the history; None for the store's own."""
    part, _dot, rest = key.partition(".")
    channel, _dot, name = rest.partition(".")
    return (int(channel), name) if part == CHANNELS and channel.isdecimal() else None


def undo(store: Store, change: SettingChange, author: Author) -> bool:
    """Set a setting back to what it was before. Return False when it has changed since.

    Raise Refused when the earlier value is not valid any more.
    """
    if not can_undo(change):
        return False
    channel, name = of_channel(change.key) or (None, change.key)
    document: dict[str, Any] = {}
    for setting in SETTINGS:
        if setting.key == name:
            setting.export(document, change.before)
    document = document or {COUNTRIES: change.before}
    if channel is not None:
        document = {CHANNELS: {str(channel): document}}
    try:
        import_settings(store, document, author, undoes=change)
    except _ChangedSince:
        return False
    return True


def can_undo(change: SettingChange) -> bool:
    """Return whether the earlier value is enough to set it back: SeQura needs no password."""
    if of_channel(change.key):
        return True
    return change.key == COUNTRIES or change.key in {setting.key for setting in SETTINGS}


def export_settings(store: Store) -> dict[str, Any]:
    """Return every setting except secrets; the reports' trigger URL is the exception."""
    document: dict[str, Any] = {
        "connection": {
            "environment": store.environment,
            "deployments": {
                one.deployment: {"username": one.username} for one in _open(store).values()
            },
        },
        "countries": {merchant.country: merchant.ref for merchant in connect.selling(store)},
        "reports": {"trigger_url": store.report_url},
    }
    for setting in SETTINGS:
        setting.export(document, getattr(store, setting.column))
    if own := _export_channels(store):
        document[CHANNELS] = own
    return document


def _export_channels(store: Store) -> dict[str, Any]:
    """Return what each storefront has of its own; nothing for a store in which none has.

    What is inherited is named, so that an import takes later settings of a storefront back.
    """
    if not store.channel_settings:
        return {}
    ids = {*store.channel_settings, *(str(one["id"]) for one in store.channels)}
    found: dict[str, Any] = {}
    for channel in sorted(ids, key=int):
        own = channels.own(store, int(channel))
        part: dict[str, Any] = {COUNTRIES: own.get(COUNTRIES, INHERIT)}
        for setting in BY_CHANNEL:
            setting.export(part, own.get(setting.column, INHERIT))
        found[channel] = part
    return found


def _open(store: Store) -> dict[str, Connection]:
    connections = store.connections.exclude(state="archived").order_by("deployment")
    return {connection.deployment: connection for connection in connections}


def import_settings(
    store: Store, given: Any, author: Author = COMMAND, undoes: SettingChange | None = None
) -> None:
    """Store the document's settings. Raise Refused, and store nothing, if any is invalid.

    With `undoes`, raise _ChangedSince unless the setting still is what that change made of it.
    """
    document = _validated(given)
    if store.state == Store.State.UNINSTALLED and "connection" in document:
        raise Refused("connection: the store has not installed the app")
    categories = channels.excluded_lists(store)
    _check_status_lists(store, document)
    try:
        accounts = _accounts(store, document.get("connection", {}))
        with recorded(store, author) as before:
            if undoes and before.get(undoes.key, INHERIT) != undoes.after:
                raise _ChangedSince
            _save(store, document, accounts)
    except connect.Refused as refusal:
        sentences = [f"{name}: {text}" if name else text for name, text in refusal.problems.items()]
        raise Refused(" ".join(sentences)) from refusal
    if accounts is not None:
        connect.refresh(store)
    if channels.excluded_lists(store) != categories:
        catalogue.refresh(store)


def _validated(given: Any) -> _Document:
    if not isinstance(given, dict):
        raise Refused("the document is not a JSON object")
    try:
        file = SettingsFile(data=given)
        file.is_valid(raise_exception=True)
    except ValidationError as error:
        raise Refused("; ".join(complaints(error.detail))) from error
    validated: _Document = file.validated_data
    return validated


def _check_status_lists(store: Store, document: _Document) -> None:
    """Refuse a status that would be in both lists once the import is stored."""
    lists = {name: document.get(name, getattr(store, name)) for name in _STATUS_LISTS}
    _check_status_list("", lists)
    given = document.get(CHANNELS, {})
    for channel in {*store.channel_settings, *given}:
        own = {**channels.own(store, int(channel)), **given.get(channel, {})}
        own = {name: value for name, value in own.items() if value != INHERIT}
        _check_status_list(f"{CHANNELS}.{channel}.", {**lists, **own})


def _check_status_list(where: str, lists: Mapping[str, Any]) -> None:
    if both := statuses.in_both(*(lists[name] for name in _STATUS_LISTS)):
        listed = ", ".join(map(str, both))
        raise Refused(
            f"{where}cancelling_statuses: {listed} is in shipped_statuses too;"
            " a status either ships an order or cancels it"
        )


def _accounts(store: Store, part: _Document) -> list[Account] | None:
    """Return the accounts that SeQura accepted; None when they stay as they are."""
    connections = _open(store)
    environment = part.get("environment", store.environment)
    stored = {
        name: Login(one.username, readable(one, "password")) for name, one in connections.items()
    }
    logins = {
        name: _login(connections, name, login)
        for name, login in part.get("deployments", {}).items()
    }
    if "deployments" not in part:
        logins = stored
    # A password in the document, even an unchanged one, is checked with SeQura: it ends a pause.
    entered = any(login.get("password") for login in part.get("deployments", {}).values())
    if logins == stored and environment == store.environment and not entered:
        return None
    return connect.ask_sequra(environment, logins)


def _login(connections: Mapping[str, Connection], name: str, given: _Document) -> Login:
    """Complete the login with stored values. A new account must be complete."""
    known = connections.get(name)
    username = given.get("username") or (known.username if known else "")
    password = given.get("password") or (readable(known, "password") if known else "")
    for field, value in (("username", username), ("password", password)):
        if not value:
            raise Refused(f"connection.deployments.{name}: a new account needs its {field}")
    return Login(username, password)


def _save(store: Store, document: _Document, accounts: list[Account] | None) -> None:
    environment = document.get("connection", {}).get("environment", store.environment)
    if accounts is not None:
        connect.save(store, environment, accounts)
    if "countries" in document:
        connect.choose(store, document["countries"])
    # Only what the document names: somebody else may have changed the rest meanwhile.
    found = {column: value for one in SETTINGS for column, value in one.found(document).items()}
    for column, value in found.items():
        setattr(store, column, value)
    if store.alert_webhook and not store.alert_secrets:
        store.replace_alert_secret()
        found |= {"alert_secrets": "", "alert_secrets_at": None}
    store.save(update_fields=found)
    for channel, part in document.get(CHANNELS, {}).items():
        _save_channel(store, int(channel), part)


def _save_channel(store: Store, channel_id: int, part: _Document) -> None:
    own = {column: value for one in BY_CHANNEL for column, value in one.found(part).items()}
    if COUNTRIES in part:
        own[COUNTRIES] = part[COUNTRIES]
        if own[COUNTRIES] != INHERIT:
            connect.check_choice(store, own[COUNTRIES])
    channels.change(store, channel_id, own)
