"""Views of a list that people keep."""

from __future__ import annotations

from typing import TYPE_CHECKING

from audit import actions
from audit.services import record
from convomono.lib.db import atomic
from leads.models import SavedView

if TYPE_CHECKING:
    from datetime import datetime

    from accounts.models import Client, User


@atomic
def save_view(
    *,
    client: Client,
    name: str,
    query: str,
    is_shared: bool,
    actor: User,
    now: datetime,
    of_list: str = SavedView.List.LEADS,
) -> SavedView:
    """Keep what the list shows under a name; the same name of the same person is written over."""
    owner = None if is_shared else actor
    view, _made = SavedView.objects.update_or_create(
        client=client,
        user=owner,
        name=name,
        of_list=of_list,
        defaults={"query": query, "created_by_email": actor.actor_email, "created_at": now},
    )
    record(actions.VIEW_SAVED, resource=view, actor=actor, now=now)
    return view


def may_forget(*, view: SavedView, user: User, may_manage: bool) -> bool:
    """Tell whether this person may delete a view: their own, or as a manager one that all see."""
    return may_manage if view.user_id is None else view.user_id == user.pk


@atomic
def delete_view(*, view: SavedView, actor: User, now: datetime) -> None:
    """Forget a view; what it showed stays."""
    record(actions.VIEW_DELETED, resource=view, actor=actor, now=now)
    SavedView.objects.filter(pk=view.pk).delete()
