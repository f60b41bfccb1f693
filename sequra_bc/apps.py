from django.contrib.admin.apps import AdminConfig


class OperatorsConfig(AdminConfig):
    """Django's admin behind a switch."""

    default_site = "panel.operators.OperatorsSite"
