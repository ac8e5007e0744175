"""Where people land, and the small things every page offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import redirect
from django.templatetags.static import static
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

from accounts.context import THEMES

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.access import UserRequest

ONE_YEAR_SECONDS = 365 * 24 * 3600


@require_GET
def home(request: UserRequest) -> HttpResponse:
    """Send people to the face that is theirs."""
    return redirect("agency-reporting:home" if request.user.is_agency_staff else "reporting:home")


@login_not_required
@require_GET
def back_office_sign_in(request: HttpRequest) -> HttpResponse:
    """
    Stand in for the Django admin's sign-in, which asks for no code and counts no wrong passwords.

    Strangers sign in where everybody does and come back; who is signed in already goes on, or is refused.
    """
    back = _safe_address(request, request.GET.get("next", ""), otherwise=reverse("admin:index"))
    if not request.user.is_authenticated:
        return redirect_to_login(back)
    if not request.user.is_staff:
        raise PermissionDenied
    return HttpResponseRedirect(back)


@login_not_required
@csrf_exempt
def no_such_page(_request: HttpRequest) -> HttpResponse:
    """Answer 404 where a library would offer what isn't ours to offer."""
    raise Http404


@login_not_required
@require_GET
def favicon(_request: HttpRequest) -> HttpResponse:
    """Send browsers that ask at the old place to our icon."""
    return HttpResponseRedirect(static("img/icon.svg"))


@login_not_required
@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen theme in a cookie and go back to the page it was chosen on."""
    back = _safe_address(request, request.POST.get("next", ""), otherwise="/")
    response = HttpResponseRedirect(back)
    theme = request.POST.get("theme", "auto")
    if theme in THEMES:
        response.set_cookie("theme", theme, max_age=ONE_YEAR_SECONDS, samesite="Lax", httponly=True)
    return response


def _safe_address(request: HttpRequest, address: str, *, otherwise: str) -> str:
    """Return the address if it is one of our own pages."""
    is_ours = url_has_allowed_host_and_scheme(
        address, allowed_hosts={request.get_host()}, require_https=request.is_secure()
    )
    return address if is_ours else otherwise
