"""The script on the checkout page of every storefront: https://docs.bigcommerce.com Scripts API

The browser refuses a script that does not match its hash, so the file is content-addressed and
stays reachable under its old name, and the old hash is kept along for pages in caches.
"""

import base64
import hashlib
from functools import partial
from pathlib import Path
from typing import Any, cast

from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage

from bigcommerce.client import BigCommerce
from bigcommerce.documents import Script
from stores.changes import Change
from stores.models import Store

FILE = "storefront/sequra-checkout.js"
NAME = "SeQura checkout"
DEFAULT_CHANNEL = {"id": 1, "name": "", "origins": []}
HASHES = 5  # BigCommerce's limit


def script_url(store: Store) -> str:
    """The versioned address, with the store's public id for the script to read from itself."""
    return f"{settings.APP_URL}{settings.STATIC_URL}{file_name()}?store={store.public_id}"


def file_name() -> str:
    """The file's name as collectstatic made it: another one for every version."""
    return cast(ManifestStaticFilesStorage, staticfiles_storage).stored_name(FILE)


def integrity() -> str:
    """The hash a browser checks: https://developer.mozilla.org Subresource Integrity."""
    file = Path(staticfiles_storage.path(file_name()))
    return "sha384-" + base64.b64encode(hashlib.sha384(file.read_bytes()).digest()).decode()


def wanted(store: Store, channel_id: int) -> dict[str, Any]:
    """The script as we register it; blocking, because the payment step waits for nobody."""
    return {
        "name": NAME,
        "description": "Offers SeQura's payment methods in the checkout.",
        "kind": "src",
        "src": script_url(store),
        "location": "footer",
        "load_method": "default",
        "visibility": "checkout",
        "consent_category": "essential",
        "auto_uninstall": True,
        "enabled": True,
        "channel_id": channel_id,
    }


def plan(api: BigCommerce, store: Store) -> list[Change]:
    """One script per storefront channel; scripts of closed channels go."""
    scripts = api.scripts()
    channels = store.channels or [DEFAULT_CHANNEL]
    known = {channel["id"] for channel in channels}
    changes = [change for channel in channels for change in _one(api, store, channel, scripts)]
    return changes + [
        _surplus(api, script) for script in scripts if script.get("channel_id", 1) not in known
    ]


def _one(
    api: BigCommerce, store: Store, channel: dict[str, Any], scripts: list[Script]
) -> list[Change]:
    fields = wanted(store, channel["id"])
    label = channel["name"] or NAME
    ours = [script for script in scripts if script.get("channel_id", 1) == channel["id"]]
    if not ours:
        new = {**fields, "integrity_hashes": [integrity()]}
        return [Change("missing", label, partial(api.create_script, new))]
    ours.sort(key=lambda script: script.get("src") != fields["src"])
    kept, *others = ours
    changes = [_surplus(api, script) for script in others]
    hashes = hashes_of(kept)
    differing = {name for name, value in fields.items() if kept.get(name, value) != value}
    outdated = "src" in differing or hashes[:1] != [integrity()]
    if differing or outdated:
        fields["integrity_hashes"] = _with_old(integrity(), hashes)
        update = partial(api.update_script, kept["uuid"], fields)
        changes.append(Change("outdated" if outdated else "changed", label, update))
    return changes


def hashes_of(script: Script) -> list[str]:
    """Strings in the documentation; objects with a `hash` have been seen."""
    rows = script.get("integrity_hashes") or []
    return [str(row.get("hash", "")) if isinstance(row, dict) else str(row) for row in rows]


def _with_old(new: str, old: list[str]) -> list[str]:
    return [new, *(value for value in old if value != new)][:HASHES]


def _surplus(api: BigCommerce, script: Script) -> Change:
    return Change("surplus", script["name"], partial(api.delete_script, script["uuid"]))
