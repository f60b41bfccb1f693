"""The project: configuration, no logic."""

from sequra_bc.celery import app as celery_app

__all__ = ["celery_app"]
