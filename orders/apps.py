from django.apps import AppConfig


class OrdersConfig(AppConfig):
    name = "orders"

    def ready(self) -> None:
        """Before a merchant changes accounts he is told about the orders paid through the old."""
        from orders import queue, report_run
        from orders.figures import recent
        from stores.connect import recent_orders, taken_along

        recent_orders.append(recent)
        taken_along.extend([queue.take_along, report_run.take_along])
