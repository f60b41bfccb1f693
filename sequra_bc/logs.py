"""JSON lines on standard output."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponseBase


def structured_logging(level: str) -> None:
    pass


class RequestLogMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)
