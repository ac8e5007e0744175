"""Who may watch which page live: looked at when a page opens, and again for as long as it is open."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from uuid import UUID

from django.contrib.auth import HASH_SESSION_KEY
from django.contrib.sessions.models import Session

from accounts.access import can_manage
from accounts.acting import SESSION_KEY as ACTING_KEY, acting_user, find_acting
from accounts.models import User
from campaigns.models import Campaign
from campaigns.queries.calls import shows_speech
from convomono.lib import live
from reporting.live.parts import (
    AgencyHomePart,
    AgencyLivePart,
    BalancePart,
    BellPart,
    CallPart,
    CampaignPart,
    HomePart,
    NewsPart,
    Rights,
    WalletPart,
)
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import datetime

    from accounts.models import ClientOwnedQuerySet
    from reporting.live.parts import Part

    type Ids = dict[str, UUID]  # of the address

SIGNED_OUT, KEPT_OUT, UNKNOWN = 4401, 4403, 4404
# The code after which pages connect again: what they may see has changed.
AFRESH = 1012
_AT_ONCE = 200
_PERMISSIONS = (
    "manage_clients",
    "manage_campaigns",
    "manage_phone_numbers",
    "manage_billing",
    "view_finance",
)


class Refused(Exception):
    """This person may not watch this page; `code` is what the socket is closed with."""

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


@dataclass(frozen=True)
class Pass:
    """Who opened a page, and what they might see then."""

    user_id: UUID
    session_key: str
    session_hash: str
    rights: tuple[object, ...]
    acting_id: str = ""  # of somebody of the agency who works as a client


def admit(
    *, user: Any, session: Any, page: str, ids: dict[str, UUID], real_now: datetime
) -> tuple[Pass, tuple[Part, ...]]:
    """
    Return the pass and the parts of a page for somebody.

    :raises Refused: if they aren't signed in, or may not see the page or its row
    """
    if not user.is_authenticated:
        raise Refused(SIGNED_OUT)
    if not _is_let_in(user):
        raise Refused(KEPT_OUT)
    acting_id = ""
    if page in _CLIENT_PAGES and user.is_agency_staff:
        acting_id = str(session.get(ACTING_KEY) or "")
        user = _as_client(user, acting_id, real_now) or user
    if page in _AGENCY_PAGES:
        may_enter, parts = user.is_agency_staff, _AGENCY_PAGES[page]
    else:
        may_enter, parts = user.client is not None, _CLIENT_PAGES[page]
    if not may_enter:
        raise Refused(KEPT_OUT)
    ticket = Pass(
        user.pk,
        session.session_key,
        session.get(HASH_SESSION_KEY, ""),
        _rights(user),
        acting_id,
    )
    return ticket, parts(user, ids)


def _as_client(user: User, acting_id: str, real_now: datetime) -> User | None:
    """Return the person as the client they work as; None if they don't (any more)."""
    try:
        session_id = UUID(acting_id)
    except ValueError:
        return None
    acting = find_acting(session_id=session_id, user=user, real_now=real_now)
    return None if acting is None else acting_user(user, acting)


def closing_codes(passes: Sequence[Pass], *, real_now: datetime) -> dict[Pass, int]:
    """Return the passes that no longer hold, each with the code to close with; a few queries."""
    keys = sorted({one.session_key for one in passes})
    users = sorted({one.user_id for one in passes})
    alive: set[str] = set()
    people: dict[UUID, User] = {}
    for some_keys in _slices(keys):
        sessions = Session.objects.filter(session_key__in=some_keys, expire_date__gt=real_now)
        alive |= set(sessions.values_list("session_key", flat=True))
    for some_users in _slices(users):
        rows = User.objects.filter(pk__in=some_users).select_related("client")
        people |= {row.pk: row for row in rows}
    codes = {
        one: _code(one, people.get(one.user_id), one.session_key in alive, real_now)
        for one in passes
    }
    return {one: code for one, code in codes.items() if code}


def _code(ticket: Pass, user: User | None, is_alive: bool, real_now: datetime) -> int:
    if user is None or not is_alive or not _is_let_in(user):
        return SIGNED_OUT
    if ticket.session_hash != user.get_session_auth_hash():
        return SIGNED_OUT  # the password was changed
    if ticket.acting_id:
        user = _as_client(user, ticket.acting_id, real_now) or user
    return 0 if ticket.rights == _rights(user) else AFRESH


