"""The one clock of all hosts: the database's. The clock of a single host may be wrong."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Return the database's time, for what later is compared with a column or with this."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        (now,) = cursor.fetchone()
    moment: datetime = now
    return moment
