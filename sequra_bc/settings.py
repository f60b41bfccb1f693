"""All settings, read from the environment. `.env.example` lists every variable with its default.

Invalid variables are collected and reported together at the end, by name, never with their values.
"""

import json
import logging
import os
import re
import ssl
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import environ
from cryptography.fernet import Fernet
from csp.constants import NONCE, NONE, SELF

from sequra_bc.logs import structured_logging
from transport import __version__

faults: list[str] = []


# django-environ has no types.
class _Environment(environ.Env):  # type: ignore[misc]  # the library has no types
    """The process's environment. What makes no sense is a fault, and the default goes on."""

    def get_value(self, var: str, cast: Any = None, default: Any = None, **more: Any) -> Any:
        try:
            return super().get_value(var, cast=cast, default=default, **more)
        except ValueError:
            item = cast[0] if isinstance(cast, list) else cast
            faults.append(f"{var} is no {_NAMES.get(item, 'valid value')}")
            return default


_NAMES = {int: "whole number", float: "number", dict: "JSON object"}
env = _Environment()
# An empty variable counts as one that is not set.
env.ENVIRON = {name: value for name, value in os.environ.items() if value.strip()}
# What `docker inspect` and the environment of a process should not show: NAME_FILE names a file
# with the value instead.
SECRETS = (
    "SECRET_KEY",
    "ENCRYPTION_KEYS",
    "BIGCOMMERCE_CLIENT_ID",
    "BIGCOMMERCE_CLIENT_SECRET",
    "DATABASE_URL",
    "DATABASE_PASSWORD",
    "REPLICA_URL",
    "REDIS_URL",
    "REDIS_PASSWORD",
    "BROKER_URL",
    "BROKER_OPTIONS",
    "EMAIL_URL",
)
for _name in SECRETS:
    if not (_path := env.ENVIRON.pop(f"{_name}_FILE", "")):
        continue
    if _name in env.ENVIRON:
        faults.append(f"{_name} and {_name}_FILE are both set")
    try:
        _value = Path(_path).read_text().strip()
    except (OSError, ValueError):
        faults.append(f"{_name}_FILE names no file that can be read")
    else:
        env.ENVIRON |= {_name: _value} if _value else {}
BASE_DIR = Path(__file__).resolve().parent.parent
VERSION = __version__


def secret(name: str, least: int = 16) -> str:
    """Return a secret from the environment, verbatim (django-environ expands a leading `$`)."""
    value: str = env.ENVIRON.get(name, "")
    if len(value) < least:
        faults.append(f"{name} is missing or shorter than {least} characters")
    return value


def fernet_keys(name: str) -> list[str]:
    """Return comma-separated Fernet keys, each of them valid."""
    keys = [key.strip() for key in secret(name, 44).split(",") if key.strip()]
    if not keys:
        faults.append(f"{name} holds no key")
    for number, key in enumerate(keys, start=1):
        try:
            Fernet(key)
        except ValueError:
            faults.append(f"{name}: key {number} is no Fernet key (32 bytes, URL-safe base64)")
    return keys


def origin(name: str, default: str) -> str:
    """Return a URL without path, as `https://host[:port]`."""
    value: str = env.str(name, default=default).rstrip("/")
    try:
        parts = urlsplit(value)
        is_origin = parts.scheme in ("http", "https") and bool(parts.netloc) and not parts.path
    except ValueError:
        is_origin = False
    if is_origin:
        return value
    faults.append(f"{name} must be an origin such as https://app.example.com")
    return default


# scheme, user, password and the rest: the last @ ends the password, whatever stands in it.
_WITH_PASSWORD = re.compile(r"([a-z0-9+]+://)([^:/@]*):(.*)@([^@]*)", re.DOTALL)
_NOT_IN_A_URL = re.compile(r"%(?![0-9A-Fa-f]{2})|[^\w.~%!$&'()*+,;=-]", re.ASCII)


