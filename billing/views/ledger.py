"""What both faces show of a ledger: a page of lines, and all of them as a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import StreamingHttpResponse
from django.utils.text import slugify
from django.utils.translation import gettext as _

from billing import queries
from billing.forms import LedgerFilterForm
from billing.services import current_rate
from billing.usage import campaign_label
from convomono.lib.csvio import csv_lines

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from django.http import HttpRequest

    from accounts.models import Client

PAGE_SIZE = 50


def wallet_context(request: HttpRequest, *, client: Client, now: datetime) -> dict[str, Any]:
    """Return what a wallet's page shows, with the lines that the query string asks for."""
    form = LedgerFilterForm(request.GET)
    chosen = form.chosen
    paginator = queries.CappedPaginator(
        queries.ledger_lines(client=client, chosen=chosen), PAGE_SIZE
    )
    page = paginator.get_page(request.GET.get("page"))
    campaign_id = chosen.campaign_id
    rate = current_rate(client=client, now=now)
    return {
        "overview": queries.wallet_overview(client=client, rate=rate, now=now),
        "form": form,
        "chosen": chosen,
        "campaign_label": campaign_id
        and (campaign_label(client=client, campaign_id=campaign_id) or _("a campaign")),
        "page": page,
        "rows": queries.explained(page.object_list, client=client),
        "paginator": paginator,
    }


def ledger_file(request: HttpRequest, *, client: Client, now: datetime) -> StreamingHttpResponse:
    """Stream the lines that the query string asks for as CSV."""
    lines = queries.ledger_lines(client=client, chosen=LedgerFilterForm(request.GET).chosen)
    name = f"ledger-{slugify(client.name) or 'client'}-{now:%Y-%m-%d}.csv"
    return csv_file(queries.ledger_table(lines), name=name)


def csv_file(rows: Iterable[Iterable[object]], *, name: str) -> StreamingHttpResponse:
    """Stream rows as a CSV to keep, every cell safe for spreadsheets."""
    response = StreamingHttpResponse(
        (row.encode() for row in csv_lines(rows)), content_type="text/csv; charset=utf-8"
    )
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
