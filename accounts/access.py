"""Who may see and do what: the gate in front of every page and every row."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Concatenate, cast

from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.http import Http404, HttpRequest

from accounts.models import User

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.db.models import Model, QuerySet
    from django.http import HttpResponseBase

    from accounts.models import Client, ClientOwnedQuerySet

_RANK = {User.ClientRole.VIEWER: 0, User.ClientRole.MANAGER: 1, User.ClientRole.OWNER: 2}


class UserRequest(HttpRequest):
    """A request of somebody who signed in."""

    user: User


class ClientRequest(UserRequest):
    """A request of one of a client's people; `tenant` is that client."""

    tenant: Client


type View[R: HttpRequest, **P] = Callable[Concatenate[R, P], HttpResponseBase]
type AnyView[**P] = Callable[Concatenate[HttpRequest, P], HttpResponseBase]


def _client_face[**P](view: View[ClientRequest, P], allowed: Callable[[User], bool]) -> AnyView[P]:
    @wraps(view)
    def gate(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        user = cast("User", request.user)
        # The agency's people see all rows: they come in through `acting` alone, as one of the client's.
        if user.is_agency_staff or user.client is None:
            raise PermissionDenied
        if not user.client.is_active or not allowed(user):
            raise PermissionDenied
        asked = cast("ClientRequest", request)
        asked.tenant = user.client
        return view(asked, *args, **kwargs)

    return gate


def client_viewer[**P](view: View[ClientRequest, P]) -> AnyView[P]:
    """Let in everybody of a client."""
    return _client_face(view, lambda user: user.client_role in _RANK)


def client_manager[**P](view: View[ClientRequest, P]) -> AnyView[P]:
    """Let in a client's managers and owners."""
    return _client_face(view, can_manage)


def client_launcher[**P](view: View[ClientRequest, P]) -> AnyView[P]:
    """Let in the people of a client who may spend its minutes."""
    return _client_face(view, lambda user: can_manage(user) and user.can_launch)


def client_owner[**P](view: View[ClientRequest, P]) -> AnyView[P]:
    """Let in a client's owners."""
    return _client_face(view, lambda user: user.client_role == User.ClientRole.OWNER)


def can_manage(user: User) -> bool:
    """Tell whether this person may change their client's campaigns and leads."""
    return user.client_role in {User.ClientRole.MANAGER, User.ClientRole.OWNER}


def may_take_out(user: User) -> bool:
    """
    Tell whether this person may have lists with numbers or money as a whole, as files or by program.

    A client's viewers look at the same rows, a page at a time.
    """
    return user.is_agency_staff or can_manage(user)


def agency_staff[**P](view: View[UserRequest, P]) -> AnyView[P]:
    """Let in the agency's people."""
    return _agency_face(view, lambda user: user.is_agency_staff)


def agency_owner[**P](view: View[UserRequest, P]) -> AnyView[P]:
    """Let in the super admins."""
    return _agency_face(view, lambda user: user.role == User.Role.SUPER_ADMIN)


def agency_permission[**P](
    *names: str,
) -> Callable[[View[UserRequest, P]], AnyView[P]]:
    """Let in the agency's people who hold any of the named ones of the five admin permissions."""

    def decorate(view: View[UserRequest, P]) -> AnyView[P]:
        return _agency_face(view, lambda user: any(map(user.has_agency_permission, names)))

    return decorate


def _agency_face[**P](view: View[UserRequest, P], allowed: Callable[[User], bool]) -> AnyView[P]:
    @wraps(view)
    def gate(request: HttpRequest, /, *args: P.args, **kwargs: P.kwargs) -> HttpResponseBase:
        user = cast("User", request.user)
        if not allowed(user):
            raise PermissionDenied
        return view(cast("UserRequest", request), *args, **kwargs)

    return gate


def get_visible_or_404[Row: Model](
    request: UserRequest, rows: ClientOwnedQuerySet[Row], row_id: UUID
) -> Row:
    """
    Fetch a client's row for this person.

    :raises Http404: if it doesn't exist, or is another client's: nobody learns which
    """
    return get_or_404(rows.visible_to(request.user), row_id)


def get_or_404[Row: Model](rows: QuerySet[Row], row_id: UUID) -> Row:
    """
    Fetch a row that is scoped already, or that only the agency sees.

    :raises Http404: if it isn't among the rows
    """
    try:
        return rows.get(pk=row_id)
    except (ObjectDoesNotExist, ValidationError):
        raise Http404 from None