def server_url(name: str, default: str) -> str:
    """Return the URL of a server. A password may contain any character, quoted or not."""
    value: str = env.ENVIRON.get(name, default)
    if not value:
        return value
    if found := _WITH_PASSWORD.fullmatch(value):
        scheme, user, password, rest = found.groups()
        password = _NOT_IN_A_URL.sub(lambda odd: quote(odd[0], safe=""), password)
        value = f"{scheme}{user}:{password}@{rest}"
    try:
        port = urlsplit(value.split(";")[0]).port
    except ValueError:
        port = 0
    if "://" in value and port != 0:
        return value
    faults.append(f"{name} is no address such as redis://user:password@host:6379/0")
    return default


def _with_password(url: str, name: str) -> str:
    """Return the URL with the password of this variable, unless it has one of its own."""
    password: str = env.ENVIRON.get(name, "")
    scheme, _, rest = url.partition("://")
    user, _, host = rest.rpartition("@")
    if not password or ":" in user:
        return url
    return f"{scheme}://{user}:{quote(password, safe='')}@{host}"


def _up_to(name: str, default: float, most: float) -> float:
    """Return a number from 0 to `most`."""
    value: float = env.float(name, default=default)
    if 0 <= value <= most:
        return value
    faults.append(f"{name} must be a number from 0 to {most:g}")
    return default


def web_address(name: str) -> str:
    """Return an address that begins with http, or nothing when the variable is not set."""
    value: str = env.str(name, default="")
    try:
        parts = urlsplit(value)
        if not value or (parts.scheme in ("http", "https") and parts.hostname):
            return value
    except ValueError:
        pass
    faults.append(f"{name} is no address such as https://host/path")
    return ""


def json_object(name: str) -> dict[str, Any]:
    """Return a JSON object; empty when the variable is not set."""
    try:
        value = json.loads(env.ENVIRON.get(name, "{}"))
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    faults.append(f"{name} is no JSON object")
    return {}


# --- The process ---------------------------------------------------------------------------------

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = secret("SECRET_KEY")
ENCRYPTION_KEYS = fernet_keys("ENCRYPTION_KEYS")
APP_URL = origin("APP_URL", "http://localhost:8000")
APP_IS_HTTPS = APP_URL.startswith("https://")
ALLOWED_HOSTS = [
    host.strip() for host in env.list("ALLOWED_HOSTS", default=[urlsplit(APP_URL).hostname])
]
TRUSTED_PROXIES = env.int("TRUSTED_PROXIES", default=1 if APP_IS_HTTPS else 0)

# Off, /admin/ and /metrics do not exist for whoever comes through the proxy.
ADMIN_ENABLED = env.bool("ADMIN_ENABLED", default=False)
METRICS_PUBLIC = env.bool("METRICS_PUBLIC", default=False)
# Shoppers and merchants share addresses: an office, a mobile network.
ADDRESS_REQUESTS_PER_MINUTE = env.int("ADDRESS_REQUESTS_PER_MINUTE", default=600)
if ADDRESS_REQUESTS_PER_MINUTE < 1:
    faults.append("ADDRESS_REQUESTS_PER_MINUTE is less than 1")

SANDBOX = env.bool("SANDBOX", default=False)
if SANDBOX and not DEBUG and not env.bool("SANDBOX_ALLOWED", default=False):
    faults.append("SANDBOX needs DEBUG, or SANDBOX_ALLOWED=true to say it is meant")

# --- BigCommerce and SeQura ----------------------------------------------------------------------

BIGCOMMERCE_CLIENT_ID = secret("BIGCOMMERCE_CLIENT_ID", 1)
BIGCOMMERCE_CLIENT_SECRET = secret("BIGCOMMERCE_CLIENT_SECRET")
BIGCOMMERCE_APP_ID = env.str("BIGCOMMERCE_APP_ID", default="")
BIGCOMMERCE_LOGIN_URL = origin("BIGCOMMERCE_LOGIN_URL", "https://login.bigcommerce.com")
BIGCOMMERCE_API_URL = origin("BIGCOMMERCE_API_URL", "https://api.bigcommerce.com")
BIGCOMMERCE_PAYMENTS_URL = origin("BIGCOMMERCE_PAYMENTS_URL", "https://payments.bigcommerce.com")
# Where a storefront's GraphQL API is; `{channel}` is empty for the first channel, then "-2".
BIGCOMMERCE_STOREFRONT_URL = env.str(
    "BIGCOMMERCE_STOREFRONT_URL", default="https://store-{store}{channel}.mybigcommerce.com"
)
if "{store}" not in BIGCOMMERCE_STOREFRONT_URL:
    faults.append("BIGCOMMERCE_STOREFRONT_URL needs {store}, the place of the store's hash")
