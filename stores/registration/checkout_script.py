"""The scripts on a storefront: https://docs.bigcommerce.com Scripts API

One is on the checkout page of every storefront. One is on the shop's pages where promotional
widgets are on; without those it is registered nowhere (ADR 29).

The browser refuses a script that does not match its hash, so the file is content-addressed, and the
old hash is kept along for pages in caches. Before a name is given to BigCommerce its file is stored
in the database: whatever version a process is of, it serves every name that a store may still use.
"""

import base64
import gzip
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, cast
from urllib.parse import SplitResult, urlencode, urlsplit

import brotli
import requests
import structlog
from django.conf import settings
from django.contrib.staticfiles.storage import ManifestStaticFilesStorage, staticfiles_storage
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseNotFound
from django.utils import timezone
from django.views.decorators.http import require_safe
from prometheus_client import Counter

from bigcommerce.client import BigCommerce
from bigcommerce.documents import Script
from stores.models import ScriptVersion, Store
from stores.registration.parts import Change, Kind, Problem
from transport.call import Rejected, Reply, Timeout, Transport, Unavailable, new_session

log = structlog.get_logger(__name__)
FILE, FORM = "storefront/sequra-checkout.js", "storefront/sequra-form.js"
WIDGETS = "storefront/sequra-widgets.js"


@dataclass(frozen=True)
class _Use:
    """What one of our scripts is for, and how BigCommerce puts it on its pages."""

    name: str
    description: str
    file: str
    visibility: str
    load_method: str
    consent_category: str


# The payment step does not wait, so its script is blocking.
_CHECKOUT = _Use(
    "SeQura checkout",
    "Offers SeQura's payment methods in the checkout.",
    FILE,
    "checkout",
    "default",
    "essential",
)
_WIDGETS = _Use(
    "SeQura widgets",
    "Shows SeQura's instalments on product, cart and listing pages.",
    WIDGETS,
    "storefront",
    "defer",
    "functional",
)
_DEFAULT_CHANNEL = {"id": 1, "name": "", "origins": []}
_HASHES = 5  # BigCommerce's limit
_VERSIONED = re.compile(r"storefront/sequra-(checkout|form|widgets)\.[0-9a-f]{12}\.js")
_NAMED_FORM = re.compile(rb"sequra-(?:checkout|form)\.[0-9a-f]{12}\.js")  # by a script
_VERSIONS_ASKED_FOR = Counter(
    "sequra_bc_script_versions", "Requests for scripts of other versions", ["outcome"]
)
_KEEP = timedelta(days=90)  # for pages in caches, and for stores that cannot be reached
_REACH_CHECKOUT = {"checkout", "all_pages"}
_BRIEF: Timeout = (2, 4)  # seconds to connect, and to answer


class _AppRejected(Rejected):
    """Our own public URL answers with a 4xx."""

    system = "The app"


class _AppUnavailable(Unavailable):
    """Our own public URL does not answer."""


def _script_url(store: Store, use: _Use, channel_id: int) -> str:
    """Return the versioned URL, with what the script reads of it: it is the same for all stores."""
    url = f"{settings.APP_URL}{settings.STATIC_URL}{file_name(use.file)}?store={store.public_id}"
    if use is _CHECKOUT:
        return url
    known = {"channel": channel_id, "places": ",".join(sorted(store.widget_places))}
    if cards := store.widget_selectors.get("listing"):
        known["cards"] = cards  # without it the script cannot know that a page is a list
    return f"{url}&{urlencode(known, safe=',')}"


def file_name(file: str = FILE) -> str:
    """Return the file's name as collectstatic made it: every version has its own."""
    return cast(ManifestStaticFilesStorage, staticfiles_storage).stored_name(file)


def _integrity(file: str = FILE) -> str:
    """Return the hash of the script as it is served."""
    return integrity_of(_body(file))


def integrity_of(content: bytes) -> str:
    """Return the hash that browsers check: https://developer.mozilla.org Subresource Integrity."""
    return "sha384-" + base64.b64encode(hashlib.sha384(content).digest()).decode()


def _body(file: str = FILE) -> bytes:
    """Return the file as it is served."""
    return Path(staticfiles_storage.path(file_name(file))).read_bytes()


def keep_version() -> None:
    """Store the files of this version, so that processes of other versions serve them too."""
    now, names = timezone.now(), {file_name(file): file for file in (FORM, FILE, WIDGETS)}
    if ScriptVersion.objects.filter(name__in=names).update(current_at=now) < len(names):
        ScriptVersion.objects.bulk_create(
            [
                ScriptVersion(name=name, body=_body(file), current_at=now)
                for name, file in names.items()
            ],
            ignore_conflicts=True,
        )


