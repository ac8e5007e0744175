"""Verdicts that need the database: do-not-call, campaign, existing leads, consent."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta
from itertools import batched, chain
from typing import TYPE_CHECKING, NamedTuple

from django.utils.translation import gettext as _

from convomono.lib.phone import display_number
from convomono.lib.reading import rows_where_in
from leads.imports.cells import day_of, is_listed
from leads.imports.verdicts import (
    ACTIVE_ELSEWHERE,
    CONSENT_REVOKED,
    KEPT,
    OLD_CONSENT,
    OLD_SCRUB,
    TZ_UNCERTAIN,
    TZ_UNREAD,
    Verdict,
)
from leads.models import Lead
from leads.services.suppressions import listed_among, suppressed_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from uuid import UUID

    from leads.imports.rows import ReadRow
    from leads.imports.work import Work
    from leads.services.suppressions import Listed

OLD_CONSENT_AFTER = timedelta(days=548)  # an existing business relationship lasts 18 months
OLD_SCRUB_AFTER = timedelta(days=31)  # source: 47 CFR 64.1200(c)(2), the registry's copy
_QUESTION = 900  # numbers in one query
_CALLABLE = frozenset({Verdict.NEW, Verdict.UPDATE})


class Known(NamedTuple):
    """What a verdict needs to know of a lead that is there; a Lead has it too."""

    phone_number: str
    pk: UUID
    consent_status: str
    lead_import_id: UUID | None
    other_numbers: list[str]


def known_leads(work: Work, numbers: Sequence[str]) -> dict[str, Known]:
    """Return those of the numbers that are leads, without their names."""
    columns = ("phone_number", "id", "consent_status", "lead_import_id", "other_numbers")
    client_id = work.lead_import.client_id
    found = rows_where_in(Lead, "phone_number", numbers, columns, client_id=client_id)
    return {
        number: Known(number, pk, status, import_id, others)
        for number, pk, status, import_id, others in found
    }


def whole_leads(work: Work, numbers: Iterable[str]) -> dict[str, Lead]:
    """Return those of the numbers that are leads, whole."""
    found: dict[str, Lead] = {}
    for some in batched(numbers, _QUESTION):
        rows = Lead.objects.filter(client_id=work.lead_import.client_id, phone_number__in=some)
        found.update((lead.phone_number, lead) for lead in rows)
    return found


def judge(
    work: Work, rows: Sequence[ReadRow], known: Mapping[str, Known | Lead], *, now: datetime
) -> None:
    """
    Give each row without a verdict the first that holds, and its warnings.

    A lead that this very import made stands for another row of the file.
    """
    good: dict[str, ReadRow] = {}
    for row in rows:
        if not row.verdict and good.setdefault(row.e164, row) is not row:
            row.refuse(Verdict.DUP_FILE)  # a mended row, given another row's number
    lead_import = work.lead_import
    others = {number: _others(row, known.get(number)) for number, row in good.items()}
    suppressed = suppressed_numbers(
        client_id=lead_import.client_id,
        campaign_id=lead_import.campaign_id,
        phone_numbers=list(dict.fromkeys(chain(good, *filter(None, others.values())))),
    )
    lead_ids = [known[number].pk for number in good if number in known]
    enrolled, elsewhere = _in_campaigns(work, lead_ids)
    judges = ConsentDays(work, now.date())
    for number, row in good.items():
        lead = known.get(number)
        if listed := suppressed and listed_among((number, *others[number]), suppressed):
            row.refuse(Verdict(f"suppressed_{listed.level}"), reason=_why_listed(listed, number))
        elif lead is not None and judges.takes_back(row, lead):
            row.refuse(Verdict.NO_CONSENT, reason=_("The file says no: the consent is taken back."))
            row.warnings += (CONSENT_REVOKED,)
        elif row.said and is_listed(row.said.get("registry_listed", "")):
            row.refuse(Verdict.SUPPRESSED_REGISTRY, reason=judges.registry_reason(row))
        elif lead is not None and lead.pk in enrolled:
            row.refuse(Verdict.DUP_CAMPAIGN)
        else:
            judges.person(row, lead)
            if row.verdict in _CALLABLE:
                judges.warn(row)
                if lead is not None and lead.pk in elsewhere:
                    row.warnings += (f"{ACTIVE_ELSEWHERE}:{elsewhere[lead.pk]}",)


def warnings_of(rows: Iterable[ReadRow]) -> dict[str, int]:
    """Return how many of these judged rows have which warning."""
    return dict(Counter(chain.from_iterable(row.warnings for row in rows)))


def listed_among_rows(work: Work, rows: Iterable[ReadRow]) -> bool:
    """Tell whether somebody who was on no list when these rows were judged is on one by now."""
    kept = [row for row in rows if row.verdict in KEPT]
    return bool(
        kept
        and suppressed_numbers(
            client_id=work.lead_import.client_id,
            campaign_id=work.lead_import.campaign_id,
            phone_numbers=[one for row in kept for one in (row.e164, *_others(row, row.lead))],
        )
    )


def _others(row: ReadRow, lead: Known | Lead | None) -> list[str]:
    """Return the further numbers of a row's person: whoever is listed by one of them isn't called."""
    if lead is None or not lead.other_numbers:
        return row.others
    return [*row.others, *lead.other_numbers]


def _why_listed(listed: Listed, number: str) -> str:
    if listed.phone_number == number:
        return ""
    return _("Another number of this person is on a do-not-call list: %s.") % display_number(
        listed.phone_number
    )


def _in_campaigns(work: Work, lead_ids: list[UUID]) -> tuple[set[UUID], dict[UUID, str]]:
    if work.target is None or not lead_ids:
        return set(), {}
    return work.target.already_enrolled(lead_ids), work.target.active_elsewhere(lead_ids)


class ConsentDays:
    """The options of one import looked up once, and the verdicts on persons that they mean."""

    def __init__(self, work: Work, today: date) -> None:
        options = work.plan.options
        self.import_id, self.today = work.lead_import.pk, today
        self.skips_known = options["existing"] == "skip"
        self.by_row = bool(options.get("consent_by_row"))
        # Whether of two rows with one number one may be better than the other.
        self.takes_better = options["duplicates"] == "first" and bool(
            self.by_row or work.plan.variables
        )
        self.stated: date | None = None
        if options["consent_given_at"]:
            self.stated = datetime.fromisoformat(options["consent_given_at"]).date()

    def person(self, row: ReadRow, lead: Known | Lead | None) -> None:
        """Give the verdict on a row that nothing forbids to call."""
        status = lead.consent_status if lead is not None else ""
        if row.unfit:
            row.refuse(Verdict.VARIABLE_UNFIT, column=row.missing, reason=row.unfit)
        elif row.missing:
            row.refuse(
                Verdict.VARIABLE_MISSING,
                column=row.missing,
                reason=_("The script needs {{%s}}, and nothing fills it.") % row.missing,
            )
        elif lead is not None and lead.lead_import_id == self.import_id:
            row.refuse(Verdict.DUP_FILE)
        elif lead is not None and self.skips_known:
            row.refuse(Verdict.DUP_CLIENT)
        elif status == Lead.ConsentStatus.REVOKED:
            row.refuse(Verdict.NO_CONSENT, reason=_("This person took their consent back."))
        elif row.says_no:  # also of somebody who agreed before
            row.refuse(Verdict.NO_CONSENT, reason=_("The file says that this person didn't agree."))
        elif status != Lead.ConsentStatus.GIVEN and self.consent_on(row) is None:
            row.refuse(Verdict.NO_CONSENT, reason=self._why_none())
        elif lead is not None:
            row.refuse(Verdict.UPDATE)
        else:
            row.verdict = Verdict.NEW

    def takes_back(self, row: ReadRow, lead: Known | Lead) -> bool:
        """
        Tell whether a row takes back what a known lead agreed to before.

        It does whatever else is to become of the row: somebody who is in the campaign already, or is to
        be left alone, would be called for the older yes.
        """
        is_given = lead.consent_status == Lead.ConsentStatus.GIVEN
        return is_given and row.takes_back and lead.lead_import_id != self.import_id

    def is_good(self, row: ReadRow) -> bool:
        """Tell whether the file says of a row all that the script and the consent need."""
        return not row.missing and (not self.by_row or self.consent_on(row) is not None)

    def _why_none(self) -> str:
        return _("The file doesn't say that and when this person agreed.") if self.by_row else ""

    def consent_on(self, row: ReadRow) -> date | None:
        """
        Return the day of the row's consent: what its own columns say before the statement for all.

        A no in the file is never a yes, whatever is stated.
        """
        if not row.said:
            return self.stated
        if row.says_no or (self.by_row and row.said.get("consent_given") == ""):
            return None
        if self.stated is None and not self.by_row:
            return None
        day = row.consent_day()
        return day if day is not None and day <= self.today + timedelta(days=1) else self.stated

    def registry_reason(self, row: ReadRow) -> str:
        checked = day_of(row.said.get("registry_on", ""), row.line.country)
        if checked is None or checked > self.today + timedelta(days=1):
            return _("The number is on a do-not-call registry; the file doesn't say as of when.")
        return _("The number is on a do-not-call registry, as checked %(days)d days ago.") % {
            "days": max((self.today - checked).days, 0)
        }

    def warn(self, row: ReadRow) -> None:
        """Note on a row that is kept what should be known of it."""
        if len(row.zones) > 1:
            row.warnings += (TZ_UNCERTAIN,)
        if row.zone_unread:
            row.warnings += (TZ_UNREAD,)
        consent = self.consent_on(row)
        if consent is not None and self.today - consent > OLD_CONSENT_AFTER:
            row.warnings += (OLD_CONSENT,)
        if row.said and (said := row.said.get("registry_on")):
            checked = day_of(said, row.line.country)
            if checked is not None and self.today - checked > OLD_SCRUB_AFTER:
                row.warnings += (OLD_SCRUB,)
