"""Settings of a real deployment: no default for a secret, HTTPS only, JSON logs, no sandbox."""

from __future__ import annotations

from urllib.parse import urlsplit

import sentry_sdk

from convomono.lib import clock, env
from convomono.settings.base import *
from convomono.settings.logs import logging_config

SECRET_KEY = env.text("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.names("SECRET_KEY_FALLBACKS")
ALLOWED_HOSTS = env.names("ALLOWED_HOSTS") or [urlsplit(PUBLIC_BASE_URL).hostname or ""]
CSRF_TRUSTED_ORIGINS = [PUBLIC_BASE_URL]
RETELL_API_KEY = env.text("RETELL_API_KEY")
RETELL_WEBHOOK_KEY = env.text("RETELL_WEBHOOK_KEY")

if not FIELD_ENCRYPTION_KEYS:
    raise env.EnvironmentInvalid(
        "FIELD_ENCRYPTION_KEYS is not set. .env.example says how to make one."
    )
if not VAR_DIR.is_absolute():
    # As a trial has it: each process would keep the files below the folder that it was started in.
    raise env.EnvironmentInvalid("VAR_DIR must begin with / in production, or not be set.")
if clock.CLOCK.factor != 1:
    raise env.EnvironmentInvalid("SANDBOX_CLOCK_FACTOR is for trials: unset it in production.")

# How many proxies of ours stand in front; each adds the address it saw. Limits go by it.
ALLAUTH_TRUSTED_PROXY_COUNT = env.integer("TRUSTED_PROXY_COUNT", 1, at_least=0)
REST_FRAMEWORK["NUM_PROXIES"] = ALLAUTH_TRUSTED_PROXY_COUNT
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = True
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True

STORAGES["staticfiles"] = {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
MAILERS = {
    "default": {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": env.text("EMAIL_HOST", "localhost"),
            "port": env.integer("EMAIL_PORT", 25, at_least=1),
            "username": env.text("EMAIL_USER", ""),
            "password": env.text("EMAIL_PASSWORD", ""),
            "use_tls": env.flag("EMAIL_USE_TLS"),
            # A server that hangs holds a page or a worker no longer than this, at each step.
            "timeout": env.integer("EMAIL_TIMEOUT", 10, at_least=1),
        },
    }
}
LOGGING = logging_config(
    as_json=env.flag("LOG_JSON", default=True), level=env.text("LOG_LEVEL", "INFO")
)

if dsn := env.text("SENTRY_DSN", ""):
    # Bodies and local variables hold numbers, transcripts and keys; neither hangs on the first option.
    sentry_sdk.init(
        dsn=dsn,
        send_default_pii=False,
        include_local_variables=False,
        max_request_body_size="never",
        traces_sample_rate=0.0,
    )