def forget_versions() -> None:
    """Delete old files that no store uses."""
    old = ScriptVersion.objects.filter(current_at__lt=timezone.now() - _KEEP)
    if not old.exists():  # then the stores need not be read
        return
    stores = Store.objects.exclude(state=Store.State.UNINSTALLED)
    named = stores.values("script_file")
    old = old.exclude(name__in=stores.values("widget_script_file"))
    scripts = ScriptVersion.objects.filter(name__in=named).values_list("body", flat=True)
    forms = {name.decode() for script in scripts for name in _NAMED_FORM.findall(bytes(script))}
    old.exclude(name__in=named).exclude(name__in=[f"storefront/{name}" for name in forms]).delete()


class ScriptVersionMiddleware:
    """Serve scripts of other versions, as WhiteNoise serves this version's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        name = request.path_info.removeprefix(settings.STATIC_URL)
        if name == request.path_info or not _VERSIONED.fullmatch(name):
            return self.get_response(request)
        return _serve_version(request, name)


@require_safe
def _serve_version(request: HttpRequest, name: str) -> HttpResponse:
    """Send a stored version, with the headers of a file that never changes."""
    version = ScriptVersion.objects.filter(name=name).first()
    _VERSIONS_ASKED_FOR.labels("unknown" if version is None else "found").inc()
    if version is None:
        log.warning("script_unknown")
        return HttpResponseNotFound(content_type="text/plain")
    encoding = _encoding(request.headers.get("Accept-Encoding", ""))
    content = _compressed(bytes(version.body), encoding)
    response = HttpResponse(content, content_type='text/javascript; charset="utf-8"')
    if encoding:
        response["Content-Encoding"] = encoding
    response["Vary"] = "Accept-Encoding"
    response["Cache-Control"] = "max-age=315360000, public, immutable"
    response["Access-Control-Allow-Origin"] = "*"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


def _encoding(accepted: str) -> str:
    """Return the encoding that WhiteNoise chooses; empty for none."""
    return next((name for name in ("br", "gzip") if re.search(rf"\b{name}\b", accepted)), "")


@lru_cache(maxsize=16)
def _compressed(content: bytes, encoding: str) -> bytes:
    """Compress a version once in a process."""
    if encoding == "br":
        return bytes(brotli.compress(content))
    return gzip.compress(content, 9, mtime=0) if encoding else content


def _wanted(store: Store, use: _Use, channel_id: int) -> dict[str, Any]:
    """Return the script as it is registered."""
    return {
        "name": use.name,
        "description": use.description,
        "kind": "src",
        "src": _script_url(store, use, channel_id),
        "location": "footer",
        "load_method": use.load_method,
        "visibility": use.visibility,
        "consent_category": use.consent_category,
        "auto_uninstall": True,
        "enabled": True,
        "channel_id": channel_id,
    }


def plan(api: BigCommerce, store: Store) -> list[Change]:
    """Return the changes to have one script per storefront channel and none for closed ones."""
    return _plan(api, store, _CHECKOUT, store.channels or [_DEFAULT_CHANNEL])


def plan_widgets(api: BigCommerce, store: Store) -> list[Change]:
    """Return the changes to have one script per channel with widgets, and none elsewhere."""
    shown = store.channels or [_DEFAULT_CHANNEL] if store.widget_places else []
    shown = [channel for channel in shown if channel["id"] not in store.disabled_channels]
    return _plan(api, store, _WIDGETS, shown)


def _plan(
    api: BigCommerce, store: Store, use: _Use, channels: list[dict[str, Any]]
) -> list[Change]:
    scripts = [script for script in api.scripts() if _is_ours(script) and _use_of(script) is use]
    known = {channel["id"] for channel in channels}
    changes = [change for channel in channels for change in _one(api, store, use, channel, scripts)]
    return changes + [
        _surplus(api, script) for script in scripts if script.get("channel_id", 1) not in known
    ]


def _one(
    api: BigCommerce, store: Store, use: _Use, channel: dict[str, Any], scripts: list[Script]
) -> list[Change]:
    fields, integrity = _wanted(store, use, channel["id"]), _integrity(use.file)
    label = channel["name"] or use.name
    ours = [script for script in scripts if script.get("channel_id", 1) == channel["id"]]
    if not ours and channel.get("new"):
        return []  # until the merchant decides about it
    if not ours:
        new = {**fields, "integrity_hashes": [integrity]}
        return [Change("missing", label, partial(api.create_script, new))]
    ours.sort(key=lambda script: script.get("src") != fields["src"])
    kept, *others = ours
    changes = [_surplus(api, script) for script in others]
    hashes = _hashes_of(kept)
    differing = {name for name, value in fields.items() if kept.get(name, value) != value}
    outdated = "src" in differing or hashes[:1] != [integrity]
    if differing or outdated:
        fields["integrity_hashes"] = _with_old(integrity, hashes)
        update = partial(api.update_script, kept["uuid"], fields)
        kind: Kind = "outdated" if outdated else "changed"
        changes.append(Change(kind, label, update, " ".join(sorted(differing))))
    return changes


def look_at_page(api: BigCommerce, _: Store) -> list[Problem]:
    """Fetch every registered script as a browser does, and name the scripts of others beside it.

    BigCommerce documents that an app sees its own scripts only. Those of others are named, and
    never touched, where it lists them all the same.
    """
    scripts = api.scripts()
    ours = {
        (script.get("src", ""), *_hashes_of(script))
        for script in scripts
        if _is_ours(script) and script.get("src", "").startswith(f"{settings.APP_URL}/")
    }
    found = [problem for address, *hashes in sorted(ours) for problem in _ask(address, hashes)]
    return found + [
        {"kind": "foreign", "name": script.get("name", ""), "words": ""}
        for script in scripts
        if not _is_ours(script) and _reaches_checkout(script)
    ]


def _is_ours(script: Script) -> bool:
    """Return whether the script is ours, by client or name: else it would be added twice."""
    client = script.get("api_client_id")
    named = script.get("name") in (_CHECKOUT.name, _WIDGETS.name)
    return named or client in (None, "", settings.BIGCOMMERCE_CLIENT_ID)


def _use_of(script: Script) -> _Use:
    """Return which of our scripts it is; a merchant may have given it another name."""
    is_widgets = "/sequra-widgets." in script.get("src", "") or script.get("name") == _WIDGETS.name
    return _WIDGETS if is_widgets else _CHECKOUT


def _reaches_checkout(script: Script) -> bool:
    return bool(script.get("enabled", True)) and script.get("visibility") in _REACH_CHECKOUT


def _ask(address: str, hashes: list[str]) -> list[Problem]:
    """Return whether a browser would run this URL's response: https://www.w3.org/TR/SRI/"""
    name = address.partition("?")[0]
    try:
        reply = fetch(address)
    except _AppRejected as refusal:
        return [{"kind": "silent", "name": name, "words": f"HTTP {refusal.status}"}]
    except _AppUnavailable as failure:
        return [{"kind": "unreached", "name": name, "words": failure.reason}]
    shared = reply.headers.get("Access-Control-Allow-Origin") == "*"
    if shared and any(value in hashes for value in _digests(reply.body)):
        return []
    return [{"kind": "altered", "name": name, "words": ""}]


