"""Reads for the screens of the leads room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from leads.models import LeadImport, Suppression

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet

    from accounts.models import Client


def suppressions_matching(*, client: Client, q: str) -> QuerySet[Suppression]:
    """Return the client's own do-not-call entries, newest first; `q` is a part of the number."""
    rows = Suppression.objects.filter(client=client)
    if digits := "".join(filter(str.isdecimal, q)):
        rows = rows.filter(phone_number__contains=digits)
    return rows.order_by("-created_at", "-pk")


def import_choices(*, client_id: UUID) -> list[tuple[str, str]]:
    """Return the client's latest imports for a filter: id, and file with its day."""
    rows = LeadImport.objects.filter(
        client_id=client_id, status=LeadImport.Status.COMMITTED
    ).order_by("-created_at", "-pk")
    return [
        (str(pk), _("%(file)s, %(day)s") % {"file": name, "day": at.strftime("%d %b")})
        for pk, name, at in rows.values_list("pk", "file_name", "created_at")[:25]
    ]
