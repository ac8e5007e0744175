"""A client's keys to the API, for its owners."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _, gettext_lazy as _lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import client_owner, get_visible_or_404
from accounts.api_keys import (
    KeyOver,
    MadeByAgency,
    MayNotLaunch,
    TooManyKeys,
    create_api_key,
    revoke_api_key,
    rotate_api_key,
)
from accounts.forms import ApiKeyForm
from accounts.models import ApiKey
from convomono.lib import clock
from convomono.lib.answers import form_status
from convomono.lib.pages import list_page

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest

_OWN_PEOPLE = _lazy(
    "Only the client's own owners make keys: one that is made here would outlive your time as the client."
)


@client_owner
@require_GET
def key_list(request: ClientRequest) -> HttpResponse:
    rows = ApiKey.objects.visible_to(request.user).order_by("-created_at", "-pk")
    page = list_page(rows, request.GET.get("page"))
    now = clock.real_now()
    context = {
        "page": page,
        "keys": [(key, _standing(key, is_open=key.is_open(now))) for key in page.rows],
        "may_launch": request.user.can_launch,
        "zone": request.tenant.time_zone,
    }
    return render(request, "accounts/key_list.html", context)


def _standing(key: ApiKey, *, is_open: bool) -> str:
    """Return in a word what a key is worth."""
    if key.revoked_at is not None:
        return "revoked"
    if not is_open:
        return "expired"
    return "replaced" if key.replaced_at else "active"


@client_owner
@require_http_methods(["GET", "POST"])
@never_cache
def key_create(request: ClientRequest) -> HttpResponse:
    form = ApiKeyForm(request.POST or None, may_launch=request.user.can_launch)
    if request.method == "POST" and form.is_valid():
        now = clock.real_now()
        try:
            key, secret = create_api_key(
                client=request.tenant,
                name=form.cleaned_data["name"],
                scope=form.cleaned_data["scope"],
                expires_at=form.expires_at(now),
                actor=request.user,
                now=now,
            )
        except TooManyKeys:
            form.add_error(None, _("Twenty keys work already. Revoke one first."))
        except MadeByAgency:
            form.add_error(None, _OWN_PEOPLE)
        else:
            return _shown(request, key, secret)
    status = form_status(request)
    return render(request, "accounts/key_create.html", {"form": form}, status=status)


@client_owner
@require_POST
@never_cache
def key_rotate(request: ClientRequest, api_key_id: UUID) -> HttpResponse:
    rows = ApiKey.objects.select_related("client")
    before = get_visible_or_404(request, rows, api_key_id)
    try:
        key, secret = rotate_api_key(key=before, actor=request.user, now=clock.real_now())
    except KeyOver:
        messages.error(request, _("This key was replaced, revoked or has expired: make a new one."))
    except MadeByAgency:
        messages.error(request, _OWN_PEOPLE)
    except MayNotLaunch:
        messages.error(request, _("This key launches: only who may launch makes another like it."))
    else:
        return _shown(request, key, secret, before=before)
    return redirect("accounts:api-key-list")


def _shown(
    request: ClientRequest, key: ApiKey, secret: str, *, before: ApiKey | None = None
) -> HttpResponse:
    """Show the secret; no other page ever does."""
    if before is not None:
        before.refresh_from_db()
    context = {
        "key": key,
        "secret": secret,
        "before": before,
        "zone": request.tenant.time_zone,
        "base_url": request.build_absolute_uri("/").rstrip("/"),
    }
    return render(request, "accounts/key_secret.html", context)


@client_owner
@require_POST
def key_revoke(request: ClientRequest, api_key_id: UUID) -> HttpResponse:
    key = get_visible_or_404(request, ApiKey.objects.all(), api_key_id)
    if revoke_api_key(key=key, actor=request.user, now=clock.real_now()):
        messages.success(request, _("“%s” is revoked: it opens nothing any more.") % key)
    return redirect("accounts:api-key-list")
