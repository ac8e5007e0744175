"""The WSGI application: pages, API and webhook intake in production."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "convomono.settings.production")
application = get_wsgi_application()
