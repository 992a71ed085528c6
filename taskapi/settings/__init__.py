"""All settings, read from the environment; docs/settings.md explains each.

Every variable is checked before any is used, so a bad deployment stops at the start
with a list of all errors. `NAME_FILE` reads a variable from a file.
"""

import functools
import os
import zoneinfo
from collections.abc import Callable
from pathlib import Path
from typing import Any

from environs import validate

from taskapi import env_file
from taskapi.http.logs import configuration as log_configuration
from taskapi.settings import databases, rest
from taskapi.settings.environment import (
    Environment,
    hosts,
    link,
    mail_sender,
    origins,
    otlp_url,
    redis_url,
    secret,
)

BASE_DIR = Path(__file__).resolve().parents[2]

env = Environment()


def csv(name: str, default: list[str], check: Callable[[list[str]], None]) -> Any:
    return env.list(name, default, subcast=str.strip, validate=check)


signing_key = functools.partial(env.str, validate=functools.partial(secret, 32))
positive_int = functools.partial(env.int, validate=validate.Range(min=1))

DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", validate=functools.partial(secret, 50))
JWT_ACCESS_SECRET = signing_key("JWT_ACCESS_SECRET")
JWT_REFRESH_SECRET = signing_key("JWT_REFRESH_SECRET")
JWT_ACCESS_SECRET_PREVIOUS = signing_key("JWT_ACCESS_SECRET_PREVIOUS", None)
JWT_REFRESH_SECRET_PREVIOUS = signing_key("JWT_REFRESH_SECRET_PREVIOUS", None)
JWT_ISSUER = env.str("JWT_ISSUER", "taskapi")
JWT_AUDIENCE = env.str("JWT_AUDIENCE", "taskapi")
ACCESS_TOKEN_SECONDS = positive_int("ACCESS_TOKEN_SECONDS", 15 * 60)
REFRESH_TOKEN_DAYS = positive_int("REFRESH_TOKEN_DAYS", 7)
SESSION_DAYS = positive_int("SESSION_DAYS", 30)
REFRESH_GRACE_SECONDS = env.int(
    "REFRESH_GRACE_SECONDS", 10, validate=validate.Range(0, 60)
)
ALLOWED_HOSTS = csv("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"], hosts)
CORS_ALLOWED_ORIGINS = csv("CORS_ALLOWED_ORIGINS", [], origins)
HTTPS = env.bool("HTTPS", True)
HSTS_INCLUDE_SUBDOMAINS = env.bool("HSTS_INCLUDE_SUBDOMAINS", False)
HSTS_PRELOAD = env.bool("HSTS_PRELOAD", False)
NUM_PROXIES = env.int("NUM_PROXIES", 0, validate=validate.Range(min=0))
DATABASE = env.database("DATABASE_URL", f"sqlite:///{BASE_DIR / 'db.sqlite3'}")
DATABASE_PREPARE = env.bool("DATABASE_PREPARE", True)
METRICS_TOKEN = env.str("METRICS_TOKEN", None, validate=functools.partial(secret, 16))
REDIS_URL = env.str("REDIS_URL", None, validate=redis_url)
RATE_LIMITS = {
    "auth": env.limit("RATE_LIMIT_AUTH", "10/15m"),
    "address": env.limit("RATE_LIMIT_ADDRESS", "600/15m"),
    "login": env.limit("RATE_LIMIT_LOGIN", "10/15m"),
    "refresh": env.limit("RATE_LIMIT_REFRESH", "10/15m"),
    "user": env.limit("RATE_LIMIT_USER", "600/1m"),
    # All personal tokens of a user together; each alone has the limit of a user.
    "tokens": env.limit("RATE_LIMIT_TOKENS", "3000/1m"),
}
WEB_THREADS = positive_int("WEB_THREADS", 4)
WORKER = env.bool("WORKER", True)
WORKER_THREADS = positive_int("WORKER_THREADS", 16)
DELIVERIES_PER_RECEIVER = positive_int("DELIVERIES_PER_RECEIVER", 4)
MAX_STREAMS = positive_int("MAX_STREAMS", 16)
MAX_STREAMS_PER_USER = positive_int("MAX_STREAMS_PER_USER", 4)
MAX_BODY_BYTES = positive_int("MAX_BODY_BYTES", 4 * 1024 * 1024)
# By the start of the path: most of these need no token.
MAX_BODY_BYTES_UNDER = {"/api/auth/": 64 * 1024}
LIST_CACHE_SECONDS = positive_int("LIST_CACHE_SECONDS", 60)
TRASH_RETENTION_DAYS = positive_int("TRASH_RETENTION_DAYS", 30)
IDEMPOTENCY_HOURS = positive_int("IDEMPOTENCY_HOURS", 24)
QUOTA_TASKS = env.int("QUOTA_TASKS", 0, validate=validate.Range(min=0))
QUOTA_BYTES = env.int("QUOTA_BYTES", 0, validate=validate.Range(min=0))
QUOTA_PROJECTS = positive_int("QUOTA_PROJECTS", 500)
QUOTA_LABELS = positive_int("QUOTA_LABELS", 500)
QUOTA_MEMBERS = positive_int("QUOTA_MEMBERS", 200)
QUOTA_INVITATIONS = positive_int("QUOTA_INVITATIONS", 100)
# Counted in the database: of one inviter, and to one address.
INVITATION_LIMIT = env.limit("RATE_LIMIT_INVITATION", "20/1h")
INVITED_ADDRESS_LIMIT = env.limit("RATE_LIMIT_INVITED_ADDRESS", "3/1d")
QUOTA_TOKENS = positive_int("QUOTA_TOKENS", 50)
QUOTA_WEBHOOKS = positive_int("QUOTA_WEBHOOKS", 20)
WEBHOOK_ALLOWED_NETWORKS = env.networks(
    "WEBHOOK_ALLOWED_NETWORKS", "127.0.0.0/8,::1" if DEBUG else ""
)
QUOTA_COMMENTS = positive_int("QUOTA_COMMENTS", 10_000)
QUOTA_IDEMPOTENCY_BYTES = positive_int("QUOTA_IDEMPOTENCY_BYTES", 128 * 1024 * 1024)
REGISTRATION = env.str(
    "REGISTRATION", "open", validate=validate.OneOf(["open", "invited", "closed"])
)
PASSWORD_BLOCKLIST = env.bool("PASSWORD_BLOCKLIST", True)
PASSWORD_RESET_URL = env.str("PASSWORD_RESET_URL", "", validate=link)
EMAIL_CHANGE_URL = env.str("EMAIL_CHANGE_URL", "", validate=link)
INVITATION_URL = env.str("INVITATION_URL", "", validate=link)
EMAIL = env.email("EMAIL_URL", "console://")
DEFAULT_FROM_EMAIL = env.str(
    "DEFAULT_FROM_EMAIL", "taskapi@localhost", validate=mail_sender
)
OTEL_EXPORTER_OTLP_ENDPOINT = env.str(
    "OTEL_EXPORTER_OTLP_ENDPOINT", None, validate=otlp_url
)
LOG_LEVEL = env.str(
    "LOG_LEVEL", "INFO", validate=validate.OneOf(["DEBUG", "INFO", "WARNING", "ERROR"])
)

