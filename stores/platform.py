"""What SeQura wants to know about the software, and nothing about anybody's secrets."""

import platform
from functools import cache

from django.conf import settings
from django.db import connection


@cache
def platform_facts() -> dict[str, str]:
    """The `platform` of orders and delivery reports."""
    version = getattr(connection, "pg_version", 0)
    return {
        "name": "BigCommerce",
        "version": "v3",
        "plugin_version": settings.VERSION,
        "uname": f"{platform.system()} {platform.machine()}",
        "db_name": "postgresql",
        "db_version": f"{version // 10000}.{version % 10000}",
    }
