"""With which status a page that has a form answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from django.http import HttpRequest

INVALID: Final = 422  # what was sent can't be taken as it is; the page says what to mend


def form_status(request: HttpRequest) -> int:
    """Return the status of a page that shows its form: 422 if the form was sent and comes back, else 200."""
    return INVALID if request.method == "POST" else 200
