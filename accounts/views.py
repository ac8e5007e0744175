"""Where people land, and the small things every page offers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_not_required
from django.http import HttpResponseRedirect
from django.shortcuts import redirect
from django.templatetags.static import static
from django.utils.http import url_has_allowed_host_and_scheme
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
def favicon(_request: HttpRequest) -> HttpResponse:
    """Send browsers that ask at the old place to our icon."""
    return HttpResponseRedirect(static("img/icon.svg"))


@login_not_required
@require_POST
def set_theme(request: HttpRequest) -> HttpResponse:
    """Keep the chosen theme in a cookie and go back to the page it was chosen on."""
    back = request.POST.get("next", "")
    if not url_has_allowed_host_and_scheme(back, allowed_hosts={request.get_host()}):
        back = "/"
    response = HttpResponseRedirect(back)
    theme = request.POST.get("theme", "auto")
    if theme in THEMES:
        response.set_cookie("theme", theme, max_age=ONE_YEAR_SECONDS, samesite="Lax", httponly=True)
    return response
