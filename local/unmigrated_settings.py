"""Settings without our migrations: tables are made from the models."""

from sequra_bc.settings import *  # noqa: F403

MIGRATION_MODULES = {"stores": None, "payments": None, "orders": None, "transaction_log": None}
