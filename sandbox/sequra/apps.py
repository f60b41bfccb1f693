"""The pretend SeQura as a Django app."""

from django.apps import AppConfig


class SequraConfig(AppConfig):
    name = "sandbox.sequra"
    label = "sandbox_sequra"
