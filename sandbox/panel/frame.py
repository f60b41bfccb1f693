"""What every page of the control panel shows: who is logged in, what was just done, the menu."""

import json
from typing import Any
from urllib.parse import quote, unquote

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render

from sandbox import settings
from sandbox.bigcommerce.install import USERS
from sandbox.bigcommerce.models import AppExtension, Document, Store

LOCALES = {
    "en-US": "English", "es-ES": "Español", "fr-FR": "Français", "it-IT": "Italiano",
    "pt-PT": "Português",
}  # fmt: skip
LOCALE_COOKIE, USER_COOKIE, SAID_COOKIE = "cp_locale", "cp_user", "cp_said"


def locale_of(request: HttpRequest) -> str:
    """The panel user's language, as BigCommerce puts it into the JWT."""
    chosen = request.COOKIES.get(LOCALE_COOKIE, "")
    return chosen if chosen in LOCALES else "en-US"


def user_of(request: HttpRequest) -> str:
    """Which of the store's users is logged in."""
    chosen = request.COOKIES.get(USER_COOKIE, "")
    return chosen if chosen in USERS else "owner"


def store() -> Store:
    return Store.objects.get(hash=settings.STORE_HASH)


def label_of(extension: AppExtension, locale: str) -> str:
    """The extension's label in a language; English is the default value."""
    label: Document = extension.label
    language = locale[:2]
    for one in label.get("locales") or []:
        if one["localeCode"][:2] == language:
            return str(one["value"])
    return str(label["defaultValue"])


def extensions(locale: str) -> list[Document]:
    """Entries that apps added to the Action menu of every order."""
    rows = AppExtension.objects.filter(model="ORDERS").order_by("id")
    return [{"id": row.id, "label": label_of(row, locale), "context": row.context} for row in rows]


def page(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    """A page with the control panel's menu around it; what was just done is said once."""
    said = request.COOKIES.get(SAID_COOKIE)
    locale = locale_of(request)
    context |= {
        "locale": locale, "locales": LOCALES, "user": user_of(request), "users": USERS,
        "installed": bool(store().access_token), "extensions": extensions(locale),
        "store_name": settings.STORE_NAME,
        "shop_url": settings.SHOP_URL, "sequra_url": settings.SEQURA_URL,
        "said": json.loads(unquote(said)) if said else None,
    }  # fmt: skip
    response = render(request, template, context)
    response.delete_cookie(SAID_COOKIE)
    return response


def back_to(address: str, kind: str, words: str) -> HttpResponse:
    """Go on to a page that says what happened. `kind` is success or error."""
    response = HttpResponseRedirect(address)
    response.set_cookie(SAID_COOKIE, quote(json.dumps([kind, words])), samesite="Lax", max_age=60)
    return response
