"""Settings of the test suite: a database and a Valkey of its own, quick passwords, nothing leaves the machine."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from convomono.lib import env
from convomono.settings.base import *
from convomono.settings.logs import logging_config

# A folder for each process of pytest-xdist. tests/conftest.py makes it and takes it away.
TEST_DIR = Path(tempfile.gettempdir()) / f"convomono-test-{os.getpid()}"
STATIC_ROOT = TEST_DIR / "static"
TESTING = True
SECRET_KEY = "test-only-and-long-enough-for-the-hash-of-a-token"
ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
FIELD_ENCRYPTION_KEYS = ["ZGV2ZWxvcG1lbnQtb25seS1rZXktbm90LXNlY3JldC0="]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}
STORAGES["default"]["OPTIONS"] = {"location": str(TEST_DIR / "files")}
if ON_MONGODB:
    # The test servers are slow: `dev.py test` starts one for each worker of pytest-xdist.
    if servers := env.names("TEST_MONGODB_URLS"):
        worker = int(env.text("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
        DATABASES["default"]["HOST"] = servers[worker % len(servers)]
else:
    # A file and not memory: races need several connections, and WAL.
    DATABASES["default"]["TEST"] = {"NAME": str(TEST_DIR / "test.sqlite3")}
    DATABASES["default"]["OPTIONS"]["init_command"] += "PRAGMA synchronous=OFF;"
# tests/conftest.py starts a Valkey there unless TEST_REDIS_URL names a server.
REDIS_URL = env.text("TEST_REDIS_URL", f"unix://{TEST_DIR / 'valkey.sock'}")
CACHES = {
    name: {"BACKEND": "django.core.cache.backends.locmem.LocMemCache", "LOCATION": name}
    for name in CACHES
}
RQ_QUEUES = {name: {"URL": REDIS_URL} for name in RQ_QUEUES}
RETELL_API_KEY = "test"
RETELL_WEBHOOK_KEY = "key_test_convomono_webhook"
RETELL_WEBHOOK_KEY_PREVIOUS = ""
METRICS_TOKEN = ""
RETELL_BASE_URL = "http://127.0.0.1:9"
TWILIO_ACCOUNT_SID = TWILIO_AUTH_TOKEN = TWILIO_TRUNK_SID = TWILIO_TERMINATION_URI = ""
TWILIO_SIP_USERNAME = TWILIO_SIP_PASSWORD = TWILIO_BASE_URL = ""
SANDBOX = True
SHOW_STYLEGUIDE = True
LOGGING = logging_config(as_json=False, level="WARNING")
WHITENOISE_AUTOREFRESH = True
INSTALLED_APPS += ["convomono.demo"]
