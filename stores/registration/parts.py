"""The parts of a registration: what differs from what we want, and how to put it right.

Three simple parts stand here: a store's facts, our webhooks, and our panel beside an order. The
facts are its name, its control panel and its storefronts. Webhooks name their scopes, because a
wildcard next to a scope would deliver twice. The panel is an entry in an order's Action menu.
No database here: these run on threads.
https://docs.bigcommerce.com/docs/integrations/webhooks
https://docs.bigcommerce.com/docs/integrations/apps/app-extensions
"""

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypedDict

import structlog
from django.conf import settings
from django.utils import timezone

from bigcommerce.api import Rejected, Unavailable
from bigcommerce.client import BigCommerce
from bigcommerce.documents import AppExtension, Channel, Hook, Label, Site
from stores.encryption import Undecryptable
from stores.models import Store
from stores.storefronts import origin_of

# outdated: from an older version of ours; changed: by another party. The last four are seen on the
# checkout page: an address that refuses, one that was not reached, another file than the registered
# one, scripts of others.
Kind = Literal[
    "missing", "changed", "outdated", "surplus", "failed", "unauthorised",
    "silent", "unreached", "altered", "foreign",
]  # fmt: skip
_ALL: tuple[Kind, ...] = ("missing", "changed", "outdated", "surplus")


class Problem(TypedDict):
    """One problem; `words` holds BigCommerce's message, or the names of changed fields."""

    kind: Kind
    name: str
    words: str


class Health(TypedDict):
    """The state of one part of the registration at a moment (ISO 8601)."""

    ok: bool
    at: str
    problems: list[Problem]


@dataclass(frozen=True)
class Change:
    """One call that repairs one thing."""

    kind: Kind
    name: str
    apply: Callable[[], object]
    words: str = ""

    @property
    def problem(self) -> Problem:
        return {"kind": self.kind, "name": self.name, "words": self.words}


Plan = Callable[[BigCommerce, Store], list[Change]]
Part = Callable[[BigCommerce, Store], list[Problem]]


def only_look(plan: Plan) -> Part:
    """Return a part that reports problems and changes nothing."""

    def look(api: BigCommerce, store: Store) -> list[Problem]:
        return [change.problem for change in plan(api, store)]

    return look


def put_right(plan: Plan, until: float, kinds: tuple[Kind, ...] = _ALL) -> Part:
    """Return a part that makes its changes of these kinds, none after `until` (monotonic).

    A rejected change does not stop the next one. Afterwards the part is checked again: what was
    rejected may have been there already, and a change whose answer was lost may have happened.
    """

    def work(api: BigCommerce, store: Store) -> list[Problem]:
        wanted = plan(api, store)
        left = [change.problem for change in wanted if change.kind not in kinds]
        refused = _refusals([change for change in wanted if change.kind in kinds], until)
        return left + (refused if refused and len(plan(api, store)) > len(left) else [])

    return work


def _refusals(changes: Iterable[Change], until: float) -> list[Problem]:
    problems: list[Problem] = []
    for change in changes:
        if time.monotonic() > until:
            problems.append(change.problem)
            continue
        try:
            change.apply()
        except Rejected as refusal:
            problems.append(_refused(refusal, change.name))
        except Unavailable as failure:
            problems.append({"kind": "failed", "name": change.name, "words": failure.reason})
            until = 0.0
    return problems


def _refused(refusal: Rejected, name: str = "") -> Problem:
    """Return BigCommerce's rejection as a problem."""
    kind: Kind = "unauthorised" if refusal.status == 401 else "failed"
    return {"kind": kind, "name": name, "words": refusal.message}


def health(part: Part, connect: Callable[[], BigCommerce], store: Store) -> Health:
    """Return the state of a part, whatever happens during the check."""
    try:
        problems = part(connect(), store)
    except Rejected as refusal:
        problems = [_refused(refusal)]
    except Unavailable as failure:
        problems = [{"kind": "failed", "name": "", "words": failure.reason}]
    except Undecryptable as lost:
        problems = [{"kind": "failed", "name": "", "words": str(lost)}]
    return {"ok": not problems, "at": timezone.now().isoformat(), "problems": problems}


log = structlog.get_logger(__name__)

INFORMATION = [
    "name",
    "email",
    "secure_url",
    "control_panel_url",
    "country",
    "currency",
    "timezone",
    "language",
    "channels",
]


def read_information(api: BigCommerce, store: Store) -> list[Problem]:
    """Read the store's facts and storefronts anew, into `store`; saving is the caller's."""
    facts = api.store()
    store.name = _text(facts.get("name"), 255)
    store.email = _text(facts.get("admin_email"), 255)
    store.secure_url = origin_of(_text(facts.get("secure_url"), 255))
    store.control_panel_url = origin_of(_text(facts.get("control_panel_base_url"), 255))
    store.country = _text(facts.get("country_code"), 2)
    store.currency = _text(facts.get("currency"), 3)
    store.timezone = _text((facts.get("timezone") or {}).get("name"), 64) or "UTC"
    store.language = _text(facts.get("language"), 16)
    known = {one["id"]: one.get("new", False) for one in store.channels}
    store.channels = [
        _channel(api, store, channel, is_new=bool(known) and known.get(channel["id"], True))
        for channel in api.channels()
    ]
    return []


def _text(value: object, limit: int) -> str:
    return str(value or "").replace("\0", "")[:limit]


