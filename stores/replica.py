"""Read the figures of a period and exports from a replica of the database (`REPLICA_URL`).

These statements read most and matter least: a replica answers a moment late, so what somebody acts
on, and everything that decides or writes, stays with the primary. Each such query names its
database with `using(replica())`; everything else goes to the primary, also what a row that was
read from the replica leads to.
"""

import time
from typing import Any

import structlog
from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, OperationalError, connections

log = structlog.get_logger(__name__)
_ALIAS = "replica"
_AWAY = 10.0  # seconds until a replica that did not answer is tried again
_away_until = 0.0


def is_configured() -> bool:
    return _ALIAS in settings.DATABASES


def replica() -> str:
    """Return the database for figures and exports: the primary while no replica answers.

    A page calls this a dozen times: only the first call waits for a replica that is away.
    """
    global _away_until  # noqa: PLW0603 (one replica for each process)
    if not is_configured() or time.monotonic() < _away_until:
        return DEFAULT_DB_ALIAS
    connection = connections[_ALIAS]
    try:
        connection.close_if_health_check_failed()
        connection.ensure_connection()
    except OperationalError as error:
        _away_until = time.monotonic() + _AWAY
        log.warning("replica_away", reason=str(error).strip())
        return DEFAULT_DB_ALIAS
    return _ALIAS


class PrimaryRouter:
    """Send what names no database to the primary; migrate nothing else."""

    def db_for_read(self, _model: Any, **_hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def db_for_write(self, _model: Any, **_hints: Any) -> str:
        return DEFAULT_DB_ALIAS

    def allow_relation(self, _one: Any, _other: Any, **_hints: Any) -> bool:
        return True  # they are the same rows

    def allow_migrate(self, db: str, _app_label: str, **_hints: Any) -> bool:
        return db == DEFAULT_DB_ALIAS
