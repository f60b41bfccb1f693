from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self) -> None:
        """Before a merchant changes accounts he is told about the orders paid through the old."""
        from orders.figures import recent
        from orders.queue import claim
        from orders.reports import run
        from stores.connect import recent_orders, taken_along

        recent_orders.append(recent)
        taken_along.extend([claim.take_along, run.take_along])