def _channel(api: BigCommerce, store: Store, channel: Channel, *, is_new: bool) -> dict[str, Any]:
    return {
        # Since the installation: the merchant has not decided about it.
        **({"new": True} if is_new else {}),
        "id": channel["id"],
        "name": _text(channel.get("name"), 255),
        "origins": _origins(store, channel["id"], api.site(channel["id"])),
        **_checkout(api, store, channel["id"]),
    }


def _checkout(api: BigCommerce, store: Store, channel_id: int) -> dict[str, Any]:
    """Return the storefront's checkout settings; without an answer they are empty."""
    try:
        found = api.checkout_settings(channel_id)
    except (Rejected, Unavailable) as error:
        log.info("checkout_settings_unknown", store=store.hash, why=str(error))
        found = {}
    return {
        "terms": bool(found.get("is_order_terms_and_conditions_enabled")),
        "checkout_type": _text(found.get("checkout_type"), 64),
        "custom_checkout": bool(found.get("custom_checkout_script_url")),
    }


def _origins(store: Store, channel_id: int, site: Site) -> list[str]:
    """Where the channel's checkout may run: its site, its checkout domain, BigCommerce's own.

    The last is https://store-{hash}.mybigcommerce.com, with the channel id behind it on stores
    with more than one storefront.
    """
    addresses = [site.get("url", ""), *(row.get("url", "") for row in site.get("urls") or [])]
    own = f"https://store-{store.hash}"
    addresses += [f"{own}.mybigcommerce.com", f"{own}-{channel_id}.mybigcommerce.com"]
    if channel_id == 1:
        addresses.append(store.secure_url)
    return sorted({origin_of(address) for address in addresses} - {""})


_SCOPES = (
    "store/order/created",
    "store/order/updated",
    "store/order/statusUpdated",
    "store/order/archived",
    "store/order/refund/created",
    "store/shipment/created",
    "store/shipment/updated",
    "store/shipment/deleted",
    "store/app/uninstalled",
    "store/information/updated",
)
_SECRET_HEADER = "X-Webhook-Secret"  # noqa: S105 (a name, not a secret)


def _destination(store: Store) -> str:
    return f"{settings.APP_URL}/webhooks/bigcommerce/{store.public_id}"


def webhook_changes(api: BigCommerce, store: Store) -> list[Change]:
    """Return all changes. BigCommerce lists this app's webhooks only: others are old ones."""
    hooks = api.hooks()
    changes = [change for scope in _SCOPES for change in _one_webhook(api, store, scope, hooks)]
    return changes + [_surplus_hook(api, hook) for hook in hooks if hook["scope"] not in _SCOPES]


def _one_webhook(api: BigCommerce, store: Store, scope: str, hooks: list[Hook]) -> list[Change]:
    """Return the changes to have one active webhook of this scope, with the store's secret."""
    fields = {"destination": _destination(store), "headers": {_SECRET_HEADER: store.webhook_secret}}
    ours = [hook for hook in hooks if hook["scope"] == scope]
    if not ours:
        # mypy does not match the values of a dict with the types of keywords.
        return [Change("missing", scope, partial(api.create_hook, scope, **fields))]  # type: ignore[arg-type]
    ours.sort(key=lambda hook: hook["destination"] != fields["destination"])
    kept, *others = ours
    changes = [_surplus_hook(api, hook) for hook in others]
    wanted = {**fields, "is_active": True}
    if any(kept.get(name) != value for name, value in wanted.items()):
        changes.append(Change("changed", scope, partial(api.update_hook, kept["id"], **wanted)))
    return changes


def _surplus_hook(api: BigCommerce, hook: Hook) -> Change:
    return Change("surplus", hook["scope"], partial(api.delete_hook, hook["id"]))


_CONTEXT, _MODEL, _URL = "PANEL", "ORDERS", "/orders/${id}/sequra"
# At most 25 characters each, as BigCommerce advises. `locales` may be empty but never absent.
_LABEL: Label = {
    "defaultValue": "SeQura order",
    "locales": [
        {"value": "Pedido de SeQura", "localeCode": "es-ES"},
        {"value": "Commande SeQura", "localeCode": "fr-FR"},
        {"value": "Ordine SeQura", "localeCode": "it-IT"},
        {"value": "Encomenda SeQura", "localeCode": "pt-PT"},
    ],
}
_INPUT: dict[str, Any] = {"context": _CONTEXT, "model": _MODEL, "url": _URL, "label": _LABEL}


def panel_changes(api: BigCommerce, _store: Store) -> list[Change]:
    """Return the changes to have one panel. BigCommerce lists this app's extensions only."""
    extensions = api.app_extensions()
    ours = [one for one in extensions if (one["context"], one["model"]) == (_CONTEXT, _MODEL)]
    changes = [_surplus_panel(api, one) for one in extensions if one not in ours]
    if not ours:
        create = Change(
            "missing", _LABEL["defaultValue"], partial(api.create_app_extension, _INPUT)
        )
        return [*changes, create]
    ours.sort(key=lambda one: one["url"] != _URL)
    kept, *others = ours
    changes += [_surplus_panel(api, one) for one in others]
    if kept["url"] != _URL or _texts(kept["label"]) != _texts(_LABEL):
        update = partial(api.update_app_extension, kept["id"], _URL, _LABEL)
        changes.append(Change("changed", _LABEL["defaultValue"], update))
    return changes


def _texts(label: Label) -> dict[str, str]:
    texts = {one["localeCode"]: one["value"] for one in label.get("locales") or []}
    return {"": label.get("defaultValue", ""), **texts}


def _surplus_panel(api: BigCommerce, extension: AppExtension) -> Change:
    name = extension.get("label", {}).get("defaultValue", extension["id"])
    return Change("surplus", name, partial(api.delete_app_extension, extension["id"]))
