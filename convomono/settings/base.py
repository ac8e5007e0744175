"""Settings that every environment shares; each variable is read once, here or in the environment's module."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.utils.csp import CSP

from convomono.lib import env
from convomono.lib.databases import database_settings, is_mongodb
from convomono.settings.logs import logging_config

BASE_DIR = Path(__file__).resolve().parents[2]
VAR_DIR = Path(env.text("VAR_DIR", str(BASE_DIR / "var")))

DEBUG = False
TESTING = False  # the test settings alone say yes
SHOW_STYLEGUIDE = False
SHOW_DEMO_SIGN_INS = False
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
PUBLIC_BASE_URL = env.text("PUBLIC_BASE_URL", "http://127.0.0.1:8000")

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "unfold.contrib.import_export",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.headless",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_htmx",
    "django_rq",
    "heroicons",
    "import_export",
    "audit",
    "accounts",
    "leads",
    "telephony",
    "billing",
    "campaigns",
    "reporting",
    "webhooks",
]

MIDDLEWARE = [
    "convomono.lib.streaming.stream_under_asgi",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "accounts.middleware.ActingMiddleware",
    "accounts.middleware.ClientMiddleware",
    "accounts.middleware.back_office_policy",
]

ROOT_URLCONF = "convomono.urls"
WSGI_APPLICATION = "convomono.wsgi.application"
ASGI_APPLICATION = "convomono.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["convomono.lib.display", "convomono.lib.icons"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.context.chrome",
                "billing.context.balance",
            ],
        },
    },
]

# -- Data ------------------------------------------------------------------------------------------

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"  # third-party models; ours have UUIDs
DATABASE_URL = env.text("DATABASE_URL", f"sqlite:///{VAR_DIR / 'convomono.sqlite3'}")
ON_MONGODB = is_mongodb(DATABASE_URL)
DATABASES = {"default": database_settings(DATABASE_URL)}
if ON_MONGODB:
    INSTALLED_APPS += ["django_mongodb_backend"]
    SILENCED_SYSTEM_CHECKS = ["models.W027"]  # check constraints aren't created there
    IMPORT_EXPORT_USE_TRANSACTIONS = False  # otherwise import-export refuses to start

# Yes only where `replay_webhooks` works in a copy: what it rebuilds there must never be the real rows.
IS_SCRATCH = env.flag("SCRATCH_DATABASE")

REDIS_URL = env.text("REDIS_URL", "redis://127.0.0.1:6379/0")
CACHES: dict[str, dict[str, Any]] = {
    name: {
        "BACKEND": f"convomono.lib.cache.{backend}",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "convomono",
        "OPTIONS": {"socket_timeout": 2, "socket_connect_timeout": 2},
    }
    for name, backend in (("default", "SteadyCache"), ("sessions", "SessionCache"))
}
SESSION_ENGINE = "django.contrib.sessions.backends.cached_db"
SESSION_CACHE_ALIAS = "sessions"
SESSION_COOKIE_AGE = 14 * 24 * 3600

RQ = {"WORKER_CLASS": "convomono.lib.jobs.MaintainedWorker"}
RQ_QUEUES = {
    name: {"URL": REDIS_URL}
    for name in ("calls", "imports", "reports", "copies", "history", "default")
}

STORAGES: dict[str, dict[str, Any]] = {
    "default": {
        "BACKEND": "django.core.files.storage.FileSystemStorage",
        "OPTIONS": {"location": str(VAR_DIR / "files")},
    },
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
FILE_UPLOAD_PERMISSIONS = 0o600
DATA_UPLOAD_MAX_MEMORY_SIZE = 2_621_440
# Movements of more minutes than this need two people; 0: no limit.
CREDIT_APPROVAL_MINUTES = env.integer("CREDIT_APPROVAL_MINUTES", 10_000, at_least=0)
# So do sales and repayments of more money than this; 0: no limit.
CREDIT_APPROVAL_DOLLARS = env.integer("CREDIT_APPROVAL_DOLLARS", 5_000, at_least=0)
LEAD_UPLOAD_MAX_BYTES = env.integer("LEAD_UPLOAD_MAX_BYTES", 512 * 1024 * 1024, at_least=1)

# -- People ----------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["accounts.backends.Backend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
ACCOUNT_ADAPTER = "accounts.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"  # accounts are made by the agency, not by signing up
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_REAUTHENTICATION_REQUIRED = True
MFA_ADAPTER = "accounts.adapters.MFAAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes"]
MFA_TOTP_ISSUER = "ConvoMono"
HEADLESS_ONLY = False
HEADLESS_CLIENTS = ["app"]
HEADLESS_TOKEN_STRATEGY = "allauth.headless.tokens.strategies.jwt.JWTTokenStrategy"
HEADLESS_JWT_ALGORITHM = "HS256"
HEADLESS_JWT_ACCESS_TOKEN_EXPIRES_IN = 300
HEADLESS_JWT_REFRESH_TOKEN_EXPIRES_IN = 24 * 3600
HEADLESS_JWT_ROTATE_REFRESH_TOKEN = True

# -- Language and time -----------------------------------------------------------------------------

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English")]
TIME_ZONE = "UTC"
USE_TZ = True

# -- Mail ------------------------------------------------------------------------------------------

DEFAULT_FROM_EMAIL = env.text("DEFAULT_FROM_EMAIL", "ConvoMono <noreply@localhost>")

# -- The voice platform ----------------------------------------------------------------------------

RETELL_API_KEY = env.text("RETELL_API_KEY", "")
RETELL_WEBHOOK_KEY = env.text("RETELL_WEBHOOK_KEY", "")
RETELL_WEBHOOK_KEY_PREVIOUS = env.text("RETELL_WEBHOOK_KEY_PREVIOUS", "")
RETELL_BASE_URL = env.text("RETELL_BASE_URL", "https://api.retellai.com")
RETELL_TIMEOUT_SECONDS = env.number("RETELL_TIMEOUT_SECONDS", 30, at_least=1)
RETELL_CALLS_PER_SECOND = env.number("RETELL_CALLS_PER_SECOND", 1, at_least=0.1)
# True when what we talk to is the local stand-in: nothing rings and the pages say so.
SANDBOX = urlsplit(RETELL_BASE_URL).hostname in {"127.0.0.1", "localhost", "::1"}
# Where requests to addresses that people typed may go although it is no public https host: host:port.
_OWN_HOSTS = [urlsplit(RETELL_BASE_URL).netloc] if SANDBOX else []
OUTBOUND_TRUSTED = frozenset([*env.names("OUTBOUND_TRUSTED"), *_OWN_HOSTS])
# Numbers may be bought at Twilio besides; without these four nothing of it is offered.
TWILIO_ACCOUNT_SID = env.text("TWILIO_ACCOUNT_SID", "")
TWILIO_AUTH_TOKEN = env.text("TWILIO_AUTH_TOKEN", "")
TWILIO_TRUNK_SID = env.text("TWILIO_TRUNK_SID", "")
TWILIO_TERMINATION_URI = env.text("TWILIO_TERMINATION_URI", "")
TWILIO_SIP_USERNAME = env.text("TWILIO_SIP_USERNAME", "")
TWILIO_SIP_PASSWORD = env.text("TWILIO_SIP_PASSWORD", "")
TWILIO_BASE_URL = env.text("TWILIO_BASE_URL", "")  # a stand-in; empty: Twilio itself
WEBHOOK_MAX_BYTES = env.integer("WEBHOOK_MAX_BYTES", 10_000_000, at_least=1000)
WEBHOOK_SOURCES = env.networks("WEBHOOK_SOURCES")
RECORDINGS_COPY = env.flag("RECORDINGS_COPY")
RECORDINGS_DAYS = env.integer("RECORDINGS_DAYS", 365, at_least=1)
# How many drains share the inbox by the calls' ids: a process for each, `manage.py drain --shard N`.
DRAIN_SHARDS = env.integer("DRAIN_SHARDS", 1, at_least=1)
WEBHOOK_RETENTION_DAYS = env.integer("WEBHOOK_RETENTION_DAYS", 90, at_least=7)

# -- Safety ----------------------------------------------------------------------------------------

# What Prometheus sends to be told of /metrics; without it there is no such page.
METRICS_TOKEN = env.text("METRICS_TOKEN", "")
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CSP: dict[str, list[str]] = {
    "default-src": [CSP.SELF],
    "script-src": [CSP.SELF, CSP.NONCE],
    "style-src": [CSP.SELF, CSP.NONCE],
    "img-src": [CSP.SELF, "data:"],
    "media-src": [CSP.SELF, "blob:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "object-src": [CSP.NONE],
    "base-uri": [CSP.SELF],
    "form-action": [CSP.SELF],
    "frame-ancestors": [CSP.NONE],
}
# The back office's own scripts evaluate expressions and set styles; nothing of clients is shown there
# unescaped. The API's page only sets styles.
BACK_OFFICE_CSP: dict[str, list[str]] = SECURE_CSP | {
    "script-src": [CSP.SELF, CSP.UNSAFE_INLINE, CSP.UNSAFE_EVAL],
    "style-src": [CSP.SELF, CSP.UNSAFE_INLINE],
}
API_PAGE_CSP: dict[str, list[str]] = SECURE_CSP | {"style-src": [CSP.SELF, CSP.UNSAFE_INLINE]}
FIELD_ENCRYPTION_KEYS = env.names("FIELD_ENCRYPTION_KEYS")

# -- API -------------------------------------------------------------------------------------------

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.api.authentication.ApiKeyAuthentication",
        "allauth.headless.contrib.rest_framework.authentication.JWTTokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["accounts.api.parsers.JSONParser"],
    "DEFAULT_PAGINATION_CLASS": "accounts.api.pagination.NewestFirst",
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["rest_framework.throttling.UserRateThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": "600/min"},
    "NUM_PROXIES": 0,  # strangers are counted by their address, not by what they write of it
    "EXCEPTION_HANDLER": "accounts.api.problems.problem_handler",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "ConvoMono API",
    "DESCRIPTION": "Campaigns, leads, calls and money of AI phone campaigns.",
    "VERSION": "1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    # Several kinds of row have a status; without these the schema would number them.
    "ENUM_NAME_OVERRIDES": {
        "CallStatusEnum": "telephony.models.Call.Status",
        "CampaignStatusEnum": "campaigns.models.Campaign.Status",
        "ClientStatusEnum": "accounts.models.Client.Status",
        "ConsentKindEnum": "leads.models.Consent.Kind",
        "ImportStatusEnum": "leads.models.LeadImport.Status",
        "LanguageEnum": "campaigns.agent_choices.LANGUAGES",
    },
}

# The back office's import and export ask for the room's permission; the library's own default is nobody.
IMPORT_EXPORT_IMPORT_PERMISSION_CODE = "add"
IMPORT_EXPORT_EXPORT_PERMISSION_CODE = "view"

UNFOLD = {"SITE_TITLE": "ConvoMono", "SITE_HEADER": "ConvoMono", "SITE_SUBHEADER": "Back office"}

LOGGING = logging_config(as_json=env.flag("LOG_JSON"), level=env.text("LOG_LEVEL", "INFO"))