secrets = [SECRET_KEY, JWT_ACCESS_SECRET, JWT_REFRESH_SECRET]
if None not in secrets and len(set(secrets)) < len(secrets):
    env.reject("SECRET_KEY", "SECRET_KEY and the two JWT secrets must all differ.")
if HSTS_PRELOAD and not HSTS_INCLUDE_SUBDOMAINS:
    env.reject("HSTS_PRELOAD", "Browsers need HSTS_INCLUDE_SUBDOMAINS=true for it.")
env.reject_misspelt(env_file.names)
env.raise_if_invalid()
MISSPELT_VARIABLES = dict(env.misspelt(os.environ))

INSTALLED_APPS = [
    # First, so that their commands override Django's of the same name.
    "accounts",
    "tasks",
    "taskapi",
    "taskapi.outbox",
    "taskapi.apps.BoundedAdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "corsheaders",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "rest_framework",
    "rest_framework_simplejwt.token_blacklist",
]
MIDDLEWARE = [
    "taskapi.http.middleware.RequestMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "corsheaders.middleware.CorsMiddleware",
    "taskapi.http.middleware.RejectMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    # Requests for /api/ go from here to the end of the list.
    "taskapi.http.middleware.AdminOnlyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "taskapi.http.middleware.api_entry",
]
if OTEL_EXPORTER_OTLP_ENDPOINT:
    MIDDLEWARE.insert(0, "taskapi.http.tracing.TracingMiddleware")
ROOT_URLCONF = "taskapi.urls"
WSGI_APPLICATION = "taskapi.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]

ENGINE_OPTIONS = databases.engine_options(prepare=DATABASE_PREPARE)
DATABASES = {
    "default": DATABASE
    | {
        "OPTIONS": ENGINE_OPTIONS[DATABASE["ENGINE"]] | DATABASE.get("OPTIONS", {}),
        # Each thread keeps its own connection.
        "CONN_MAX_AGE": None,
        "CONN_HEALTH_CHECKS": True,
    }
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_CACHE = databases.redis_cache(REDIS_URL)
CACHES = {
    "default": REDIS_CACHE
    if REDIS_URL
    else {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 1000},
    }
}

