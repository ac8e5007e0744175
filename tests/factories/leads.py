"""The least valid rows of the leads room, files as bytes, and a campaign for imports to aim at."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import factory
from factory.django import DjangoModelFactory

from campaigns.lead_door import LeadDoor
from leads.imports.columns import guess_mapping
from leads.imports.targets import AskedVariable, find_target
from leads.models import Consent, Lead, MarkSet, Suppression
from leads.models.people import key_of, marks_of
from leads.services.imports import check_import, commit_import, start_import
from leads.services.marks import know_marks
from leads.services.people import ConsentStatement
from leads.services.suppressions import scope_key
from tests.factories.accounts import NOW, ClientFactory

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from leads.imports.targets import EnrolRow
    from leads.models import LeadImport

CONSENT = ConsentStatement("written", "Web form", "Yes, call me.", NOW)


def _searchable(row: Any) -> str:
    names = ("first_name", "last_name", "company", "email", "phone_number")
    said = [str(getattr(row, name, "")) for name in names]
    return " ".join(filter(None, said)).casefold() + " "


def _marks_key(row: Any) -> str:
    zones = (
        [zone] if (zone := getattr(row, "time_zone", "")) else getattr(row, "zone_candidates", [])
    )
    return key_of(marks_of(getattr(row, "tags", []), zones))


def all_marks_known() -> bool:
    """Tell whether a tag and a zone find every lead: its marks are its own, and a set has them."""
    sets = dict(MarkSet.objects.values_list("key", "marks"))
    return all(
        (sets.get(lead.marks_key) or "") == lead.marks and key_of(lead.marks) == lead.marks_key
        for lead in Lead.objects.all()
    )


def _number(n: int) -> str:
    """Return a number kept for fiction; 212 is left to tests that name their own."""
    area = 200 + n // 100 % 800
    return f"+1{area if area != 212 else 999}5550{100 + n % 100}"


def _scope_key(row: Any) -> str:
    return scope_key(
        level=row.level,
        client_id=row.client.pk if row.client else None,
        campaign_id=getattr(row, "campaign_id", None),
        phone_number=row.phone_number,
    )


class LeadFactory(DjangoModelFactory[Lead]):
    """A lead with a fictional number and consent."""

    client = factory.SubFactory(ClientFactory)
    phone_number = factory.Sequence(_number)
    country = "US"
    consent_status = "given"
    search_text = factory.LazyAttribute(_searchable)
    created_at = NOW
    updated_at = NOW
    marks_key = factory.LazyAttribute(_marks_key)

    class Meta:
        model = Lead

    @classmethod
    def _create(cls, model_class: type[Lead], *args: Any, **kwargs: Any) -> Lead:
        lead: Lead = super()._create(model_class, *args, **kwargs)
        know_marks([lead])
        return lead


class ConsentFactory(DjangoModelFactory[Consent]):
    """A written consent of a lead."""

    lead = factory.SubFactory(LeadFactory)
    client = factory.SelfAttribute("lead.client")
    kind = "written"
    source = "Web form"
    given_at = NOW
    recorded_by_email = "alice@acme.test"
    created_at = NOW

    class Meta:
        model = Consent


class SuppressionFactory(DjangoModelFactory[Suppression]):
    """A number on a client's do-not-call list."""

    level = "client"
    client = factory.SubFactory(ClientFactory)
    phone_number = factory.Sequence(lambda n: f"+13125550{100 + n % 100}")
    scope_key = factory.LazyAttribute(_scope_key)
    source = "person"
    created_at = NOW

    class Meta:
        model = Suppression


@dataclass
class FakeTarget:
    """A campaign in memory, as an import sees one."""

    campaign_id: UUID
    client_id: UUID
    name: str = "Spring"
    variables: Sequence[str] = ()
    asked: Mapping[str, AskedVariable] = field(default_factory=dict)
    enrolled: dict[str, EnrolRow] = field(default_factory=dict)
    elsewhere: dict[UUID, str] = field(default_factory=dict)

    def already_enrolled(self, lead_ids: Iterable[UUID]) -> set[UUID]:
        return set(lead_ids) & {row.lead_id for row in self.enrolled.values()}

    def active_elsewhere(self, lead_ids: Iterable[UUID]) -> dict[UUID, str]:
        return {pk: self.elsewhere[pk] for pk in lead_ids if pk in self.elsewhere}

    def enrol(self, *, rows: Sequence[EnrolRow], now: datetime) -> int:
        before = len(self.enrolled)
        for row in rows:
            self.enrolled.setdefault(row.phone_number, row)
        return len(self.enrolled) - before

    def opens_at(
        self, *, country: str, state: str, zones: Sequence[str], now: datetime
    ) -> datetime | None:
        return now + timedelta(hours=2)

    def find(self, *, client_id: UUID, campaign_id: UUID) -> FakeTarget | None:
        """Be a factory that knows this campaign alone."""
        return self if (client_id, campaign_id) == (self.client_id, self.campaign_id) else None


class FakeDoor(LeadDoor):
    """The campaigns' own door, which lets go of those in the campaign in memory as well."""

    def __init__(self, target: FakeTarget) -> None:
        self.target = target

    def withdraw(self, *, lead_ids: Sequence[UUID], campaign_id: UUID | None) -> set[UUID]:
        enrolled = self.target.enrolled
        gone = {row.lead_id: number for number, row in enrolled.items() if row.lead_id in lead_ids}
        if campaign_id not in {None, self.target.campaign_id}:
            gone = {}
        for number in gone.values():
            del enrolled[number]
        return {*gone, *super().withdraw(lead_ids=lead_ids, campaign_id=campaign_id)}


def upload(
    user: Any,
    content: bytes | str,
    *,
    campaign_id: UUID | None = None,
    consent: ConsentStatement | None = CONSENT,
    file_name: str = "leads.csv",
) -> LeadImport:
    """Upload a file as this person."""
    data = content.encode() if isinstance(content, str) else content
    return start_import(
        client=user.client,
        campaign_id=campaign_id,
        file_name=file_name,
        stream=io.BytesIO(data),
        consent=consent,
        actor=user,
        now=NOW,
    )


def ask_check(lead_import: LeadImport, **options: Any) -> None:
    """Ask for the dry run with the guessed mapping and these options."""
    target = find_target(client_id=lead_import.client_id, campaign_id=lead_import.campaign_id)
    mapping = guess_mapping(
        lead_import.detected, variables=target.variables if target else (), remembered=None
    )
    check_import(
        lead_import=lead_import,
        mapping=mapping,
        options=lead_import.options | options,
        now=NOW,
        real_now=datetime.now(UTC),  # noqa: TID251  # real time, as the edge passes it
    )


def ask_commit(lead_import: LeadImport, user: Any) -> None:
    """Ask for the commit of what was checked."""
    lead_import.refresh_from_db()
    commit_import(
        lead_import=lead_import,
        actor=user,
        now=NOW,
        real_now=datetime.now(UTC),  # noqa: TID251  # real time, as the edge passes it
    )