SEQURA_DEPLOYMENTS_URL = env.str(
    "SEQURA_DEPLOYMENTS_URL", default="https://live.sequrapi.com/deployments"
)
# SeQura's merchant portals; the page of an order is `/orders/{reference}` below.
PORTAL_URL = env.str("PORTAL_URL", default="https://portal.sequra.com").rstrip("/")
PORTAL_SANDBOX_URL = env.str(
    "PORTAL_SANDBOX_URL", default="https://portal-sandbox.sequra.com"
).rstrip("/")
# BigCommerce may show a new order in its look-up this much later than it made it.
ORDER_LOOKUP_SETTLE_SECONDS: float = env.float("ORDER_LOOKUP_SETTLE_SECONDS", default=10.0)
# Pauses after which an order is read again, because BigCommerce may have returned a stale version:
# all of them when a webhook changed nothing, the last one after a change was sent.
SETTLE_SECONDS: list[float] = env.list("SETTLE_SECONDS", cast=float, default=[4.0, 12.0, 30.0])
RECONCILE_SECONDS = env.int("RECONCILE_SECONDS", default=24 * 60 * 60)

# How long personal data stays: after an uninstallation, and of purchases in which nothing changes.
ERASE_AFTER_UNINSTALL_HOURS = _up_to("ERASE_AFTER_UNINSTALL_HOURS", default=48.0, most=24 * 36500)
ERASE_PURCHASES_AFTER_DAYS = _up_to("ERASE_PURCHASES_AFTER_DAYS", default=1827.0, most=36500)

# --- Django --------------------------------------------------------------------------------------

INSTALLED_APPS = [
    "sequra_bc.apps.OperatorsConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "csp",
    "stores",
    "payments",
    "orders",
    "transaction_log",
    "alerts",
    "panel",
]
MIDDLEWARE = [
    "sequra_bc.middleware.RequestIdMiddleware",
    "orders.webhooks.IntakeMiddleware",
    "sequra_bc.health.HealthMiddleware",
    "sequra_bc.middleware.ProxyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "stores.registration.checkout_script.ScriptVersionMiddleware",
    "csp.middleware.CSPMiddleware",
    "sequra_bc.middleware.RequestLogMiddleware",
    "sequra_bc.middleware.CleanTextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "sequra_bc.urls"
WSGI_APPLICATION = "sequra_bc.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
            ]
        },
    }
]
DATABASE_URL = _with_password(
    server_url("DATABASE_URL", "postgresql://postgres@127.0.0.1:5432/sequra_bc"),
    "DATABASE_PASSWORD",
)
_DATABASE: dict[str, Any] = env.db_url_config(DATABASE_URL)
if not _DATABASE.get("ENGINE", "").endswith("postgresql"):
    faults.append("DATABASE_URL is no address of a PostgreSQL")
# Is DATABASE_URL a pooler in transaction mode (PgBouncer)? Sessions are shared there: no
# start-up options, no cursors that outlive a transaction, and locks are rows (stores/isolation.py).
DATABASE_POOLED: bool = env.bool("DATABASE_POOLED", default=False)
# A server that vanished is noticed within 45 seconds, also by a connection at rest.
_KEEPALIVES = {"keepalives_idle": 30, "keepalives_interval": 5, "keepalives_count": 3}
# A killed lock holder frees its lock in half a second, not when its statement ends.
_SESSION = {} if DATABASE_POOLED else {"options": "-c client_connection_check_interval=1s"}
DATABASES = {
    "default": {
        "CONN_MAX_AGE": 0 if DATABASE_POOLED else 60,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": DATABASE_POOLED,
        **_DATABASE,
        "OPTIONS": {
            "connect_timeout": 5,
            **_KEEPALIVES,
            **_SESSION,
            **_DATABASE.get("OPTIONS", {}),
        },
    }
}
# A streaming replica of the same database, for the figures of a period and exports. One that does
# not answer costs a page two seconds, also on an open connection, and then the primary answers for
# a while (stores/replica.py). No statement of a replica holds a thread for longer than 20 seconds.
if REPLICA_URL := server_url("REPLICA_URL", ""):
    _REPLICA: dict[str, Any] = env.db_url_config(_with_password(REPLICA_URL, "DATABASE_PASSWORD"))
    if not _REPLICA.get("ENGINE", "").endswith("postgresql"):
        faults.append("REPLICA_URL is no address of a PostgreSQL")
    DATABASES["replica"] = {
        **DATABASES["default"],
        **_REPLICA,
        "OPTIONS": {
            "connect_timeout": 2,
            "tcp_user_timeout": 2000,  # milliseconds
            **_KEEPALIVES,
            **({} if DATABASE_POOLED else {"options": "-c statement_timeout=20s"}),
            **_REPLICA.get("OPTIONS", {}),
        },
        "TEST": {"MIRROR": "default"},
    }
