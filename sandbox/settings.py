"""Settings of the sandbox's own process: nothing here is shared with the app under test."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

HERE = Path(__file__).resolve().parent

PORT = int(os.environ.get("SANDBOX_PORT", "8100"))
# Where servers find this process, SeQura's second deployment by another name. Browsers use names of
# their own machine, each an origin of its own.
HOST = os.environ.get("SANDBOX_HOST", "127.0.0.1")
SVEA_HOST = os.environ.get("SANDBOX_SVEA_HOST", "localhost")
# One process serves one store. That of a second store stands behind the API addresses of the first
# one (`sandbox.gate` passes requests on), and uses the first one's SeQura.
API_PORT = int(os.environ.get("SANDBOX_API_PORT", PORT))
NEIGHBOUR_HASH, _, NEIGHBOUR_PORT = os.environ.get("SANDBOX_NEIGHBOUR", "").partition(":")
# Cookies know no ports: shops and control panels of two stores need host names of their own.
SITE = os.environ.get("SANDBOX_SITE", "localhost")
API_URL = f"http://{HOST}:{API_PORT}"
SHOP_URL = f"http://shop.{SITE}:{PORT}"
PANEL_URL = f"http://panel.{SITE}:{PORT}"
SEQURA_URL = f"http://sequra.localhost:{API_PORT}"
# Where the app under test answers.
APP_URL = os.environ.get("SANDBOX_APP_URL", "http://127.0.0.1:8000").rstrip("/")
# Its address as browsers know it, when that is another one.
APP_PUBLIC_URL = os.environ.get("SANDBOX_APP_PUBLIC_URL", "").rstrip("/") or APP_URL

BIGCOMMERCE_CLIENT_ID = os.environ.get("BIGCOMMERCE_CLIENT_ID", "sandbox-client-id")
BIGCOMMERCE_CLIENT_SECRET = os.environ.get(
    "BIGCOMMERCE_CLIENT_SECRET", "sandbox-client-secret-0123456789"
)
STORE_HASH = os.environ.get("SANDBOX_STORE_HASH", "demo123")
STORE_NAME = os.environ.get("SANDBOX_STORE_NAME", "Mar de Fondo")

DATABASE_URL = os.environ.get(
    "SANDBOX_DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/sequra_sandbox"
)
_database = urlsplit(DATABASE_URL)
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": _database.path.lstrip("/"),
        "USER": unquote(_database.username or "postgres"),
        "PASSWORD": unquote(_database.password or ""),
        "HOST": _database.hostname or "127.0.0.1",
        "PORT": _database.port or 5432,
        "CONN_MAX_AGE": None,
        "ATOMIC_REQUESTS": True,
        # Nothing here is worth a disk flush; a crash of the machine empties a sandbox.
        "OPTIONS": {"options": "-c synchronous_commit=off"},
    }
}

SECRET_KEY = "the-sandbox-keeps-no-secrets"
DEBUG = False
ALLOWED_HOSTS = ["*"]
INSTALLED_APPS = [
    "django.contrib.staticfiles",
    "sandbox.bigcommerce",
    "sandbox.sequra",
    "sandbox.shop",
    "sandbox.panel",
]
MIDDLEWARE = [
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "sandbox.hosts.HostMiddleware",
    "sandbox.bigcommerce.answers.BigCommerceMiddleware",
]
ROOT_URLCONF = "sandbox.urls"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
    }
]
STATIC_URL = "/static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
APPEND_SLASH = False
USE_TZ = True
TIME_ZONE = "UTC"
LANGUAGE_CODE = "en"
# What goes wrong in here is printed; refusals are answers, not errors.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler", "level": "ERROR"}},
    "root": {"handlers": ["console"]},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024 * 1024  # a delivery report of 5,000 orders
