"""What the product has told somebody: a page for each face, and that it was seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from accounts.access import agency_staff, client_viewer
from accounts.context import notifications_url
from accounts.notifications import mark_seen, notifications_of, unread_count
from convomono.lib import clock
from convomono.lib.htmx import render_page
from convomono.lib.pages import list_page

if TYPE_CHECKING:
    from django.http import HttpResponse

    from accounts.access import ClientRequest, UserRequest


@client_viewer
@require_GET
def client_notifications(request: ClientRequest) -> HttpResponse:
    return _page(request, layout="layouts/app.html", face="reporting")


@client_viewer
@require_GET
def client_bell(request: ClientRequest) -> HttpResponse:
    return _bell(request)


@client_viewer
@require_POST
def client_seen(request: ClientRequest) -> HttpResponse:
    mark_seen(user=request.user, now=clock.now())
    return redirect("reporting:notifications")


@agency_staff
@require_GET
def agency_notifications(request: UserRequest) -> HttpResponse:
    return _page(request, layout="layouts/agency.html", face="agency-reporting")


@agency_staff
@require_GET
def agency_bell(request: UserRequest) -> HttpResponse:
    return _bell(request)


@agency_staff
@require_POST
def agency_seen(request: UserRequest) -> HttpResponse:
    mark_seen(user=request.user, now=clock.now())
    return redirect("agency-reporting:notifications")


def _bell(request: UserRequest) -> HttpResponse:
    bell = {"unread": unread_count(request.user), "url": notifications_url(request.user)}
    return render(request, "components/bell.html#bell", {"bell": bell})


def _page(request: UserRequest, *, layout: str, face: str) -> HttpResponse:
    seen_at = request.user.notifications_seen_at
    page = list_page(notifications_of(request.user), request.GET.get("page"))
    context = {
        "layout": layout,
        "page": page,
        "rows": [(row, seen_at is None or row.created_at > seen_at) for row in page.rows],
        "seen_url": f"{face}:notifications-seen",
    }
    return render_page(
        request, "reporting/notification_list.html", context, partial="notification-list"
    )
