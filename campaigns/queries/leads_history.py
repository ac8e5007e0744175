"""What happened with one lead, as one line of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from audit.actions import SENTENCES
from audit.models import AuditLog
from campaigns.dialling.wording import reasons
from campaigns.models import Attempt, Enrolment
from convomono.lib.keys import beside
from convomono.lib.phone import display_number
from leads.models import LeadImportChange, LeadOperationRow, Suppression
from leads.services import numbers_of

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from campaigns.models import FollowUp
    from leads.models import Consent, Lead, LeadNote
    from telephony.models import Call

MOST_LINES = 100
_TOLD = frozenset({"lead.added", "lead.noted", "consent.recorded", "consent.revoked"})


@dataclass(frozen=True)
class Line:
    """One line of a lead's history, as `components/timeline.html` takes it."""

    title: str
    at: datetime
    text: str = ""
    icon: str = ""
    tone: str = ""


def history(
    *,
    lead: Lead,
    enrolments: Iterable[Enrolment],
    attempts: Iterable[Attempt],
    calls: Iterable[Call],
    consents: Iterable[Consent],
    notes: Iterable[LeadNote],
    follow_ups: Iterable[FollowUp],
) -> list[Line]:
    """Return everything that happened with a lead, newest first; four queries beside what is given."""
    lines = [
        Line(_("Added"), lead.created_at, source(lead), "user-plus", "info"),
        *_of_enrolments(enrolments),
        *_of_attempts(attempts),
        *_of_calls(calls),
        *_of_consents(consents),
        *(Line(_("Note"), one.created_at, one.text, "pencil") for one in notes),
        *_of_follow_ups(follow_ups),
        *_of_imports(lead),
        *_of_lists(lead),
        *_of_operations(lead),
        *_of_audit(lead),
    ]
    return sorted(lines, key=lambda line: line.at, reverse=True)[:MOST_LINES]


def source(lead: Lead) -> str:
    """Say where a lead came from."""
    if lead.lead_import is None:
        return _("By hand or by a program")
    return _("Import of %s") % lead.lead_import.file_name


def _of_imports(lead: Lead) -> Iterable[Line]:
    """Tell of later imports that found the lead there, and whether they changed anything."""
    rows = LeadImportChange.objects.filter(client_id=lead.client_id, lead_id=lead.pk)
    for row in rows.select_related("lead_import").order_by("-pk")[:20]:
        done = row.lead_import
        title = _("Changed by an import") if row.before else _("Found again by an import")
        yield Line(title, done.started_at or done.created_at, done.file_name, "arrow-up-tray")


def _of_lists(lead: Lead) -> Iterable[Line]:
    if lead.erased_at:
        return
    rows = Suppression.objects.filter(
        beside(client_id=lead.client_id), phone_number__in=numbers_of(lead)
    )
    for row in rows.order_by("-created_at")[:20]:
        text = f"{row.get_source_display()}: {row.said}" if row.said else row.get_source_display()
        if row.phone_number != lead.phone_number:
            text = f"{display_number(row.phone_number)} · {text}"
        yield Line(_("Do not call"), row.created_at, str(text), "no-symbol", "bad")


def _of_enrolments(rows: Iterable[Enrolment]) -> Iterable[Line]:
    for row in rows:
        yield Line(_("Enrolled"), row.created_at, row.campaign.name, "megaphone", "info")
        if row.completed_at:
            title = _("Goal reached") if row.is_converted else row.get_status_display()
            tone = "ok" if row.is_converted or row.status == Enrolment.Status.DONE else ""
            yield Line(str(title), row.completed_at, row.campaign.name, "flag", tone)


def _of_attempts(rows: Iterable[Attempt]) -> Iterable[Line]:
    for row in rows:
        denied = row.status == Attempt.Status.DENIED
        title = _("Not called") if denied else _("Attempt %d decided") % row.number
        told = " ".join(reason.sentence for reason in reasons(row.decision))
        yield Line(title, row.created_at, told, "scale", "warn" if denied else "info")


def _of_calls(rows: Iterable[Call]) -> Iterable[Line]:
    for row in rows:
        if row.ended_at:
            said = row.shown_outcome_label or row.get_status_display()
            tone = "ok" if row.shown_outcome == "human" else ""
            yield Line(_("Call ended"), row.ended_at, str(said), "phone-x-mark", tone)


def _of_consents(rows: Iterable[Consent]) -> Iterable[Line]:
    for row in rows:
        yield Line(_("Agreed to be called"), row.given_at, row.source, "check-badge", "ok")
        if row.revoked_at:
            title = _("Took the consent back")
            yield Line(title, row.revoked_at, row.revoked_how, "no-symbol", "bad")


def _of_follow_ups(rows: Iterable[FollowUp]) -> Iterable[Line]:
    for row in rows:
        yield Line(_("Follow-up made"), row.created_at, row.note, "bell")
        if row.closed_at:
            title = _("Follow-up: %s") % row.get_status_display()
            yield Line(title, row.closed_at, row.note, "bell-slash", "ok")


def _of_operations(lead: Lead) -> Iterable[Line]:
    rows = LeadOperationRow.objects.filter(client_id=lead.client_id, lead_id=lead.pk, note="")
    for row in rows.select_related("operation").order_by("-pk")[:20]:
        operation = row.operation
        text = operation.params.get("tag") or operation.params.get("campaign") or ""
        yield Line(str(operation), operation.created_at, text, "squares-2x2")


def _of_audit(lead: Lead) -> Iterable[Line]:
    rows = AuditLog.objects.filter(resource_id=lead.pk).exclude(action__in=_TOLD)
    for row in rows.order_by("-created_at")[:50]:
        who = row.impersonator_email or row.user_email
        yield Line(str(SENTENCES.get(row.action, row.action)), row.created_at, who, "user")