DATABASE_ROUTERS = ["stores.replica.PrimaryRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

LANGUAGE_CODE = "en"
LANGUAGES = [
    ("en", "English"),
    ("es", "Español"),
    ("fr", "Français"),
    ("it", "Italiano"),
    ("pt", "Português"),
]
# Memory of each process. The products of catalogues would leave no room for anything else.
_MEMORY = "django.core.cache.backends.locmem.LocMemCache"
CACHES = {
    "default": {"BACKEND": _MEMORY},
    "catalogue": {
        "BACKEND": _MEMORY,
        "LOCATION": "catalogue",
        "OPTIONS": {"MAX_ENTRIES": 20_000},
    },
}

LOCALE_PATHS = [BASE_DIR / "locale"]
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "sequra_bc.static_files.StaticFiles"},
}
# The checkout script carries an SRI hash, and a browser checks one only with this header.
WHITENOISE_ALLOW_ALL_ORIGINS = True


def _may_be_embedded(headers: Any, _path: str, _url: str) -> None:
    """Let shops load the script and its pictures; pages stay with their own origin."""
    headers["Cross-Origin-Resource-Policy"] = "cross-origin"


WHITENOISE_ADD_HEADERS_FUNCTION = _may_be_embedded
# What has its hash in its name never changes.
WHITENOISE_IMMUTABLE_FILE_TEST = r"^.+\.[0-9a-f]{12}\..+$"

# --- Security ------------------------------------------------------------------------------------

SECURE_SSL_REDIRECT = APP_IS_HTTPS
SECURE_REDIRECT_EXEMPT = [r"^health/", r"^metrics$"]
SECURE_HSTS_SECONDS = 31_536_000 if APP_IS_HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = APP_IS_HTTPS
SECURE_HSTS_PRELOAD = APP_IS_HTTPS
SECURE_REFERRER_POLICY = "no-referrer"
SESSION_COOKIE_SECURE = APP_IS_HTTPS
CSRF_COOKIE_SECURE = APP_IS_HTTPS
CSRF_TRUSTED_ORIGINS = [APP_URL]
X_FRAME_OPTIONS = "DENY"
# On every answer that is not a file; read by sequra_bc.middleware.
ANSWER_HEADERS = {
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 64 * 1024
# Nobody uploads files: none is written to a disk.
FILE_UPLOAD_HANDLERS = ["django.core.files.uploadhandler.MemoryFileUploadHandler"]
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF, NONCE],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}

# --- REST framework: the storefront, notification and event endpoints ----------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["sequra_bc.middleware.JSONBody"],
    "UNAUTHENTICATED_USER": None,
    # Throttles go by REMOTE_ADDR, which ProxyMiddleware has made the client's.
    "NUM_PROXIES": 0,
}

# --- Celery wakes the workers; PostgreSQL is the queue --------------------------------------------

