"""What stands between a campaign and its launch, each with a count and a way to fix it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from django.utils.translation import gettext as _, ngettext

from billing.models import Wallet
from billing.rules import hold_seconds
from campaigns.dialling import waiting
from campaigns.dialling.gates import closed_gates
from campaigns.dialling.waiting import waiting_sentence
from campaigns.forecast import Forecast, forecast
from campaigns.lead_counts import LeadCounts, count_leads
from campaigns.models import BatchCall, Campaign, CampaignVersion, TrialCall
from campaigns.pace import (
    NumberLimits,
    numbers_of,
    pace_of,
    recent_profile,
    talk_price,
    terms_of,
)
from campaigns.settings_schema import max_call_seconds
from convomono.lib.display import brief_instant

if TYPE_CHECKING:
    from datetime import datetime

    from telephony.models import PhoneNumber

_FULL = 100


@dataclass(frozen=True)
class Finding:
    """One thing to know before launching; a blocker forbids it. `fix` is where to put it right."""

    code: str
    severity: Literal["blocker", "warning"]
    sentence: str
    fix: Literal["", "script", "hours", "numbers", "prepare", "upload", "billing", "try"] = ""


@dataclass(frozen=True)
class Preflight:
    """The whole check; `reserve_seconds` is what a launch sets aside, at most what is available."""

    counts: LeadCounts
    forecast: Forecast
    findings: list[Finding]
    hold_seconds: int
    needed_seconds: int
    available_seconds: int
    numbers: int
    # What the talk is likely to cost the client, and the ends of the band; 0 without a price.
    cost_micros: int = 0
    cost_low_micros: int = 0
    cost_high_micros: int = 0

    @property
    def blockers(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "blocker"]

    @property
    def warnings(self) -> list[Finding]:
        return [finding for finding in self.findings if finding.severity == "warning"]

    @property
    def reserve_seconds(self) -> int:
        return min(self.needed_seconds, self.available_seconds)

    @property
    def covered_percent(self) -> int:
        """How much of the needed minutes the balance covers, in whole per cent, 100 at most."""
        if self.needed_seconds == 0:
            return _FULL
        return min(_FULL, self.available_seconds * _FULL // self.needed_seconds)


def preflight(
    campaign: Campaign,
    now: datetime,
    *,
    is_sandbox: bool = False,
    calls_per_second: float = 1.0,
    mode: str = BatchCall.Mode.DISPATCHER,
) -> Preflight:
    """
    Check a campaign against its leads, numbers, hours, script and balance at `now`.

    A launch that Retell dials by itself holds the longest length of every call from the beginning.
    Changes nothing. The database counts the leads by place; their numbers and variables are read, in
    chunks: about 1.5 s for 100,000.
    """
    counts = count_leads(campaign, now, is_sandbox=is_sandbox)
    numbers, chosen = numbers_of(campaign)
    lines = NumberLimits(chosen or numbers, now)
    opens = [wait.opens_at for wait in counts.waits if wait.opens_at]
    pace = pace_of(
        campaign,
        lines=lines,
        calls_per_second=calls_per_second,
        starts_at=now if counts.callable_now or not opens else min(opens),
        now=now,
    )
    expected = forecast(groups=counts.groups, pace=pace, profile=recent_profile(campaign.client_id))
    terms = terms_of(campaign, now)
    hold = terms and hold_seconds(max_call_seconds=max_call_seconds(campaign.settings), terms=terms)
    wallet = Wallet.objects.filter(client_id=campaign.client_id).first()
    available = wallet.available_seconds if wallet and not wallet.debt_seconds else 0
    is_batch = mode == BatchCall.Mode.RETELL_BATCH
    if is_batch:
        needed = max(expected.seconds_high, (hold or 0) * counts.callable)
    else:
        # The last calls hold their whole length too: without that room fewer would run side by side.
        needed = expected.seconds_high + (hold or 0) * min(pace.slots, counts.callable)
    check = Preflight(
        counts=counts,
        forecast=expected,
        findings=[],
        hold_seconds=hold or 0,
        needed_seconds=needed,
        available_seconds=available,
        numbers=len(chosen or numbers),
        cost_micros=talk_price(expected.seconds, terms),
        cost_low_micros=talk_price(expected.seconds_low, terms),
        cost_high_micros=talk_price(expected.seconds_high, terms),
    )
    check.findings.extend(_account_findings(campaign))
    check.findings.extend(_campaign_findings(campaign, counts, is_sandbox=is_sandbox))
    check.findings.extend(_lead_findings(counts))
    if numbers and campaign.caller_numbers and not chosen:
        sentence = _("None of the numbers chosen for this campaign is yours any more.")
        check.findings.append(Finding("chosen_numbers_gone", "blocker", sentence, "numbers"))
    check.findings.extend(_number_findings(chosen or numbers, now))
    check.findings.extend(_cap_findings(lines, counts))
    check.findings.extend(_money_findings(check, has_rate=hold is not None))
    check.findings.extend(_untried_finding(campaign))
    if is_batch:
        check.findings.append(_batch_finding())
    check.findings.sort(key=lambda finding: finding.severity != "blocker")
    return check


# -- Findings --------------------------------------------------------------------------------------


def _account_findings(campaign: Campaign) -> list[Finding]:
    """Say that nobody of this account is dialled, and who can change that; one query."""
    if not campaign.client.is_active:
        sentence = waiting_sentence(waiting.CLIENT_INACTIVE, facts={})
        return [Finding(waiting.CLIENT_INACTIVE, "blocker", sentence)]
    closed = closed_gates()
    if not closed.stops(campaign.client_id):
        return []
    code = waiting.STOPPED_ALL if closed.everything else waiting.STOPPED_CLIENT
    then = _(
        "A launch reserves its minutes now and dials nobody until then: ask your agency, which stopped it."
    )
    return [Finding(code, "warning", f"{waiting_sentence(code, facts={})} {then}")]


def _campaign_findings(
    campaign: Campaign, counts: LeadCounts, *, is_sandbox: bool
) -> list[Finding]:
    found = []
    if campaign.status != Campaign.Status.READY:
        sentence = _("The campaign isn't ready: its agent has to be published first.")
        found.append(Finding("not_ready", "blocker", sentence, "prepare"))
    if campaign.calling_window.is_any_hour and (not is_sandbox or counts.has_real_number):
        sentence = _(
            "“Any hour” is for trials: it holds for 555-01xx numbers in the sandbox alone."
        )
        found.append(Finding("any_hour", "blocker", sentence, "hours"))
    return found + _never_findings(counts)


def _never_findings(counts: LeadCounts) -> list[Finding]:
    """Say of leads whose hours never open what closes them."""
    never = [wait for wait in counts.waits if wait.opens_at is None]
    forbidden = sum(wait.count for wait in never if wait.is_forbidden)
    apart = sum(wait.count for wait in never) - forbidden
    severity: Literal["blocker", "warning"] = (
        "blocker" if apart + forbidden == counts.callable else "warning"
    )
    found = []
    if apart:
        sentence = ngettext(
            "%(n)d lead can never be called: its time zones have no calling hour in common.",
            "%(n)d leads can never be called: their time zones have no calling hour in common.",
            apart,
        ) % {"n": apart}
        found.append(Finding("window", severity, sentence, "hours"))
    if forbidden:
        sentence = ngettext(
            "%(n)d lead can never be called: the campaign's hours lie outside those that the calling rules "
            "allow where it lives.",
            "%(n)d leads can never be called: the campaign's hours lie outside those that the calling rules "
            "allow where they live.",
            forbidden,
        ) % {"n": forbidden}
        found.append(Finding("hours_forbidden", severity, sentence, "hours"))
    return found


def _lead_findings(counts: LeadCounts) -> list[Finding]:
    found = []
    if not counts.callable:
        sentence = (
            _("None of the waiting leads may be called.")
            if counts.total
            else _("No lead waits for a launch.")
        )
        found.append(Finding("no_leads", "blocker", sentence, "upload"))
    for name, count in counts.without_variable:
        nobody = count == counts.callable
        sentence = ngettext(
            "%(n)d lead has nothing for {{%(name)s}}.",
            "%(n)d leads have nothing for {{%(name)s}}.",
            count,
        ) % {"n": count, "name": name}
        if nobody:
            sentence = _("No lead has a value for {{%(name)s}}.") % {"name": name}
        found.append(
            Finding(
                "variable_unknown" if nobody else "variable_missing",
                "blocker" if nobody else "warning",
                sentence,
                "script",
            )
        )
    if counts.no_consent:
        sentence = ngettext(
            "%(n)d lead has not agreed to be called and will be skipped.",
            "%(n)d leads have not agreed to be called and will be skipped.",
            counts.no_consent,
        ) % {"n": counts.no_consent}
        found.append(Finding("no_consent", "warning", sentence, "upload"))
    if counts.waits and not counts.callable_now and (opens := _first_opening(counts)):
        sentence = _("Nobody can be called now: the first hours open %(when)s.") % {
            "when": brief_instant(opens)
        }
        found.append(Finding("closed_now", "warning", sentence, "hours"))
    return found


def _first_opening(counts: LeadCounts) -> datetime | None:
    return min((wait.opens_at for wait in counts.waits if wait.opens_at), default=None)


def _number_findings(numbers: list[PhoneNumber], now: datetime) -> list[Finding]:
    if not numbers:
        sentence = _("There is no phone number to call from. Ask your agency to assign one.")
        return [Finding("no_number", "blocker", sentence, "numbers")]
    if all(number.resting_until and number.resting_until > now for number in numbers):
        sentence = _("All your phone numbers are resting after complaints; calls wait for them.")
        return [Finding("numbers_resting", "warning", sentence, "numbers")]
    return []


def _cap_findings(lines: NumberLimits, counts: LeadCounts) -> list[Finding]:
    room = lines.room_on(lines.today)
    if not lines.are_capped or room >= counts.callable:
        return []
    sentence = ngettext(
        "Your phone numbers may make %(n)d call more today: a new number begins with few, and each has its cap. "
        "The list takes longer than the lines would.",
        "Your phone numbers may make %(n)d calls more today: a new number begins with few, and each has its cap. "
        "The list takes longer than the lines would.",
        room,
    )
    return [Finding("numbers_capped", "warning", sentence % {"n": room}, "numbers")]


def _untried_finding(campaign: Campaign) -> list[Finding]:
    """Say that nobody has heard the published version on a phone, if so; two queries."""
    versions = CampaignVersion.objects.filter(
        campaign=campaign, number=campaign.published_version or 0
    )
    tried = TrialCall.objects.filter(
        client_id=campaign.client_id,
        campaign=campaign,
        version_id__in=list(versions.values_list("pk", flat=True)),
        status=TrialCall.Status.PLACED,
    )
    if campaign.status != Campaign.Status.READY or tried.exists():
        return []
    sentence = _("Nobody has heard this version on a phone yet: make a test call before others do.")
    return [Finding("not_tried", "warning", sentence, "try")]


def _batch_finding() -> Finding:
    sentence = _(
        "The voice platform gets the list and dials it by itself: a pause, a stop or a wish not to be "
        "called again that comes later doesn't recall it. The longest length of each call is held until "
        "it has ended."
    )
    return Finding("handed_over", "warning", sentence)


def _money_findings(check: Preflight, *, has_rate: bool) -> list[Finding]:
    if not has_rate:
        sentence = _("No price is agreed yet. Ask your agency to set one.")
        return [Finding("no_price", "blocker", sentence, "billing")]
    if check.available_seconds < check.hold_seconds:
        sentence = _("The balance doesn't cover one call. Buy minutes first.")
        return [Finding("no_credits", "blocker", sentence, "billing")]
    if check.available_seconds < check.needed_seconds:
        sentence = _("The balance covers %(percent)d %% of what this list may need.") % {
            "percent": check.covered_percent
        }
        return [Finding("balance_short", "warning", sentence, "billing")]
    return []
