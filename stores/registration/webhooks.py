"""The webhooks we subscribe to: https://docs.bigcommerce.com/docs/integrations/webhooks

Explicit scopes: a wildcard next to a scope would deliver twice.
"""

from functools import partial

from django.conf import settings

from bigcommerce.client import BigCommerce
from bigcommerce.documents import Hook
from stores.models import Store
from stores.registration.changes import Change

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


def plan(api: BigCommerce, store: Store) -> list[Change]:
    """Return all changes. BigCommerce lists this app's webhooks only: others are old ones."""
    hooks = api.hooks()
    changes = [change for scope in _SCOPES for change in _one(api, store, scope, hooks)]
    return changes + [_surplus(api, hook) for hook in hooks if hook["scope"] not in _SCOPES]


def _one(api: BigCommerce, store: Store, scope: str, hooks: list[Hook]) -> list[Change]:
    """Return the changes to have one active webhook of this scope, with the store's secret."""
    fields = {"destination": _destination(store), "headers": {_SECRET_HEADER: store.webhook_secret}}
    ours = [hook for hook in hooks if hook["scope"] == scope]
    if not ours:
        return [Change("missing", scope, partial(api.create_hook, scope, **fields))]  # type: ignore[arg-type]
    ours.sort(key=lambda hook: hook["destination"] != fields["destination"])
    kept, *others = ours
    changes = [_surplus(api, hook) for hook in others]
    wanted = {**fields, "is_active": True}
    if any(kept.get(name) != value for name, value in wanted.items()):
        changes.append(Change("changed", scope, partial(api.update_hook, kept["id"], **wanted)))
    return changes


def _surplus(api: BigCommerce, hook: Hook) -> Change:
    return Change("surplus", hook["scope"], partial(api.delete_hook, hook["id"]))
