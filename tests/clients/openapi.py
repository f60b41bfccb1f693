"""Do requests and answers agree with BigCommerce's OpenAPI files?

`BIGCOMMERCE_SPECS` names the folder with the files, `reference/` of github.com/bigcommerce/docs.
Used for our clients' requests, for the answers in our fixtures and for the sandbox's answers:

    validate_request("POST", "https://api.bigcommerce.com/stores/abc/v3/hooks", {"scope": …})
    validate_response("GET", "/stores/abc/v2/orders/250", 200, {"id": 250, …})

Both return what is wrong as a list of sentences, empty when nothing is. The files are lenient about
fields they do not mention; a request's are compared with the names they do mention.
"""

import functools
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml
from jsonschema import Draft202012Validator

VARIABLE = "BIGCOMMERCE_SPECS"
METHODS = ("get", "post", "put", "delete", "patch")
UNDESCRIBED = re.compile(r"/oauth2/token|/stores/[^/]+/(graphql|v2/customer_groups)")  # in no file
JSON_TYPES = ("array", "boolean", "integer", "null", "number", "object", "string")

# Where the files contradict their own texts and examples, or the platform contradicts them.
LIST_OR_FEES = {("GET", "/orders/{order_id}/fees")}
DOCUMENTED_ELSEWHERE = {"page", "limit"}  # query parameters every list takes


def folder() -> Path | None:
    """The folder of the files; None when the variable is not set."""
    named = os.environ.get(VARIABLE)
    return Path(named) if named else None


def validate_request(method: str, url: str, body: Any = None) -> list[str]:
    """What is wrong with a request: its path, its method, its query, its JSON body."""
    parts = urlsplit(url)
    if UNDESCRIBED.fullmatch(parts.path):
        return []
    operation = find(method, parts.path)
    if operation is None:
        return [f"no operation {method} {parts.path}"]
    asked = parse_qsl(parts.query, keep_blank_values=True)
    return [*operation.query_problems(asked), *operation.request_problems(body)]


def validate_response(method: str, path: str, status: int, body: Any = None) -> list[str]:
    """What is wrong with an answer. `path` may be a whole address, `body` is None if empty."""
    path = urlsplit(path).path
    if UNDESCRIBED.fullmatch(path):
        return []
    operation = find(method, path)
    if operation is None:
        return [f"no operation {method} {path}"]
    return operation.response_problems(status, body)


@dataclass(frozen=True)
class Operation:
    """One method of one path, in the document where it stands."""

    method: str
    template: str
    pattern: re.Pattern[str]
    spec: dict[str, Any]
    document: dict[str, Any]

    @property
    def name(self) -> str:
        return f"{self.method} {self.template}"

    def query_problems(self, asked: list[tuple[str, str]]) -> list[str]:
        """Unknown parameters, and values which are not among those listed."""
        known = {row["name"]: row.get("schema") or {} for row in self.parameters("query")}
        known |= {name: {} for name in DOCUMENTED_ELSEWHERE if self.method == "GET"}
        unknown = [f"{self.name}: no parameter {name}" for name, _ in asked if name not in known]
        odd = [
            f"{self.name}: {name} cannot be {value}"
            for name, value in asked
            if not listed(self.resolved(known.get(name, {})), value)
        ]
        return unknown + odd

    def parameters(self, place: str) -> list[dict[str, Any]]:
        shared = self.document["paths"][self.template].get("parameters", [])
        found = map(self.resolved, [*shared, *self.spec.get("parameters", [])])
        return [row for row in found if row.get("in") == place]

    def request_problems(self, body: Any) -> list[str]:
        schema = json_schema(self.resolved(self.spec.get("requestBody", {})))
        if body is None or schema is None:
            return [] if body is None else [f"{self.name}: takes no body"]
        unknown = sorted(set(body) - names(self, schema)) if isinstance(body, dict) else []
        return [
            *(f"{self.name}: no field {field}" for field in unknown),
            *self.problems(schema, body, asking=True),
        ]

    def response_problems(self, status: int, body: Any) -> list[str]:
        """An error that is not described may look as it likes, so may an empty V2 list."""
        described = {str(code): answer for code, answer in self.spec["responses"].items()}
        if str(status) not in described:
            expected = status >= 400 or (self.method == "GET" and status == 204 and body is None)
            return [] if expected else [f"{self.name}: does not answer {status}"]
        schema = json_schema(self.resolved(described[str(status)]))
        if schema is None or body is None:
            needless = body is not None and status == 204
            missing = body is None and schema is not None and status not in (204, *range(400, 600))
            return [f"{self.name}: body and status {status} disagree"] * (needless or missing)
        if (self.method, self.template) in LIST_OR_FEES and status == 200:
            schema = {"type": "array", "items": schema}
            body = body["fees"] if isinstance(body, dict) and "fees" in body else body
        return self.problems(schema, body, asking=False)

    def problems(self, schema: Any, value: Any, *, asking: bool) -> list[str]:
        """What JSON Schema has against `value`."""
        components = translated_components(self.document["file"], asking)
        whole = {"allOf": [translate(schema, asking)], "components": components}
        errors = Draft202012Validator(whole).iter_errors(value)
        return [f"{self.name}: {error.json_path}: {error.message[:300]}" for error in errors]

    def resolved(self, node: Any) -> Any:
        """`node`, or what its $ref points to in the document."""
        while isinstance(node, dict) and "$ref" in node:
            keys = node["$ref"].removeprefix("#/").split("/")
            node = functools.reduce(lambda found, key: found[key], keys, self.document)
        return node


