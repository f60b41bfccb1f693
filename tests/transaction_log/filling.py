"""A log of any length, made by the database itself."""

from django.db import connection

from stores.models import Store

STORES = 200
# A fifth of all entries belong to the first store. Refused ones are few, open ones fewer.
FILL = """
INSERT INTO transaction_log_entry (store_id, bigcommerce_id, reference, payment_method,
    environment, event, outcome, reason, words, statement, attempts, at, last_at, closed_at,
    ignored_by, note)
SELECT CASE WHEN n %% 5 = 0 THEN %(first)s ELSE %(first)s + n %% %(stores)s END,
    n / 4, gen_random_uuid(), 'SeQura - Paga en 3', 'sandbox',
    (ARRAY['purchase', 'edit', 'ship', 'refund', 'address'])[1 + n %% 5 * (n / 5 %% 5) %% 5],
    CASE WHEN n %% 50 = 0 THEN 'rejected' WHEN n %% 101 = 0 THEN 'delayed'
         WHEN n %% 103 = 0 THEN 'ignored' ELSE 'accepted' END,
    CASE WHEN n %% 50 = 0 THEN 'sequra_409' ELSE '' END,
    CASE WHEN n %% 50 = 0 THEN 'Order items totals do not match order total' ELSE '' END,
    n::text, 1, now() - n * interval '7 seconds', now() - n * interval '7 seconds',
    CASE WHEN n %% 5000 = 0 AND n <= 1000000 THEN NULL
         ELSE now() - n * interval '7 seconds' END, '', ''
FROM generate_series(1, %(rows)s) AS n
"""


def fill(rows: int) -> Store:
    """`rows` entries of 200 stores; returns the one with the most."""
    made = Store.objects.bulk_create(Store(hash=f"filled{number}") for number in range(STORES))
    with connection.cursor() as cursor:
        cursor.execute(
            FILL,
            {"first": made[0].pk, "stores": STORES, "rows": rows},
        )
        # What autovacuum does in a quiet minute: plans and index-only scans depend on it.
        cursor.execute("ANALYZE transaction_log_entry")
    return made[0]


def empty() -> None:
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE transaction_log_entry")
    Store.objects.filter(hash__startswith="filled").delete()
