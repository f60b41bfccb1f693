"""SeQura's deployments: the document that every SeQura address comes from."""

from django.conf import settings
from django.core.cache import cache

from sequra.client import deployments as fetch
from sequra.documents import Deployment
from sequra.errors import Rejected, Unavailable

FRESH, LAST = "sequra-deployments", "sequra-deployments-last"
SECONDS = 600


def deployments() -> list[Deployment]:
    """What SeQura offers, remembered for ten minutes and through an outage.

    Raises Rejected or Unavailable when this process never saw the document.
    """
    found: list[Deployment] | None = cache.get(FRESH)
    if found is not None:
        return found
    try:
        found = fetch(settings.SEQURA_DEPLOYMENTS_URL)
    except (Rejected, Unavailable):
        found = cache.get(LAST)
        if found is None:
            raise
    else:
        cache.set(LAST, found, None)
    cache.set(FRESH, found, SECONDS)
    return found
