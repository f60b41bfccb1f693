"""What a request that `responses` caught asked for."""

import json
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import responses


def requests_of(remote: responses.RequestsMock) -> list[Any]:
    return [call.request for call in remote.calls]


def body_of(request: Any) -> Any:
    """Its JSON, None when it has no body."""
    return None if request.body is None else json.loads(request.body)


def query_of(request: Any) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(request.url).query, keep_blank_values=True))


def timeout_of(request: Any) -> Any:
    return request.req_kwargs["timeout"]
