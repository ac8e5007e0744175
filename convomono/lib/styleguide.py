"""The style guide's page: each component in each state, in both themes; for development and tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth.decorators import login_not_required
from django.core.paginator import Paginator
from django.shortcuts import render
from django.views.decorators.http import require_GET

from convomono.lib.charts import Point, bar_chart, line_chart, share_chart
from convomono.lib.status_looks import STATUS_LOOKS

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

THEMES = ("light", "dark")
_NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
_DIALS = (310, 482, 455, 530, 618, 120, 64, 402, 515, 560, 611, 640, 98, 70)


class SpecimenForm(forms.Form):
    """One field of each kind."""

    name = forms.CharField(label="Campaign", help_text="Only your team sees this.", max_length=80)
    email = forms.EmailField(label="Reply to", required=False)
    country = forms.ChoiceField(
        label="Default country", choices=[("US", "United States"), ("GB", "United Kingdom")]
    )
    script = forms.CharField(label="Script", widget=forms.Textarea(attrs={"rows": 3}))
    mode = forms.ChoiceField(
        label="Duplicates",
        choices=[("skip", "Keep the lead as it is"), ("update", "Fill in what is missing")],
        widget=forms.RadioSelect,
    )
    consent = forms.BooleanField(
        label="These people agreed to be called", help_text="We keep the statement."
    )
    leads = forms.FileField(label="Spreadsheet", required=False, help_text="CSV, up to 512 MB.")


class SpecimenFilters(forms.Form):
    q = forms.CharField(label="Search", required=False, widget=forms.SearchInput)
    status = forms.ChoiceField(
        label="Status",
        required=False,
        choices=[("", "Any"), ("running", "Running"), ("paused", "Paused")],
    )


@login_not_required
@require_GET
def styleguide(request: HttpRequest) -> HttpResponse:
    return render(
        request, "styleguide/styleguide.html", {"specimens": [specimen(theme) for theme in THEMES]}
    )


def specimen(theme: str) -> dict[str, Any]:
    """Return everything that `styleguide/specimens.html` shows; ids begin with the theme."""
    refused = SpecimenForm(
        {"email": "not an address", "mode": "skip"}, auto_id=f"{theme}_refused_%s"
    )
    return {
        "theme": theme,
        "statuses": list(STATUS_LOOKS),
        "form": SpecimenForm(
            auto_id=f"{theme}_%s",
            initial={"mode": "skip", "script": "Hello {{first_name}}, this is Mia from Acme."},
        ),
        "refused": refused,
        "filters": SpecimenFilters(auto_id=f"{theme}_filter_%s"),
        "page": Paginator(range(240), 50).page(2),
        "columns": [{"label": "Lead"}, {"label": "Status"}, {"label": "Attempts", "numeric": True}],
        "rows": _rows(),
        "tabs": [
            {"label": "Overview", "url": "#", "current": True},
            {"label": "Leads", "url": "#", "count": 1204},
            {"label": "Calls", "url": "#", "count": 0},
        ],
        "steps": [
            {"label": "File", "state": "done", "url": "#"},
            {"label": "Columns", "state": "current"},
            {"label": "Check", "state": "todo"},
            {"label": "Import", "state": "todo"},
        ],
        "timeline": _timeline(),
        "turns": _turns(),
        "bars": bar_chart(
            chart_id=f"{theme}-bars",
            title="Dials a day",
            category="Day",
            name="Dials",
            points=_days(),
        ),
        "lines": line_chart(
            chart_id=f"{theme}-lines",
            title="Connect and pick-up rate",
            category="Day",
            names=["Connect rate", "Pick-up rate"],
            points=[
                Point(f"{day} Mar", (value / 12, value / 21)) for day, value in enumerate(_DIALS, 1)
            ],
            text=lambda value: f"{value:.0f}%",
        ),
        "share": share_chart(
            chart_id=f"{theme}-share",
            title="Outcomes of 1,204 dials",
            parts=[
                ("Human", 361, "#human"),
                ("Machine", 244, "#machine"),
                ("Number trouble", 31),
                ("No contact", 512),
                ("Technical", 12),
                ("Not placed", 44),
            ],
        ),
    }


def _days() -> list[tuple[str, float]]:
    return [(f"{day} Mar", float(value)) for day, value in enumerate(_DIALS, 1)]


def _rows() -> list[list[dict[str, Any]]]:
    people = (
        ("Ada Byron", "in_call", 1),
        ("Grace Murray", "done", 2),
        ("Alan <Turing>", "suppressed", 0),
    )
    return [
        [{"text": name, "url": "#"}, {"status": status}, {"text": attempts, "numeric": True}]
        for name, status, attempts in people
    ]


def _timeline() -> list[dict[str, Any]]:
    return [
        {"title": "Queued", "at": _NOON, "icon": "queue-list"},
        {
            "title": "Decided: dial now",
            "text": "14:00 in Chicago, window 9:00–20:00",
            "tone": "ok",
            "icon": "check",
            "at": _NOON + timedelta(seconds=2),
        },
        {"title": "Answered", "offset": "+6,240 ms", "tone": "accent", "icon": "phone"},
        {
            "title": "Billed",
            "text": "74 s, 1.23 minutes",
            "offset": "+81,120 ms",
            "tone": "info",
            "icon": "banknotes",
        },
    ]


def _turns() -> list[dict[str, Any]]:
    return [
        {
            "speaker": "agent",
            "text": "Hi Ada, this is Mia, an AI assistant calling for Acme Solar.",
            "at_seconds": 0,
        },
        {"speaker": "user", "text": "Oh hello. What is this about?", "at_seconds": 6},
        {
            "speaker": "agent",
            "text": "You asked for a quote on our site. Shall we find a time for a visit?",
            "at_seconds": 9,
        },
    ]
