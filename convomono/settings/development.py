"""Settings of a trial or a developer's machine: runs with no variable set and says what it thinks."""

from __future__ import annotations

from urllib.parse import urlsplit

from convomono.lib import env
from convomono.settings.base import *

VAR_DIR.mkdir(parents=True, exist_ok=True)
STATIC_ROOT = VAR_DIR / "static"
DEBUG = env.flag("DEBUG")  # a trial shows the pages that people would see
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True
SECRET_KEY = env.text("SECRET_KEY", "only-for-development-and-never-for-anything-else-at-all")
FIELD_ENCRYPTION_KEYS = FIELD_ENCRYPTION_KEYS or ["ZGV2ZWxvcG1lbnQtb25seS1rZXktbm90LXNlY3JldC0="]
RETELL_BASE_URL = env.text("RETELL_BASE_URL", "http://127.0.0.1:8010")
RETELL_API_KEY = RETELL_API_KEY or "sandbox"
RETELL_WEBHOOK_KEY = RETELL_WEBHOOK_KEY or "sandbox-webhook"
SANDBOX = urlsplit(RETELL_BASE_URL).hostname in {"127.0.0.1", "localhost", "::1"}
OUTBOUND_TRUSTED |= {urlsplit(RETELL_BASE_URL).netloc} if SANDBOX else set()
RECORDINGS_COPY = RECORDINGS_COPY or SANDBOX  # the trial's calls can be listened to
MAILERS = {  # nothing leaves the machine: each e-mail is a file one can open
    "default": {
        "BACKEND": "django.core.mail.backends.filebased.EmailBackend",
        "OPTIONS": {"file_path": VAR_DIR / "mail"},
    }
}
SHOW_DEMO_SIGN_INS = True
SHOW_STYLEGUIDE = True
INSTALLED_APPS += ["convomono.demo"]
