from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        """When a store uninstalls us, its payments are ended, and their secrets go too."""
        from payments.retention import forget_secrets
        from payments.uninstalled import begin_to_end
        from stores.install import on_uninstall, still_needed

        on_uninstall.append(forget_secrets)
        still_needed.append(begin_to_end)
