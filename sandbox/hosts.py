"""One process, several origins: the host name says whose pages are wanted."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

# The outlet is a second storefront with a domain of its own, for stores that add the channel.
URLCONFS = {
    "shop": "sandbox.urls_shop",
    "outlet": "sandbox.urls_shop",
    "panel": "sandbox.urls_panel",
}


class HostMiddleware:
    """Gives shops and the control panel their own paths; every other host is the APIs."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        urlconf = URLCONFS.get(request.get_host().split(".")[0])
        if urlconf:
            request.urlconf = urlconf
        return self.get_response(request)
