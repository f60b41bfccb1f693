from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self) -> None:
        """What was paid through an account goes along when a merchant replaces the account."""
        from orders.queue import claim
        from orders.reports import run
        from stores.connect import taken_along

        taken_along.extend([claim.take_along, run.take_along])
