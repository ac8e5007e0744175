"""The agency's home page and the health of the system."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET

from accounts.access import UserRequest, agency_staff
from billing.queries import books_light
from convomono.lib import clock
from convomono.lib.charts import Point, line_chart
from convomono.lib.htmx import render_page
from reporting.queries.health import system_health
from reporting.queries.homes import AgencyHome, agency_home

if TYPE_CHECKING:
    from django.http import HttpResponse

    from convomono.lib.charts import LineChart

MICROS = 1_000_000


@agency_staff
@require_GET
def home(request: UserRequest) -> HttpResponse:
    page = agency_home(now=clock.now())
    sees_money = request.user.has_agency_permission("view_finance")
    context = {
        "page": page,
        "sees_money": sees_money,
        "may_manage_clients": request.user.has_agency_permission("manage_clients"),
        "chart": _money_chart(page) if sees_money else None,
        "books": books_light() if sees_money else None,
    }
    return render_page(request, "reporting/agency_home.html", context, partial="home-figures")


def _money_chart(page: AgencyHome) -> LineChart:
    return line_chart(
        chart_id="margin",
        title=_("Charged and cost in the last 30 days"),
        category=_("Day"),
        names=(_("Charged"), _("Cost")),
        points=[
            Point(
                label=date_format(day.day, "j M"),
                values=(
                    day.figures.client_cost_micros / MICROS,
                    day.figures.retell_cost_micros / MICROS,
                ),
            )
            for day in page.history
        ],
        text=lambda value: f"${value:,.2f}",
    )


@agency_staff
@require_GET
def health(request: UserRequest) -> HttpResponse:
    found = system_health(now=clock.now(), real_now=clock.real_now(), folder=settings.VAR_DIR)
    context = {"health": found}
    return render_page(request, "reporting/health.html", context, partial="health-table")
