"""Long readings leave room: all apps of a store share its calls to BigCommerce."""

from bigcommerce.client import BigCommerce
from orders.queue import throttle
from wire.stopping import pause

LONGEST_WAIT = 30.0
QUARTER = 4


def be_patient(api: BigCommerce, store_id: int) -> None:
    """Wait for the next window when no more than a quarter of this one's calls is left."""
    quota = api.quota
    throttle.saw(store_id, quota)
    if quota and quota.left <= quota.limit // QUARTER:
        pause(min(quota.reset_ms / 1000, LONGEST_WAIT))
