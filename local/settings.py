"""The environment of a development app: invented secrets, and systems that do not answer."""

import os
import sys

# Keys for development and tests only: they guard nothing.
DEVELOPMENT = {
    "DJANGO_SETTINGS_MODULE": "sequra_bc.settings",
    "SECRET_KEY": "development-only-0123456789abcdef0123456789abcdef",
    "ENCRYPTION_KEYS": "ZGV2ZWxvcG1lbnQtb25seS0wMTIzNDU2Nzg5YWJjZGU=",
    "DEBUG": "false",
    "ADMIN_ENABLED": "true",
    # Port 9 is "discard": nothing listens there, so an unintended call fails at once.
    "APP_URL": "http://app.localhost:9",
    "ALLOWED_HOSTS": "app.localhost,localhost,127.0.0.1",
    "TRUSTED_PROXIES": "0",
    "SANDBOX": "false",
    "BIGCOMMERCE_CLIENT_ID": "demo-client-id",
    "BIGCOMMERCE_CLIENT_SECRET": "demo-client-secret-0123456789abcdef",
    "BIGCOMMERCE_APP_ID": "12345",
    "BIGCOMMERCE_LOGIN_URL": "http://127.0.0.1:9",
    "BIGCOMMERCE_API_URL": "http://127.0.0.1:9",
    "BIGCOMMERCE_PAYMENTS_URL": "http://127.0.0.1:9",
    "BIGCOMMERCE_STOREFRONT_URL": "http://127.0.0.1:9/{store}{channel}",
    "SEQURA_DEPLOYMENTS_URL": "http://127.0.0.1:9/deployments",
    "RECONCILE_SECONDS": "86400",
    "LOG_LEVEL": "INFO",
    "PYTHONUNBUFFERED": "1",
}

if __name__ == "__main__":
    # `python -m local.settings command …` runs a command with this environment.
    os.execvpe(sys.argv[1], sys.argv[1:], {**os.environ, **DEVELOPMENT})
