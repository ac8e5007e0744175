"""The ASGI application: everything in the one-command run, and /ws/ in production."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "convomono.settings.production")
django_application = get_asgi_application()

from channels.routing import ProtocolTypeRouter

from reporting.consumers import socket_application
from webhooks.intake import asgi_intake

application = ProtocolTypeRouter(
    {"http": asgi_intake(django_application), "websocket": socket_application}
)
