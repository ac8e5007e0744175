"""Launching a campaign's new leads again and again, at the times somebody set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import uuid5

import structlog
from django.utils.translation import gettext as _, ngettext

from accounts.models import Notification, User
from accounts.notifications import notify
from billing.services import InsufficientCredits
from campaigns.dialling import waiting
from campaigns.dialling.gates import closed_gates
from campaigns.models import BatchCall, TopUp
from campaigns.services import launching, lifecycle
from campaigns.services.recurring import following, is_archived
from campaigns.services.steering import TOP_UP
from convomono.lib.db import atomic

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from campaigns.dialling.gates import Closed

log = structlog.get_logger()

AT_ONCE = 50
LONGEST_RESULT = 400


class SwitchedOff(Exception):
    """Somebody switched it off, held it, or set another time, while its launch was being made."""


def top_up_due(*, now: datetime, is_sandbox: bool) -> int:
    """
    Launch the new leads of every campaign whose time has come; return how many were launched.

    One that fails keeps its time, is tried again next time, and holds up no other. So does one whose client
    is stopped: it reserves no minutes for calls that nobody may make.
    """
    closed = closed_gates()
    on = TopUp.objects.filter(is_active=True, paused_at=None, next_at__lte=now)
    due = on.order_by("next_at", "pk")
    rows = due.select_related(
        "campaign__client", "campaign__retry_policy", "campaign__calling_window"
    )
    launched = handled = 0
    for row in rows.iterator():
        if closed.stops(row.client_id):
            _wait(row, closed, now=now)
            continue
        try:
            launched += top_up(row=row, now=now, is_sandbox=is_sandbox)
        except Exception:  # one that fails must not hold up the others, nor count among them
            log.exception("top_up.failed", campaign_id=str(row.campaign_id))
            said = _("It failed, and is tried again in a moment.")
            _as_read(row).update(last_at=now, last_result=said, was_refused=True)
            continue
        handled += 1
        if handled == AT_ONCE:
            break
    return launched


def _wait(row: TopUp, closed: Closed, *, now: datetime) -> None:
    """Say once why its time is put off until the gate is open."""
    code = waiting.STOPPED_ALL if closed.everything else waiting.STOPPED_CLIENT
    said = waiting.waiting_sentence(code, facts={})
    if not (row.was_refused and row.last_result == said):
        _as_read(row).update(last_at=now, last_result=said, was_refused=True)


def top_up(*, row: TopUp, now: datetime, is_sandbox: bool) -> bool:
    """
    Launch one campaign's new leads and set the next time; True if something was launched.

    The launch's key is made of the time it was due at, so that a second run, after a kill or beside
    this one, launches nothing more. Nor does one whose row was switched off since it was read.
    The client's people are told of a refusal that is another than last time's.
    """
    if not _as_read(row).exists():
        return False
    try:
        turn = _launch(row, now=now, is_sandbox=is_sandbox)
    except SwitchedOff:
        return False
    _take_note(row, turn, now=now)
    return turn.is_launched


def _as_read(row: TopUp) -> QuerySet[TopUp]:
    """Return the row while it is on, nobody holds it, and nobody has set another time or taken this one."""
    return TopUp.objects.filter(pk=row.pk, is_active=True, paused_at=None, next_at=row.next_at)


def _hold_on(row: TopUp, now: datetime) -> None:
    """
    Write on the row inside the launch's own block, so that a stop or pause and the launch collide in the database.

    :raises SwitchedOff: if somebody was quicker; the launch is undone with the block
    """
    if not _as_read(row).update(last_at=now):
        raise SwitchedOff


@atomic
def _take_note(row: TopUp, turn: _Turn, *, now: datetime) -> None:
    """Write what came of this time and when the next is; never that it is on: somebody may have stopped it."""
    off = {"is_active": False} if turn.is_last else {}
    noted = _as_read(row).update(
        **off,
        next_at=following(
            row.next_at,
            every_minutes=row.every_minutes,
            zone=row.campaign.client.time_zone,
            now=now,
        ),
        last_at=now,
        last_result=turn.sentence,
        was_refused=turn.is_refused,
    )
    is_news = turn.is_refused and not (row.was_refused and row.last_result == turn.sentence)
    if noted and is_news:
        _tell(row, turn.sentence, now=now)


@dataclass(frozen=True)
class _Turn:
    """What came of one time: a launch, a refusal, or nothing to do. After the last one it is switched off."""

    sentence: str
    is_launched: bool = False
    is_refused: bool = False
    is_last: bool = False


def _refusal(sentence: str, *, is_last: bool = False) -> _Turn:
    return _Turn(sentence[:LONGEST_RESULT], is_refused=True, is_last=is_last)


def _tell(row: TopUp, why: str, *, now: datetime) -> None:
    name = row.campaign.name
    notify(
        client=row.campaign.client,
        level=Notification.Level.WARN,
        title=(_("New leads of %s were not launched") % name)[:200],
        body=why,
        url=f"/app/campaigns/{row.campaign_id}/",
        # Of this time: a second run of it tells nothing twice.
        key=f"top-up-refused:{row.pk}:{row.next_at.isoformat()}",
        now=now,
    )


def _may_still_spend(row: TopUp) -> bool:
    """Tell whether whoever set it could press the button today; agency staff act for the client."""
    setter = User.objects.filter(email=row.set_by_email, is_active=True).first()
    if setter is None or setter.is_agency_staff:
        return setter is not None
    is_viewer = setter.client_role == User.ClientRole.VIEWER
    return setter.client_id == row.client_id and setter.can_launch and not is_viewer


def _refused(row: TopUp) -> _Turn | None:
    """Return why nothing may be launched; None if something may."""
    if is_archived(row.campaign_id):  # while it was being switched on
        return _Turn(_("The campaign is archived."), is_last=True)
    if not row.campaign.client.is_active:
        return _refusal(_("The account is inactive."))
    if not _may_still_spend(row):
        said = _(
            "New leads are no longer launched by themselves: %(who)s may not launch any more. "
            "Somebody else may set it."
        )
        return _refusal(said % {"who": row.set_by_email}, is_last=True)
    if not launching.waiting_leads(row.campaign).exists():
        return _Turn(_("No new lead waited."))
    paused = BatchCall.objects.filter(
        client_id=row.client_id, campaign_id=row.campaign_id, status=BatchCall.Status.PAUSED
    )
    if paused.exists():
        # Whatever stopped the launch before stops this one too.
        return _refusal(_("The campaign is paused: resume it first."))
    return None


def _launch(row: TopUp, *, now: datetime, is_sandbox: bool) -> _Turn:
    key = uuid5(row.pk, row.next_at.isoformat())
    # What a killed run has launched already is told as this one's: its leads wait no more.
    is_new = launching.find_launch(campaign=row.campaign, launch_key=key) is None
    if is_new and (refused := _refused(row)):
        return refused
    try:
        batch_call = lifecycle.launch_campaign(
            campaign=row.campaign,
            launch_key=key,
            most_seconds=row.most_seconds,
            actor=TOP_UP,
            now=now,
            is_sandbox=is_sandbox,
            within=lambda: _hold_on(row, now),
        )
    except lifecycle.ApprovalNeeded:
        return _ask(row, now=now, is_sandbox=is_sandbox)
    except (lifecycle.LaunchInProgress, lifecycle.NobodyWaits):
        return _Turn(_("Another launch has taken the new leads."))
    except (lifecycle.LaunchRefused, lifecycle.CampaignNotReady, InsufficientCredits) as error:
        return _refusal(_why(error))
    leads = batch_call.tasks_count
    log.info("top_up.launched", batch_id=str(batch_call.pk), leads=leads)
    said = ngettext("%(n)d new lead was launched.", "%(n)d new leads were launched.", leads)
    return _Turn(said % {"n": leads}, is_launched=True)


def _why(error: Exception) -> str:
    if isinstance(error, lifecycle.LaunchRefused):
        return " ".join(finding.sentence for finding in error.findings)
    if isinstance(error, InsufficientCredits):
        return _("The balance is too low. Buy minutes.")
    return _("The campaign isn't ready: make it ready again.")


def _ask(row: TopUp, *, now: datetime, is_sandbox: bool) -> _Turn:
    """Ask on behalf of whoever set it: that person can't approve it."""
    asker = User.objects.filter(email=row.set_by_email).values_list("pk", flat=True).first()
    try:
        lifecycle.ask_for_launch(
            campaign=row.campaign,
            request_id=uuid5(row.pk, f"ask:{row.next_at.isoformat()}"),
            starts_at=None,
            note=_("New leads, launched by themselves as %(who)s set it up.")
            % {"who": row.set_by_email},
            actor=TOP_UP,
            now=now,
            is_sandbox=is_sandbox,
            asker_id=asker,
            within=lambda: _hold_on(row, now),
        )
    except lifecycle.RequestWaits:
        return _Turn(_("A launch of it waits for approval already."))
    except lifecycle.LaunchRefused as refused:
        return _refusal(_why(refused))
    return _Turn(_("It needs a second person: somebody was asked to approve it."))
