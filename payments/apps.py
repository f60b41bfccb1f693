from django.apps import AppConfig


class PaymentsConfig(AppConfig):
    name = "payments"

    def ready(self) -> None:
        """When a store uninstalls us, its payments are ended, and their secrets go too."""
        from payments.retention import (
            begin_to_end,
            forget_secrets,
            references_being_ended,
            take_along,
        )
        from stores.connect import taken_along
        from stores.install import on_uninstall, still_needed
        from stores.personal_data import under_way

        taken_along.append(take_along)
        on_uninstall.append(forget_secrets)
        still_needed.append(begin_to_end)
        under_way.append(references_being_ended)
