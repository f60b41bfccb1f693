"""App extensions, the one GraphQL API an app needs.

https://developer.bigcommerce.com/docs/integrations/apps/app-extensions
"""

import re
from typing import Any

from django.http import HttpRequest, JsonResponse

from sandbox.bigcommerce.answers import body, v3
from sandbox.bigcommerce.models import AppExtension, Document, Store

CONTEXTS = ("PANEL", "LINK")
MODELS = ("ORDERS", "PRODUCTS", "PRODUCT_DESCRIPTION", "CUSTOMERS")
MOST_PER_MODEL = 2
PREFIX = "bc/store/appExtension/"


class GraphQLError(Exception):
    """Goes into `errors`, with status 200."""


def as_node(extension: AppExtension) -> Document:
    return {
        "id": f"{PREFIX}{extension.id}", "context": extension.context, "model": extension.model,
        "url": extension.url, "label": extension.label,
    }  # fmt: skip


def graphql(request: HttpRequest, store_hash: str) -> JsonResponse:
    """`POST /graphql`: list, create, update, delete."""
    if "store_app_extensions_manage" not in Store.objects.get(hash=store_hash).scopes.split():
        raise v3(401, "Unauthorized")
    fields = body(request)
    query, variables = fields.get("query"), fields.get("variables") or {}
    try:
        return JsonResponse({"data": run(query, variables)})
    except GraphQLError as error:
        return JsonResponse({"data": None, "errors": [{"message": str(error)}]})


def run(query: Any, variables: Document) -> Document:
    """Do what the operation names."""
    if not isinstance(query, str) or query.count("{") != query.count("}") or "{" not in query:
        raise GraphQLError("Syntax Error: Unexpected <EOF>.")
    kind = re.match(r"\s*(mutation|query|\{)", query)
    found = re.search(r"\b(create|update|delete)AppExtension\b", query)
    if found and kind and kind.group(1) == "mutation":
        fields = variables.get("input")
        if "$input" not in query or not isinstance(fields, dict):
            raise GraphQLError('Variable "$input" of required type was not provided.')
        name = found.group(0)
        return {"appExtension": {name: MUTATIONS[name](fields)}}
    if kind and kind.group(1) != "mutation" and re.search(r"\bappExtensions\b", query):
        nodes = [{"node": as_node(row)} for row in AppExtension.objects.order_by("id")]
        return {"store": {"appExtensions": {"edges": nodes}}}
    raise GraphQLError("Cannot query the fields of this operation.")


def checked_label(label: Any) -> Document:
    """The label; documentation calls `locales` optional, yet without them the mutation fails."""
    if not isinstance(label, dict) or not isinstance(label.get("defaultValue"), str):
        raise GraphQLError('Field "defaultValue" of required type "String!" was not provided.')
    if not isinstance(label.get("locales"), list):
        raise GraphQLError('Field "locales" of required type was not provided.')
    for locale in label["locales"]:
        if set(locale) != {"value", "localeCode"}:
            raise GraphQLError('Field "localeCode" of required type was not provided.')
    if not 0 < len(label["defaultValue"]) <= 255:
        raise GraphQLError("The label has 1 to 255 characters.")
    return label


def checked_url(url: Any) -> str:
    if not isinstance(url, str) or not url.startswith("/") or len(url) > 255:
        raise GraphQLError("The url is a path of at most 255 characters.")
    return url


def create(fields: Document) -> Document:
    if fields.get("context") not in CONTEXTS or fields.get("model") not in MODELS:
        raise GraphQLError("Invalid context or model.")
    if AppExtension.objects.filter(model=fields["model"]).count() >= MOST_PER_MODEL:
        raise GraphQLError("The limit of 2 app extensions per model was reached.")
    extension = AppExtension.objects.create(
        context=fields["context"], model=fields["model"], url=checked_url(fields.get("url")),
        label=checked_label(fields.get("label")),
    )  # fmt: skip
    return {"appExtension": as_node(extension)}


def opened(fields: Document) -> AppExtension:
    number = str(fields.get("id", "")).removeprefix(PREFIX)
    extension = AppExtension.objects.filter(id=int(number)).first() if number.isdigit() else None
    if extension is None:
        raise GraphQLError("App extension not found.")
    return extension


def update(fields: Document) -> Document:
    """Only url and label can change; the label is replaced as a whole."""
    extension = opened(fields)
    changes = fields.get("data")
    if not isinstance(changes, dict) or set(changes) - {"url", "label"}:
        raise GraphQLError("Only url and label can be updated.")
    if "url" in changes:
        extension.url = checked_url(changes["url"])
    if "label" in changes:
        extension.label = checked_label(changes["label"])
    extension.save()
    return {"appExtension": as_node(extension)}


def delete(fields: Document) -> Document:
    extension = opened(fields)
    name = f"{PREFIX}{extension.id}"
    extension.delete()
    return {"deletedAppExtensionId": name}


MUTATIONS = {
    "createAppExtension": create,
    "updateAppExtension": update,
    "deleteAppExtension": delete,
}
