"""What open pages show, part by part: the same templates that their pages are made of."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import ZoneInfo

from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone

from accounts.context import notifications_url
from accounts.models import Client, User
from accounts.notifications import topic_of, unread_count
from billing.balances import balance_of
from billing.models import Wallet
from billing.queries import wallet_overview
from billing.services import current_rate
from campaigns.leasing import lease_look
from campaigns.models import Campaign
from campaigns.queries.agency_live import agency_live
from campaigns.queries.calls import call_page
from campaigns.queries.live import live_page
from convomono.lib import clock, live
from reporting.queries.homes import agency_home, client_home
from telephony.models import Call

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime
    from uuid import UUID

type Fragments = dict[str, str]  # HTML by the id of the element that it replaces
_NEWS = count(1)


@dataclass(frozen=True)
class Rights:
    """Of a client's person, what decides how a part looks; equal ones share one rendering."""

    client_id: UUID
    zone: str
    may_manage: bool
    may_launch: bool


class Part:
    """
    A piece of a page that changes by itself; equal parts are rendered once.

    `topics` are what it changes with, `gap` the seconds between two renderings at least, `stale` those
    after which it is read again without news (None: as the hub does). `render` returns the HTML of each
    element by its id. Where `pages_ask`, it makes each page ask for its own rows, one after another.
    """

    gap: ClassVar[float] = 0.3
    stale: ClassVar[float | None] = None
    pages_ask: ClassVar[bool] = False

    @property
    def topics(self) -> tuple[str, ...]:
        raise NotImplementedError

    def render(self, *, now: datetime) -> Fragments:
        raise NotImplementedError

    def spoken(self, _turns: list[dict[str, Any]]) -> Fragments:
        """Return what shows the turns of a call in progress; most parts show none."""
        return {}


def fragments(names: Mapping[str, str], context: dict[str, Any]) -> Fragments:
    """Render each element: its id is the name of the partial too (`house-style`: three places)."""
    return {
        element: render_to_string(f"{template}#{element}", context)
        for element, template in names.items()
    }


@dataclass(frozen=True)
class NewsPart(Part):
    """
    Makes pages of lists ask for their rows: what each of them shows depends on its filters and page.

    Each rendering is another one, so whoever is sent it asks.
    """

    topic: str
    gap: ClassVar[float] = 1.0
    stale: ClassVar[float | None] = 30.0
    pages_ask: ClassVar[bool] = True

    @property
    def topics(self) -> tuple[str, ...]:
        return (self.topic,)

    def render(self, *, now: datetime) -> Fragments:
        return fragments({"changes": "components/changes.html"}, {"number": next(_NEWS)})


@dataclass(frozen=True)
class BellPart(Part):
    """How many notifications are new to one person."""

    user_id: UUID
    client_id: UUID | None  # None: of the agency

    @property
    def topics(self) -> tuple[str, ...]:
        return (topic_of(self.client_id),)

    def render(self, *, now: datetime) -> Fragments:
        user = User.objects.filter(pk=self.user_id).first()
        if user is None:  # deleted: their sockets close within seconds
            return {}
        bell = {"unread": unread_count(user), "url": notifications_url(user)}
        return fragments({"bell": "components/bell.html"}, {"bell": bell})


@dataclass(frozen=True)
class BalancePart(Part):
    """What is left of a client's minutes while its calls talk."""

    client_id: UUID

    @property
    def topics(self) -> tuple[str, ...]:
        return (live.topic("client", self.client_id),)

    def render(self, *, now: datetime) -> Fragments:
        wallet = Wallet.objects.filter(client_id=self.client_id).first()
        if wallet is None:
            return {}
        context = {"balance": balance_of(wallet, now=now), "url": reverse("billing:wallet")}
        return fragments({"balance": "components/balance.html"}, context)


@dataclass(frozen=True)
class WalletPart(Part):
    """The figures above a client's ledger."""

    client_id: UUID
    gap: ClassVar[float] = 1.0

    @property
    def topics(self) -> tuple[str, ...]:
        return (live.topic("client", self.client_id),)

    def render(self, *, now: datetime) -> Fragments:
        client = Client.objects.select_related("wallet").get(pk=self.client_id)
        rate = current_rate(client=client, now=now)
        overview = wallet_overview(client=client, rate=rate, now=now)
        context = {"overview": overview, "balance": balance_of(overview.wallet, now=now)}
        return fragments({"wallet-stats": "billing/stats.html"}, context)


