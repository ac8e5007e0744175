"""Clients as the agency's list and page show them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Q

from accounts.models import Client, User

if TYPE_CHECKING:
    from django.db.models import QuerySet


def clients(*, search: str = "", status: str = "") -> QuerySet[Client]:
    """Return clients with their wallets, by name; `search` looks in name and e-mail."""
    rows = Client.objects.select_related("wallet").order_by("name", "pk")
    if search:
        rows = rows.filter(Q(name__icontains=search) | Q(contact_email__icontains=search))
    if status:
        rows = rows.filter(status=status)
    return rows


def people(client: Client) -> list[User]:
    """Return everybody who signs in for the client, by e-mail."""
    return list(User.objects.filter(client=client).order_by("email"))
