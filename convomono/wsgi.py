"""The WSGI application: pages, API and webhook intake in production."""

from __future__ import annotations

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "convomono.settings.production")
django_application = get_wsgi_application()

from webhooks.intake import wsgi_intake

application = wsgi_intake(django_application)
