"""The embedded servers: up in a moment, and gone without a trace."""

import pytest
from django.db import connection


@pytest.mark.django_db
def test_tests_run_on_postgresql() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SHOW server_version")
        assert connection.vendor == "postgresql"
