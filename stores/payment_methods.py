"""The payment methods of each merchant, as SeQura last told them."""

from concurrent.futures import ThreadPoolExecutor

import structlog
from django.utils import timezone

from sequra.documents import PaymentMethod
from sequra.errors import Rejected, Unavailable
from stores.clients import sequra_for
from stores.models import Merchant, Store

log = structlog.get_logger(__name__)
THREADS = 4


def refresh(store: Store) -> list[str]:
    """Fetch them anew; the merchant ids that SeQura did not answer for keep what they had."""
    merchants = list(
        store.merchants.exclude(connection__state="archived").select_related("connection")
    )
    with ThreadPoolExecutor(max_workers=THREADS) as pool:
        answers = list(pool.map(_fetch, merchants))
    for merchant, methods in zip(merchants, answers, strict=True):
        if methods is not None:
            Merchant.objects.filter(pk=merchant.pk).update(
                payment_methods=methods, payment_methods_at=timezone.now()
            )
    return [one.ref for one, methods in zip(merchants, answers, strict=True) if methods is None]


def _fetch(merchant: Merchant) -> list[PaymentMethod] | None:
    try:
        return sequra_for(merchant.connection).payment_methods(merchant.ref)
    except (Rejected, Unavailable) as error:
        log.warning("payment_methods_unknown", merchant=merchant.ref, reason=str(error))
        return None