def json_schema(part: dict[str, Any]) -> Any:
    """The schema of a request's or an answer's JSON; None when it has none."""
    contents = part.get("content") or {}
    media = next((contents[kind] for kind in contents if "json" in kind), None)
    return media.get("schema") if media else None


def listed(schema: dict[str, Any], value: str) -> bool:
    """Is each comma-separated part among the values a parameter lists? `sort` adds a direction."""
    allowed = (schema.get("items") or schema).get("enum")
    parts = [part.partition(":")[0] if ":" in part else part for part in value.split(",")]
    return not allowed or {*parts, *value.split(",")} & set(map(str, allowed)) >= set(parts)


def names(operation: Operation, schema: Any) -> set[str]:
    """Every field a schema mentions at its top, in any of its branches."""
    schema = operation.resolved(schema)
    branches = [row for key in ("allOf", "anyOf", "oneOf") for row in schema.get(key, [])]
    own = set(schema.get("properties") or {})
    return own.union(*(names(operation, branch) for branch in branches))


# OpenAPI 3.0's schemas as JSON Schema ------------------------------------------------------------


def translate(node: Any, asking: bool) -> Any:
    """A schema, and all within it. `asking`: for a request, which need not hold what is read-only
    nor be as long as answers promise; a list's minimum length is a quirk in both."""
    if isinstance(node, list):
        return [translate(item, asking) for item in node]
    if not isinstance(node, dict):
        return node
    # Shapes whose fields are all optional: several of them may fit.
    named = (("anyOf" if key == "oneOf" else key, value) for key, value in node.items())
    schema = {key: translate(value, asking) for key, value in named if key not in DROPPED}
    if isinstance(node.get("properties"), dict):
        fields = node["properties"].items()
        schema["properties"] = {name: translate(field, asking) for name, field in fields}
    return nullable(node, repaired(schema, asking))


DROPPED = {
    "example",
    "examples",
    "properties",
    "minItems",
    "pattern",
    "format",
    "default",
    "x-internal",
}


def repaired(schema: dict[str, Any], asking: bool) -> dict[str, Any]:
    """Without what JSON Schema would misunderstand."""
    if not isinstance(schema.get("required", []), list):
        del schema["required"]
    if asking and "required" in schema:
        fields = schema.get("properties", {})
        read_only = {name for name, field in fields.items() if field.get("readOnly")}
        schema["required"] = [name for name in schema["required"] if name not in read_only]
    if not asking:
        schema.pop("minLength", None)
    if schema.get("type", "string") not in JSON_TYPES:
        del schema["type"]
    if isinstance(schema.get("items"), list):
        schema["items"] = {"anyOf": schema["items"]}
    for bound in ("exclusiveMinimum", "exclusiveMaximum"):
        if isinstance(schema.get(bound), bool):
            del schema[bound]
    return schema


def nullable(node: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    return {"anyOf": [schema, {"type": "null"}]} if node.get("nullable") is True else schema


# The files ---------------------------------------------------------------------------------------


@functools.cache
def load(file: Path) -> dict[str, Any]:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times faster
    return {**yaml.load(file.read_text(), Loader=loader), "file": file}  # noqa: S506 it is safe


@functools.cache
def translated_components(file: Path, asking: bool) -> Any:
    schemas = load(file).get("components", {}).get("schemas", {})
    return {"schemas": {name: translate(schema, asking) for name, schema in schemas.items()}}


@functools.cache
def operations() -> list[Operation]:
    """All of them, fixed paths before those with placeholders."""
    where = folder()
    if where is None:
        raise RuntimeError(f"{VARIABLE} is not set")
    found = [row for file in sorted(where.rglob("*.yml")) for row in operations_of(load(file))]
    if not found:
        raise RuntimeError(f"{VARIABLE} names a folder without OpenAPI files: {where}")
    return sorted(found, key=lambda operation: operation.template.count("{"))


def operations_of(document: dict[str, Any]) -> Iterator[Operation]:
    base = urlsplit(document["servers"][0]["url"]).path
    for template, item in document.get("paths", {}).items():
        pattern = re.compile(re.sub(r"\{[^/]*?\}", "[^/]+", base + template))
        for method in METHODS:
            if method in item:
                yield Operation(method.upper(), template, pattern, item[method], document)


def find(method: str, path: str) -> Operation | None:
    matches = (row for row in operations() if row.method == method.upper())
    return next((row for row in matches if row.pattern.fullmatch(path)), None)
