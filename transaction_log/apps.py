from django.apps import AppConfig


class TransactionLogConfig(AppConfig):
    name = "transaction_log"