def _slices[Value](values: Sequence[Value]) -> Iterable[Sequence[Value]]:
    return (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))


def _is_let_in(user: User) -> bool:
    return user.is_active and (user.client is None or user.client.is_active)


def _rights(user: User) -> tuple[object, ...]:
    granted = tuple(getattr(user, name) for name in _PERMISSIONS)
    return (user.role, user.client_id, user.client_role, user.can_launch, *granted)


# The pages


def _row(user: User, rows: ClientOwnedQuerySet[Any], row_id: UUID) -> Any:
    row = rows.visible_to(user).filter(pk=row_id).first()
    if row is None:
        raise Refused(UNKNOWN)
    return row


def _client_rights(user: User) -> Rights:
    assert user.client is not None
    return Rights(
        client_id=user.client.pk,
        zone=user.client.time_zone,
        may_manage=can_manage(user),
        may_launch=can_manage(user) and user.can_launch,
    )


def _client_chrome(user: User) -> tuple[Part, ...]:
    assert user.client is not None
    balance = BalancePart(user.client.pk)
    if getattr(user, "acted_for", None) is not None:
        return (balance,)  # the bell is of the client's people
    return (BellPart(user.pk, user.client.pk), balance)


def _agency_chrome(user: User) -> tuple[Part, ...]:
    return (BellPart(user.pk, None),)


def _client(user: User, _ids: Ids) -> tuple[Part, ...]:
    return _client_chrome(user)


def _client_lists(user: User, _ids: Ids) -> tuple[Part, ...]:
    assert user.client is not None
    return (NewsPart(live.topic("client", user.client.pk)), *_client_chrome(user))


def _client_home(user: User, _ids: Ids) -> tuple[Part, ...]:
    return (HomePart(_client_rights(user)), *_client_chrome(user))


def _client_wallet(user: User, _ids: Ids) -> tuple[Part, ...]:
    assert user.client is not None
    return (WalletPart(user.client.pk), *_client_chrome(user))


def _campaign(user: User, ids: Ids) -> tuple[Part, ...]:
    campaign = _row(user, Campaign.objects.all(), ids["campaign_id"])
    return (CampaignPart(campaign.pk, _client_rights(user)), *_client_chrome(user))


def _campaign_line(user: User, ids: Ids) -> tuple[Part, ...]:
    campaign = _row(user, Campaign.objects.all(), ids["campaign_id"])
    return (NewsPart(live.topic("campaign", campaign.pk)), *_client_chrome(user))


def _call(user: User, ids: Ids) -> tuple[Part, ...]:
    call = _row(user, Call.objects.all(), ids["call_id"])
    campaign = Campaign.objects.filter(pk=call.campaign_id, client_id=call.client_id).first()
    hears = campaign is not None and shows_speech(campaign) and not call.is_over
    speech_of = call.provider_call_id if hears else ""
    return (CallPart(call.pk, _client_rights(user), speech_of), *_client_chrome(user))


def _agency(user: User, _ids: Ids) -> tuple[Part, ...]:
    return _agency_chrome(user)


def _agency_lists(user: User, _ids: Ids) -> tuple[Part, ...]:
    return (NewsPart("agency"), *_agency_chrome(user))


def _agency_home(user: User, _ids: Ids) -> tuple[Part, ...]:
    home = AgencyHomePart(
        sees_money=user.has_agency_permission("view_finance"),
        may_manage_clients=user.has_agency_permission("manage_clients"),
    )
    return (home, *_agency_chrome(user))


def _agency_live(user: User, _ids: Ids) -> tuple[Part, ...]:
    return (AgencyLivePart(user.has_agency_permission("manage_campaigns")), *_agency_chrome(user))


_CLIENT_PAGES: dict[str, Callable[[User, Ids], tuple[Part, ...]]] = {
    "client": _client,
    "client-home": _client_home,
    "client-lists": _client_lists,
    "client-wallet": _client_wallet,
    "campaign": _campaign,
    "campaign-line": _campaign_line,
    "call": _call,
}
_AGENCY_PAGES: dict[str, Callable[[User, Ids], tuple[Part, ...]]] = {
    "agency": _agency,
    "agency-home": _agency_home,
    "agency-lists": _agency_lists,
    "agency-live": _agency_live,
}
