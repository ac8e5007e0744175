"""What a rule on outcomes does to a lead after a call: one function for each action, inside the run's block."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from accounts.models import ClientEvent, Notification
from accounts.notifications import notify
from accounts.outbox import publish_client_event
from audit.services import System
from campaigns import script
from campaigns.dialling import waiting
from campaigns.dialling.candidates import dial_policy
from campaigns.enrolments import LIVE, move_enrolment
from campaigns.models import AutomationRule, BatchCall, Campaign, Enrolment
from campaigns.services.enrolment import enrol_lead
from campaigns.services.follow_ups import promise_after_call
from leads.models import Lead
from leads.models.people import MOST_TAGS
from leads.services.marks import know_marks
from leads.services.scoring import rescore_lead

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from campaigns.models import Attempt

AUTOMATION = System("automation")
Action = AutomationRule.Action


def _is_erased(attempt: Attempt) -> bool:
    """Tell whether the person was erased meanwhile; asked inside the block, as the attempt was read before it."""
    return not Lead.objects.filter(pk=attempt.lead_id, erased_at=None).exists()


def _tag(rule: AutomationRule, attempt: Attempt, now: datetime) -> str:
    # Read here, inside the block: another rule may have tagged it since the attempt was read.
    lead, tag = Lead.objects.get(pk=attempt.lead_id), str(rule.params["tag"])
    if lead.erased_at is not None:
        return _("The person was erased.")
    if tag in lead.tags:
        return _("It has this tag already.")
    if len(lead.tags) >= MOST_TAGS:
        return _("It has %d tags already, the most there may be.") % MOST_TAGS
    lead.tags = [*lead.tags, tag]
    lead.note_texts()
    know_marks([lead])
    Lead.objects.filter(pk=lead.pk).update(
        tags=lead.tags, search_text=lead.search_text, marks_key=lead.marks_key, updated_at=now
    )
    rescore_lead(lead.pk)
    return _("Tagged “%(tag)s”.") % {"tag": tag}


def _follow_up(rule: AutomationRule, attempt: Attempt, now: datetime) -> str:
    if _is_erased(attempt):
        return _("The person was erased.")
    made = promise_after_call(
        attempt=attempt,
        due_at=now + timedelta(minutes=int(rule.params["delay_minutes"])),
        note=str(rule.params["note"]),
        key=f"automation:{rule.pk}:{attempt.pk}",
        actor=AUTOMATION,
        now=now,
    )
    return _("Made a follow-up.") if made else _("It has this follow-up already.")


def _enrol(rule: AutomationRule, attempt: Attempt, now: datetime) -> str:
    campaign = (
        Campaign.objects.filter(client_id=attempt.client_id, pk=rule.params["campaign_id"])
        .exclude(status=Campaign.Status.ARCHIVED)
        .first()
    )
    if campaign is None:
        return _("The other campaign is archived.")
    if _is_erased(attempt):
        return _("The person was erased.")
    lead = attempt.enrolment.lead
    known = Enrolment.objects.filter(campaign=campaign, lead=lead)
    if known.exists():
        return _("It is in that campaign already.")
    # What the lead's list said of it: only what the other script asks for.
    asked = script.own_variables(*script.spoken(campaign))
    values = {
        name: value for name, value in attempt.enrolment.dynamic_vars.items() if name in asked
    }
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars=values, now=now)
    return _("Enrolled in %(campaign)s: it waits for the next launch.") % {"campaign": campaign}


def _wait(rule: AutomationRule, attempt: Attempt, now: datetime) -> str:
    """Call the lead no sooner than after the pause; a promised call back keeps its time."""
    due = now + timedelta(minutes=int(rule.params["delay_minutes"]))
    waits = Enrolment.objects.filter(
        pk=attempt.enrolment_id,
        status=Enrolment.Status.QUEUED,
        attempt_number=attempt.number,
        callback_at=None,
    )
    if not waits.exists():
        return _("The lead waits for no further call, or for one that was promised.")
    moved = waits.filter(next_attempt_at__lt=due).update(
        next_attempt_at=due, waiting_reason=waiting.RETRY, moved_from=None
    )
    return _("Put off.") if moved else _("It waits longer than that already.")


def _retry(rule: AutomationRule, attempt: Attempt, now: datetime) -> str:
    enrolment = attempt.enrolment
    launch = enrolment.batch_call
    if launch is None or launch.is_over:
        return _("The launch was over already.")
    retryable = {Enrolment.Status.DONE, Enrolment.Status.EXHAUSTED}
    if enrolment.status not in retryable or enrolment.attempt_number != attempt.number:
        return _("The lead had gone elsewhere already.")
    if enrolment.attempts_count >= dial_policy(launch).max_attempts:
        return _("All attempts that the campaign allows were made.")
    # Written under the condition that it goes on, so that its end and this collide.
    if not BatchCall.objects.filter(pk=launch.pk, status__in=LIVE).update(waiting_reason=""):
        return _("The launch was over already.")
    moved = move_enrolment(
        enrolment_id=enrolment.pk,
        from_statuses=(enrolment.status,),
        to_status=Enrolment.Status.QUEUED,
        now=now,
        guards={"attempt_number": attempt.number},
        batch_call_id=launch.pk,
        next_attempt_at=now + timedelta(minutes=int(rule.params["delay_minutes"])),
        waiting_reason="retry",
    )
    return _("In line again.") if moved else _("The lead had gone elsewhere already.")


def _notify(rule: AutomationRule, attempt: Attempt, now: datetime) -> str:
    notify(
        client=attempt.client,
        level=Notification.Level.INFO,
        title=rule.name,
        body=str(rule.params.get("note", "")),
        url=f"/app/leads/{attempt.lead_id}/",
        key=f"automation:{rule.pk}:{attempt.pk}",
        now=now,
    )
    return _("The team was told.")


def _webhook(rule: AutomationRule, attempt: Attempt, now: datetime) -> str:
    publish_client_event(
        client_id=attempt.client_id,
        kind=ClientEvent.Kind.AUTOMATION,
        key=f"automation:{rule.pk}:{attempt.pk}",
        data={
            "rule": rule.name,
            "lead_id": str(attempt.lead_id),
            "campaign_id": str(attempt.campaign_id),
            "call_id": str(attempt.call_id) if attempt.call_id else None,
            "outcome": attempt.outcome_class,
            "disconnection_reason": attempt.disconnection_reason,
        },
        now=now,
    )
    return _("Sent to your own system.")


# Each returns the sentence on what it did.
ACTIONS: dict[str, Callable[[AutomationRule, Attempt, datetime], str]] = {
    Action.TAG: _tag,
    Action.FOLLOW_UP: _follow_up,
    Action.ENROL: _enrol,
    Action.RETRY: _retry,
    Action.WAIT: _wait,
    Action.NOTIFY: _notify,
    Action.WEBHOOK: _webhook,
}