AUTH_USER_MODEL = "accounts.User"
PASSWORD_HASHERS = [
    "accounts.hashers.BoundedArgon2Hasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
PASSWORD_VALIDATION = "django.contrib.auth.password_validation"
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {
        "NAME": f"{PASSWORD_VALIDATION}.MinimumLengthValidator",
        "OPTIONS": {"min_length": 8},
    },
    {
        "NAME": f"{PASSWORD_VALIDATION}.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("name", "email")},
    },
    {"NAME": f"{PASSWORD_VALIDATION}.NumericPasswordValidator"},
]
if PASSWORD_BLOCKLIST:
    AUTH_PASSWORD_VALIDATORS.append(
        {"NAME": f"{PASSWORD_VALIDATION}.CommonPasswordValidator"}
    )
PASSWORD_RESET_TIMEOUT = 3600
# Functions of the apps, called with new users in the transaction that creates them.
ACCOUNT_CREATED = ["tasks.inboxes.create_inboxes"]
# The app's function that finds invitations; see accounts.registration.Find.
REGISTRATION_INVITATIONS = "tasks.operations.invitations.for_registration"
# The app's function that refuses projects that a user cannot see, as it would refuse
# them elsewhere; called with the user and the ids that a personal token shall cover.
PERSONAL_TOKEN_PROJECTS = "tasks.access.require_projects"
# Modules of the apps, each for its own data: what is exported and erased with an
# account, which rows expire, and what the OpenAPI document says of it.
# An erased account loses what the last module has first.
PERSONAL_DATA = [
    "accounts.personal_data",
    "tasks.personal_projects",
    "tasks.personal_data",
]
HOUSEKEEPING = [
    "accounts.housekeeping",
    "tasks.housekeeping",
    "taskapi.outbox.housekeeping",
]
# How workers deliver the messages of each kind: instances of the apps' Handlers.
OUTBOX_HANDLERS = {
    "mail": "taskapi.api.mail.PLAIN",
    "password_reset": "accounts.passwords.RESET_MAIL",
    "email_change": "accounts.email_change.TOKEN_MAIL",
    "invitation": "tasks.invitation_mail.INVITATION_MAIL",
    "webhook": "tasks.webhooks.delivery.WEBHOOK",
}
IDEMPOTENCY_MODEL = "tasks.IdempotencyRecord"
OPENAPI_MODULES = [
    "accounts.openapi",
    "tasks.openapi",
    "tasks.openapi.changes",
    "tasks.openapi.comments",
    "tasks.openapi.labels",
    "tasks.openapi.projects",
    "tasks.openapi.webhooks",
]
SIMPLE_JWT = {
    "TOKEN_TYPE_CLAIM": "typ",
    "USER_ID_CLAIM": "sub",
}

REST_FRAMEWORK = rest.REST_FRAMEWORK
SPECTACULAR_SETTINGS = rest.SPECTACULAR_SETTINGS
CORS_EXPOSE_HEADERS = rest.CORS_EXPOSE_HEADERS
CORS_ALLOW_HEADERS = rest.CORS_ALLOW_HEADERS

APPEND_SLASH = False
DATA_UPLOAD_MAX_MEMORY_SIZE = MAX_BODY_BYTES
SILENCED_SYSTEM_CHECKS = [
    # No redirect from HTTP: it would hide that a token was sent in the clear
    # (ASVS 4.1.2).
    "security.W008",
    # HSTS for other servers of the domain, and for years, is for its owner to decide.
    "security.W005",
    "security.W021",
    # The check does not see that the constraint on lower(email) implies it.
    "auth.E003",
    # SQLite ignores the covering indexes, which PostgreSQL counts tasks by.
    "models.W040",
]
SECURE_HSTS_SECONDS = 365 * 24 * 3600 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS and HSTS_INCLUDE_SUBDOMAINS
SECURE_HSTS_PRELOAD = HTTPS and HSTS_PRELOAD
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if NUM_PROXIES else None
CSRF_FAILURE_VIEW = "taskapi.api.errors.csrf_failure"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_AGE = 12 * 3600
SESSION_ENGINE = "taskapi.admin_sessions"

globals().update(EMAIL)
LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
# From the package tzdata: the same on every machine, and in images that have none.
zoneinfo.reset_tzpath(to=[])
USE_I18N = False
FORMAT_MODULE_PATH = "taskapi.formats"
USE_TZ = True
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True

LOGGING = log_configuration(
    LOG_LEVEL,
    {
        "django": {"handlers": [], "propagate": True},
        # The log line of each request has the same facts.
        "django.request": {"level": "ERROR"},
        "django.security.DisallowedHost": {"level": "CRITICAL"},
    },
)
