"""Verdicts that need the database: do-not-call, campaign, existing leads, consent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from leads.imports.verdicts import KEPT, TZ_UNCERTAIN, Verdict
from leads.models import Lead
from leads.services.suppressions import suppressed_numbers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from leads.imports.rows import ReadRow
    from leads.imports.work import Work


def judge(work: Work, rows: Sequence[ReadRow]) -> None:
    """
    Give each row of a chunk its verdict, in the order of the table; at most four queries.

    A lead that this very import made counts as new again: the chunk may be done a second time.
    """
    good = {row.phone.e164: row for row in rows if row.phone and not row.verdict}
    if not good:
        return
    lead_import = work.lead_import
    suppressed = suppressed_numbers(
        client_id=lead_import.client_id, campaign_id=lead_import.campaign_id, phone_numbers=good
    )
    enrolled = work.target.already_enrolled(list(good)) if work.target else set()
    known = Lead.objects.filter(client_id=lead_import.client_id, phone_number__in=list(good))
    for lead in known:
        good[lead.phone_number].lead = lead
    for number, row in good.items():
        if level := suppressed.get(number):
            row.refuse(Verdict(f"suppressed_{level}"))
        elif number in enrolled:
            row.refuse(Verdict.DUP_CAMPAIGN)
        else:
            _judge_person(work, row)


def _judge_person(work: Work, row: ReadRow) -> None:
    options, lead = work.plan.options, row.lead
    is_ours = lead is not None and lead.lead_import_id == work.lead_import.pk
    if row.missing:
        row.refuse(
            Verdict.VARIABLE_MISSING,
            column=row.missing,
            reason=_("The script needs {{%s}}, and nothing fills it.") % row.missing,
        )
    elif lead is not None and not is_ours and options["existing"] == "skip":
        row.refuse(Verdict.DUP_CLIENT)
    elif lead is not None and lead.consent_status == Lead.ConsentStatus.REVOKED:
        row.refuse(Verdict.NO_CONSENT, reason=_("This person took their consent back."))
    elif not options["consent_kind"] and not (
        lead is not None and lead.consent_status == Lead.ConsentStatus.GIVEN
    ):
        row.refuse(Verdict.NO_CONSENT)
    elif lead is not None and not is_ours:
        row.refuse(Verdict.UPDATE)
    else:
        row.verdict = Verdict.NEW


def count(rows: Sequence[ReadRow]) -> dict[str, int]:
    """Return how often each verdict stands, and how many kept rows have several time zones."""
    counts = Counter(str(row.verdict) for row in rows)
    uncertain = sum(row.verdict in KEPT and len(row.zones) > 1 for row in rows)
    return dict(counts) | ({TZ_UNCERTAIN: uncertain} if uncertain else {})
