"""Settings of a rehearsal: production's, with plain HTTP and the sandbox allowed where asked for."""

from __future__ import annotations

from convomono.lib import env
from convomono.settings.production import *

SECURE_SSL_REDIRECT = env.flag("STAGING_SSL_REDIRECT", default=True)
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT
SECURE_HSTS_SECONDS = 3600
SECURE_HSTS_PRELOAD = False