def fetch(address: str, session: requests.Session | None = None) -> Reply:
    """Fetch a public URL; without a session one of the app's own. Raise Rejected or Unavailable."""
    transport = Transport(_AppRejected, _AppUnavailable, _BRIEF, session or new_session())
    url = urlsplit(address)
    target = url._replace(netloc=f"{host_of(url)}:{url.port}" if url.port else host_of(url))
    with transport.session:
        headers = {"Accept-Encoding": "gzip", "Host": url.netloc}
        return transport.send("GET", target.geturl(), headers=headers)


def host_of(url: SplitResult) -> str:
    """Return the host to connect to. Browsers know by themselves where names below `.localhost`
    are, the system may not: RFC 6761, 6.3.
    """
    host = url.hostname or ""
    return "127.0.0.1" if host.endswith(".localhost") else host


def _digests(body_: bytes) -> list[str]:
    return [
        f"{name}-{base64.b64encode(hashlib.new(name, body_).digest()).decode()}"
        for name in ("sha256", "sha384", "sha512")
    ]


def _hashes_of(script: Script) -> list[str]:
    """Strings in the documentation; objects with a `hash` have been seen."""
    rows = script.get("integrity_hashes") or []
    return [str(row.get("hash", "")) if isinstance(row, dict) else str(row) for row in rows]


def _with_old(new: str, old: list[str]) -> list[str]:
    return [new, *(value for value in old if value != new)][:_HASHES]


def _surplus(api: BigCommerce, script: Script) -> Change:
    return Change("surplus", script["name"], partial(api.delete_script, script["uuid"]))
