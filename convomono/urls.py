"""Every address of the product."""

from __future__ import annotations

from django.conf import settings
from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.csp import csp_override
from drf_spectacular.views import SpectacularSwaggerSplitView

import accounts.api.urls
import accounts.urls
import billing.api.urls
import billing.clients.urls
import billing.urls
import campaigns.api.urls
import campaigns.urls
import leads.api.urls
import leads.urls
import reporting.api.urls
import reporting.urls
import telephony.api.urls
import telephony.urls
import webhooks.urls
from accounts.access import agency_owner
from accounts.api.views import SchemaView
from convomono.lib.jobs import queue_pages

handler404 = "convomono.lib.outages.not_found"
handler500 = "convomono.lib.outages.server_error"
_ROOMS_OF_CLIENTS = (accounts, telephony, reporting, campaigns, leads, billing, webhooks)
_ROOMS_OF_THE_AGENCY = (reporting, billing.clients, telephony, campaigns, leads, billing, webhooks)
_ROOMS_WITH_API = (accounts, telephony, leads, billing, campaigns, reporting)

_client_face = [path("", include(room.urls.client_face)) for room in _ROOMS_OF_CLIENTS]
_agency_face = [path("", include(room.urls.agency_face)) for room in _ROOMS_OF_THE_AGENCY]
_client_api = [route for room in _ROOMS_WITH_API for route in room.api.urls.client_api]
_admin_api = [
    *billing.clients.urls.admin_api,
    *(route for room in _ROOMS_WITH_API for route in room.api.urls.admin_api),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", include(accounts.urls.shared)),
    path("", include(reporting.urls.probes)),
    path("", include(webhooks.urls.probes)),
    path("", include(billing.urls.public)),
    path("", include(campaigns.urls.public)),
    path("", include(accounts.urls.in_front)),
    path("account/", include(accounts.urls.account)),
    path("_allauth/", include("allauth.headless.urls")),
    path("app/", include(_client_face)),
    path("agency/", include(_agency_face)),
    path("admin/queues/", include((queue_pages(agency_owner), "django_rq"))),
    path("admin/", admin.site.urls),
    path("api/v1/client/", include((_client_api, "api-client"))),
    path("api/v1/admin/", include((_admin_api, "api-admin"))),
    path("api/v1/schema/", SchemaView.as_view(), name="api-schema"),
    path(
        "api/v1/docs/",
        csp_override(settings.API_PAGE_CSP)(
            SpectacularSwaggerSplitView.as_view(url_name="api-schema")
        ),
        name="api-docs",
    ),
]

if settings.SHOW_STYLEGUIDE:
    from convomono.lib.styleguide import styleguide

    urlpatterns.append(path("styleguide/", styleguide, name="styleguide"))