@dataclass(frozen=True)
class HomePart(Part):
    """The figures of a client's home page."""

    rights: Rights
    gap: ClassVar[float] = 1.0

    @property
    def topics(self) -> tuple[str, ...]:
        return (live.topic("client", self.rights.client_id),)

    def render(self, *, now: datetime) -> Fragments:
        client = Client.objects.select_related("wallet").get(pk=self.rights.client_id)
        with timezone.override(ZoneInfo(self.rights.zone)):
            context = {
                "page": client_home(client=client, now=now),
                "client": client,
                "may_manage": self.rights.may_manage,
                "may_launch": self.rights.may_launch,
            }
            return fragments({"home-figures": "reporting/client_home.html"}, context)


@dataclass(frozen=True)
class AgencyHomePart(Part):
    """The figures of the agency's home page."""

    sees_money: bool
    may_manage_clients: bool
    gap: ClassVar[float] = 1.0

    @property
    def topics(self) -> tuple[str, ...]:
        return ("agency",)

    def render(self, *, now: datetime) -> Fragments:
        context = {
            "page": agency_home(now=now),
            "sees_money": self.sees_money,
            "may_manage_clients": self.may_manage_clients,
        }
        return fragments({"home-figures": "reporting/agency_home.html"}, context)


@dataclass(frozen=True)
class AgencyLivePart(Part):
    """Calls in progress by client, and the newest one by one, for the agency."""

    may_stop: bool

    ELEMENTS: ClassVar[dict[str, str]] = {
        "agency-gate": "campaigns/live_agency_head.html",
        "agency-lines": "campaigns/live_agency_tables.html",
        "agency-calls": "campaigns/live_agency_tables.html",
    }

    @property
    def topics(self) -> tuple[str, ...]:
        return ("agency",)

    def render(self, *, now: datetime) -> Fragments:
        context = {"page": agency_live(now=now), "may_stop": self.may_stop}
        return fragments(self.ELEMENTS, context)


@dataclass(frozen=True)
class CallPart(Part):
    """The page of a call; `speech_of` is Retell's id of it where what is said is shown at once."""

    call_id: UUID
    rights: Rights
    speech_of: str

    ELEMENTS: ClassVar[dict[str, str]] = {
        "call-state": "campaigns/call_state.html",
        "call-summary": "campaigns/call_said.html",
        "call-player": "campaigns/call_said.html",
        "call-transcript": "campaigns/call_said.html",
        "call-lookups": "campaigns/call_said.html",
        "call-outcome": "campaigns/call_outcome.html",
        "call-facts": "campaigns/call_facts.html",
        "call-timeline": "campaigns/call_facts.html",
    }

    @property
    def topics(self) -> tuple[str, ...]:
        named = (live.topic("call", self.call_id),)
        return (*named, live.topic("spoken", self.speech_of)) if self.speech_of else named

    def render(self, *, now: datetime) -> Fragments:
        call = Call.objects.get(pk=self.call_id, client_id=self.rights.client_id)
        with timezone.override(ZoneInfo(self.rights.zone)):
            page = call_page(call, now=now)
            context = {"page": page, "may_manage": self.rights.may_manage}
            return fragments(self.ELEMENTS, context)

    def spoken(self, turns: list[dict[str, Any]]) -> Fragments:
        names = {"call-transcript": "campaigns/call_said.html"}
        return fragments(names, {"page": {"turns": turns}})


@dataclass(frozen=True)
class CampaignPart(Part):
    """The live page of a campaign."""

    campaign_id: UUID
    rights: Rights

    ELEMENTS: ClassVar[dict[str, str]] = {
        "campaign-why": "campaigns/live_head.html",
        "campaign-buttons": "campaigns/live_head.html",
        "campaign-progress": "campaigns/live_head.html",
        "campaign-figures": "campaigns/live_figures.html",
        "campaign-equation": "campaigns/equation.html",
        "on-line": "campaigns/live_calls.html",
        "just-ended": "campaigns/live_calls.html",
        "next-in-line": "campaigns/live_line.html",
        "launches": "campaigns/launches.html",
    }

    @property
    def topics(self) -> tuple[str, ...]:
        return (live.topic("campaign", self.campaign_id),)

    def render(self, *, now: datetime) -> Fragments:
        campaigns = Campaign.objects.select_related("top_up")
        campaign = campaigns.get(pk=self.campaign_id, client_id=self.rights.client_id)
        with timezone.override(ZoneInfo(self.rights.zone)):
            context = {
                "campaign": campaign,
                "page": live_page(
                    campaign,
                    now=now,
                    nobody_dials=lease_look.nobody_dials(real_now=clock.real_now()),
                ),
                "may_manage": self.rights.may_manage,
                "may_launch": self.rights.may_launch,
            }
            return fragments(self.ELEMENTS, context)
