"""The entry in the Action menu of an order that opens our side panel.

https://docs.bigcommerce.com/docs/integrations/apps/app-extensions
"""

from functools import partial
from typing import Any

from bigcommerce.client import BigCommerce
from bigcommerce.documents import AppExtension, Label
from stores.models import Store
from stores.registration.changes import Change

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


def plan(api: BigCommerce, _store: Store) -> list[Change]:
    """Return the changes to have one panel. BigCommerce lists this app's extensions only."""
    extensions = api.app_extensions()
    ours = [one for one in extensions if (one["context"], one["model"]) == (_CONTEXT, _MODEL)]
    changes = [_surplus(api, one) for one in extensions if one not in ours]
    if not ours:
        create = Change(
            "missing", _LABEL["defaultValue"], partial(api.create_app_extension, _INPUT)
        )
        return [*changes, create]
    ours.sort(key=lambda one: one["url"] != _URL)
    kept, *others = ours
    changes += [_surplus(api, one) for one in others]
    if kept["url"] != _URL or _texts(kept["label"]) != _texts(_LABEL):
        update = partial(api.update_app_extension, kept["id"], _URL, _LABEL)
        changes.append(Change("changed", _LABEL["defaultValue"], update))
    return changes


def _texts(label: Label) -> dict[str, str]:
    texts = {one["localeCode"]: one["value"] for one in label.get("locales") or []}
    return {"": label.get("defaultValue", ""), **texts}


def _surplus(api: BigCommerce, extension: AppExtension) -> Change:
    name = extension.get("label", {}).get("defaultValue", extension["id"])
    return Change("surplus", name, partial(api.delete_app_extension, extension["id"]))
