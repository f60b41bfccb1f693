"""BigCommerce's side of installing and opening the app.

    auth_url(scope=None, user="owner", locale="en-US")    -> str    the app's /auth, a fresh code
    load_url(user="owner", locale="en-US", url="/", channel_id=None, **claims) -> str
    uninstall(user="owner") -> status of the answer; the token dies, hooks and scripts go
    remove_user(user="staff") -> status of the app's answer
    install(**auth_url's)   -> {"auth": status, "load_url": …}      the click, without a browser

`user` is one of USERS ("owner", "staff", "other"). The URLs begin with SANDBOX_APP_PUBLIC_URL
(else SANDBOX_APP_URL), or with `app_url=` when given.
"""

import secrets
import time
import uuid
from typing import Any
from urllib.parse import urlencode

import jwt
from django.db import transaction

from sandbox import settings
from sandbox.bigcommerce.models import AppExtension, Code, Document, Hook, Script, Store
from sandbox.bigcommerce.oauth import ACCOUNT_UUID
from sandbox.calling import call
from sandbox.knobs import knobs

USERS: dict[str, Document] = {
    "owner": {"id": 1, "email": "owner@mardefondo.example"},
    "staff": {"id": 2, "email": "staff@mardefondo.example"},
    "other": {"id": 3, "email": "accounting@mardefondo.example"},
}
# What the Developer Portal lists for the app, in the narrowest spelling, and what everybody gets:
# a call that needs more is refused here as it would be at BigCommerce.
SCOPES = (
    "store_v2_default store_v2_orders store_v2_transactions_read_only store_checkout store_cart "
    "store_content_checkout store_v2_information_read_only store_channel_settings_read_only "
    "store_sites_read_only store_app_extensions_manage store_payments_access_token_create "
    "store_v2_customers_read_only store_v2_products_read_only users_basic_information"
)


def auth_url(
    scope: str | None = None, user: str = "owner", locale: str = "en-US", app_url: str = ""
) -> str:
    """The app's `/auth` as the merchant's browser opens it, with a code that works once."""
    code = Code.objects.create(
        code=secrets.token_hex(8), store_hash=settings.STORE_HASH,
        scope=scope or f"{SCOPES} {knobs.more_scopes}".strip(),
        user=USERS[user] | {"locale": locale},
    )  # fmt: skip
    query = {
        "account_uuid": ACCOUNT_UUID, "code": code.code,
        "context": f"stores/{settings.STORE_HASH}", "scope": code.scope,
    }  # fmt: skip
    return f"{app_url or settings.APP_PUBLIC_URL}/auth?{urlencode(query)}"


def payload(
    user: str, locale: str = "en-US", url: str = "/", channel_id: int | None = None, **claims: Any
) -> str:
    """A signed_payload_jwt; `claims` override what it says, and `secret` what signs it."""
    now = int(time.time())
    secret = claims.pop("secret", settings.BIGCOMMERCE_CLIENT_SECRET)
    content = {
        "aud": settings.BIGCOMMERCE_CLIENT_ID, "iss": "bc", "iat": now, "nbf": now - 5,
        "exp": now + 24 * 3600, "jti": str(uuid.uuid4()), "sub": f"stores/{settings.STORE_HASH}",
        "user": USERS[user] | {"locale": locale}, "owner": USERS["owner"], "url": url,
        "channel_id": channel_id,
    }  # fmt: skip
    return jwt.encode(content | claims, secret, algorithm="HS256")


def load_url(
    user: str = "owner", locale: str = "en-US", url: str = "/", channel_id: int | None = None,
    app_url: str = "", **claims: Any,
) -> str:  # fmt: skip
    """The app's `/load` as the control panel's iframe opens it."""
    signed = payload(user, locale, url, channel_id, **claims)
    return f"{app_url or settings.APP_PUBLIC_URL}/load?{urlencode({'signed_payload_jwt': signed})}"


def tell_app(path: str, user: str, **claims: Any) -> int:
    """A call of BigCommerce's server to `/uninstall` or `/remove_user`: the answer's status."""
    query = urlencode({"signed_payload_jwt": payload(user, **claims)})
    return call("GET", f"{settings.APP_PUBLIC_URL}{path}?{query}").status_code


def uninstall(user: str = "owner", *, tell: bool = True, **claims: Any) -> int:
    """Uninstall: the token dies, hooks and auto-uninstalled scripts go, then the app is told.

    `tell=False` is an uninstallation the app never hears of.
    """
    with transaction.atomic():
        Store.objects.filter(hash=settings.STORE_HASH).update(access_token="", scopes="")
        Hook.objects.all().delete()
        Script.objects.filter(document__auto_uninstall=True).delete()
        AppExtension.objects.all().delete()
    return tell_app("/uninstall", user, **claims) if tell else 0


def remove_user(user: str = "staff", **claims: Any) -> int:
    """A user lost access to the app."""
    return tell_app("/remove_user", user, **claims)


def install(
    scope: str | None = None, user: str = "owner", locale: str = "en-US", app_url: str = ""
) -> Document:
    """The install click without a browser: opens `/auth`, tells the answer and what comes next."""
    with transaction.atomic():
        address = auth_url(scope, user, locale, app_url)
    answer = call("GET", address)
    return {
        "auth": answer.status_code, "location": answer.headers.get("Location"),
        "load_url": load_url(user, locale, app_url=app_url),
    }  # fmt: skip