REDIS_URL = _with_password(server_url("REDIS_URL", "redis://127.0.0.1:6379/0"), "REDIS_PASSWORD")
BROKER_URL = server_url("BROKER_URL", "") or REDIS_URL
# What Kombu's transport wants to know besides: {"master_name": "…"} for sentinel://.
BROKER_OPTIONS = json_object("BROKER_OPTIONS")
IS_REDIS = BROKER_URL.startswith(("redis", "sentinel"))
# A worker and a beat touch this file while they are well: see `sequra_bc.celery`.
HEARTBEAT_FILE = env.str("HEARTBEAT_FILE", default="")
# While this file is there, the proxy gives a web process no more requests: see `sequra_bc.health`.
DRAIN_FILE = env.str("DRAIN_FILE", default="")
CELERY: dict[str, Any] = {
    "broker_url": BROKER_URL,
    "broker_connection_max_retries": None,
    "broker_connection_retry_on_startup": True,
    "broker_channel_error_retry": True,
    # Publishing from a web request never waits for a broker that is away. Worker and beat change
    # these socket options for themselves, in sequra_bc/celery.py.
    "task_publish_retry": False,
    "broker_pool_acquire_timeout": 1,
    "broker_transport_options": BROKER_OPTIONS,
    "task_ignore_result": True,
    "accept_content": ["json"],
    "task_serializer": "json",
    "task_soft_time_limit": 240,
    "task_time_limit": 300,
    "timezone": "UTC",
    # Messages are not acknowledged, so nothing but this keeps a worker from fetching them all.
    "worker_disable_prefetch": IS_REDIS,
    # Reports, comparisons and registrations may take minutes. A worker of both lanes leaves two of
    # these free for changes and payments (sequra_bc/celery.py).
    "worker_concurrency": max(4, os.cpu_count() or 1),
    "worker_max_tasks_per_child": 500,
    "worker_cancel_long_running_tasks_on_connection_loss": False,
    "worker_hijack_root_logger": False,
    "worker_soft_shutdown_timeout": 20,
    # Intervals only, nothing to remember: no schedule file is written.
    "beat_scheduler": "sequra_bc.celery:Scheduler",
    "beat_enable_remote_control": True,
}
if IS_REDIS:
    _hasty = {"socket_connect_timeout": 0.3, "socket_timeout": 0.5, "max_retries": 0}
    CELERY["broker_transport_options"] = _hasty | BROKER_OPTIONS
if BROKER_URL.startswith("rediss") and "ssl_" not in BROKER_URL:
    # Kombu checks no certificate by default.
    CELERY["broker_use_ssl"] = {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_check_hostname": True}

# --- E-mail: alerts to merchants -----------------------------------------------------------------

EMAIL_URL = server_url("EMAIL_URL", "")
if EMAIL_URL:
    scheme = urlsplit(EMAIL_URL).scheme
    if scheme not in environ.Env.EMAIL_SCHEMES or not scheme.startswith("smtp"):
        faults.append("EMAIL_URL is no address such as smtp+tls://user:password@host:587")
    else:
        # The names of Django's settings, EMAIL_HOST and so on.
        named = environ.Env.email_url_config(EMAIL_URL)
        vars().update({name: value for name, value in named.items() if value is not None})
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str(
    "DEFAULT_FROM_EMAIL", default=f"SeQura <no-reply@{urlsplit(APP_URL).hostname}>"
)

# --- The log, and whoever watches the installation ------------------------------------------------

# Errors go to this project of Sentry, spans to this collector of OpenTelemetry.
SENTRY_DSN = web_address("SENTRY_DSN")
OTEL_EXPORTER_OTLP_ENDPOINT = web_address("OTEL_EXPORTER_OTLP_ENDPOINT")
if SENTRY_DSN and not re.fullmatch(r"https?://\w+(:\w*)?@[^/]+/(.*/)?\d+", SENTRY_DSN):
    faults.append("SENTRY_DSN is no address such as https://key@sentry.example.com/1")
LOGGING_CONFIG = None
LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
if LOG_LEVEL not in logging.getLevelNamesMapping():
    faults.append("LOG_LEVEL is none of DEBUG, INFO, WARNING and ERROR")
if faults:
    sys.stderr.write("\n".join([*faults, ""]))
    sys.exit(2)
structured_logging(level=LOG_LEVEL)
if SENTRY_DSN or OTEL_EXPORTER_OTLP_ENDPOINT:
    from sequra_bc import monitoring  # some seconds' worth of imports, for those who want them

    if SENTRY_DSN:
        monitoring.report_errors(SENTRY_DSN)
    if OTEL_EXPORTER_OTLP_ENDPOINT:
        monitoring.collect_traces(OTEL_EXPORTER_OTLP_ENDPOINT)
