"""The style guide: every component in every state, for developers and tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.decorators import login_not_required
from django.shortcuts import render

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse


@login_not_required
def styleguide(request: HttpRequest) -> HttpResponse:
    """Show the style guide."""
    return render(request, "styleguide/index.html")
