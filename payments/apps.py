from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        """When a store uninstalls us, the secrets of its payments go too."""
        from payments.retention import forget_secrets
        from stores.install import on_uninstall

        on_uninstall.append(forget_secrets)
