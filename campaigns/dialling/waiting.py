"""Why nothing is dialling: each reason with the sentence people read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from django.utils.functional import _StrPromise

# Waiting for a time.
SCHEDULED = "scheduled"
ATTACHING = "attaching"
WINDOW = "window"
CLOSED_DAY = "closed_day"
NEVER_OPEN = "never_open"
HOURS_FORBIDDEN = "hours_forbidden"
RETRY = "retry"
CALLBACK = "callback"
PERSON_GAP = "person_gap"
PERSON_CAP = "person_cap"
# Waiting for a line.
LINES_FULL = "lines_full"
CLIENT_LINES_FULL = "client_lines_full"
CAMPAIGN_LINES_FULL = "campaign_lines_full"
CAMPAIGN_SPEED = "campaign_speed"
IN_PROGRESS = "in_progress"
SETTLING = "settling"
RESULTS = "results"
HANDED_OVER = "handed_over"
# Waiting for somebody to do something.
CREDIT = "credit"
DEBT = "debt"
NO_NUMBER = "no_number"
NUMBERS_RESTING = "numbers_resting"
NUMBERS_CAPPED = "numbers_capped"
NUMBER_LINES_FULL = "number_lines_full"
CLIENT_INACTIVE = "client_inactive"
STOPPED_ALL = "stopped_all"
STOPPED_CLIENT = "stopped_client"
HELD = "held"
# Waiting for the voice platform, or for ourselves.
PROVIDER_BUSY = "provider_busy"
PROVIDER_AWAY = "provider_away"
PROVIDER_SILENT = "provider_silent"
DISPATCHER_AWAY = "dispatcher_away"
# Paused: codes of BatchCall.pause_reason. A person who paused stands in `paused_by_email`.
PAUSED_BY_PERSON = "person"
PAUSED_KEY = "provider_key"
PAUSED_PAYMENT = "provider_payment"
PAUSED_REFUSED = "provider_refused"
PAUSED_TELEPHONY = "telephony"
PAUSED_SCAM = "scam_detected"
PAUSED_CREDIT = "paused_credit"
PAUSED_DEBT = "paused_debt"
BREAKER_FAILED = "breaker_failed"
BREAKER_OPTED_OUT = "breaker_opted_out"
BREAKER_NEGATIVE = "breaker_negative"
BREAKER_SPEND = "breaker_spend"
BREAKER_DISCLOSURE = "breaker_disclosure"

# What a launch waits for while nobody in it is due: true of the leads it names, and of no other.
FOR_NOBODY_DUE = frozenset(
    {
        "",
        *(WINDOW, CLOSED_DAY, NEVER_OPEN, HOURS_FORBIDDEN, RETRY, CALLBACK, PERSON_GAP, PERSON_CAP),
        *(HELD, IN_PROGRESS, SETTLING, RESULTS, HANDED_OVER),
    }
)

# Placeholders: until (an instant, as the page writes it), used, limit and own (numbers of lines),
# percent of so many calls.
WAITING: dict[str, _StrPromise] = {
    SCHEDULED: _("Starts at %(until)s."),
    ATTACHING: _("The leads are being put in line; dialling starts when all are."),
    WINDOW: _("Outside calling hours where these leads live. The next hours open at %(until)s."),
    CLOSED_DAY: _(
        "No calls today where these leads live: a closed day or a holiday. "
        "The next hours open at %(until)s."
    ),
    NEVER_OPEN: _(
        "No hour is open in every time zone these numbers may be in. "
        "Set the leads' time zone, or widen the campaign's calling hours."
    ),
    HOURS_FORBIDDEN: _(
        "The campaign's calling hours lie outside those that the calling rules allow where these leads live. "
        "Change the campaign's hours or days."
    ),
    RETRY: _("Everybody due was called. The next retry is at %(until)s."),
    CALLBACK: _("Somebody asked to be called back. The next such call is at %(until)s."),
    PERSON_GAP: _("These people were called a short while ago. The next call is at %(until)s."),
    PERSON_CAP: _(
        "Contact cap: these people had all calls that are allowed for now. The next one is at %(until)s."
    ),
    LINES_FULL: _("All lines are busy: %(used)s of %(limit)s, %(own)s of them yours."),
    CLIENT_LINES_FULL: _("All your lines are busy: %(own)s of %(limit)s."),
    CAMPAIGN_LINES_FULL: _("All lines of this campaign are busy: %(own)s of %(limit)s."),
    CAMPAIGN_SPEED: _("As fast as this campaign may dial: %(limit)s new calls in a minute."),
    IN_PROGRESS: _("The last calls are in progress; nobody else is waiting."),
    SETTLING: _("The outcome of the last calls isn't known yet; it is being looked up."),
    RESULTS: _(
        "Everybody was called. What was said in the last calls is still being read: somebody may have "
        "asked to be called back."
    ),
    HANDED_OVER: _(
        "The voice platform has the list and calls by itself: %(own)s people wait there. "
        "A pause or stop doesn't recall them."
    ),
    CREDIT: _(
        "The minutes reserved for this launch are used up or held by its calls in progress. "
        "If they give none back, it pauses. Buy minutes and it goes on."
    ),
    DEBT: _(
        "The account owes minutes, because calls were longer than what was left. "
        "Dialling goes on once minutes are bought."
    ),
    NO_NUMBER: _("There is no phone number to call from. Ask the agency to assign one."),
    NUMBERS_RESTING: _("The phone numbers are resting after complaints, until %(until)s."),
    NUMBERS_CAPPED: _(
        "The phone numbers have made all their calls of the day. The next ones are made from %(until)s."
    ),
    NUMBER_LINES_FULL: _("Each phone number has as many calls at once as it may have."),
    STOPPED_ALL: _("All calling is stopped by the agency. It goes on when they resume it."),
    STOPPED_CLIENT: _(
        "All calling of this account is stopped. It goes on when somebody resumes it."
    ),
    HELD: _("Everybody who still waits is held back. Release them to go on."),
    CLIENT_INACTIVE: _("The account is inactive. Ask the agency to activate it."),
    PROVIDER_BUSY: _("The voice platform asked us to slow down. Dialling goes on at %(until)s."),
    PROVIDER_AWAY: _("The voice platform doesn't answer. The next try is at %(until)s."),
    PROVIDER_SILENT: _("The voice platform doesn't answer. Dialling goes on as soon as it does."),
    DISPATCHER_AWAY: _("The dialling process isn't running. The agency has been told."),
    PAUSED_BY_PERSON: _("Somebody paused it. Resume it to go on."),
    PAUSED_KEY: _("The voice platform refused our key. The agency must mend it, then resume."),
    PAUSED_PAYMENT: _("The voice platform reports a payment problem. The agency must settle it."),
    PAUSED_REFUSED: _("The voice platform refused a call. Check the campaign, then resume."),
    PAUSED_TELEPHONY: _(
        "The phone line is set up wrongly: the carrier refused a call. The agency must mend it."
    ),
    PAUSED_CREDIT: _(
        "The minutes reserved for this launch are used up. Buy minutes and it goes on by itself; "
        "or resume it to use what is available."
    ),
    PAUSED_DEBT: _(
        "The account owes minutes, because calls were longer than what was left. "
        "Buy minutes and it goes on by itself."
    ),
    PAUSED_SCAM: _("A carrier took a call for fraud. Review the script, then resume."),
    BREAKER_FAILED: _(
        "Stopped by its circuit breaker: %(percent)s %% of the last %(calls)s calls failed, "
        "%(limit)s %% are allowed. Look at the last calls, then resume."
    ),
    BREAKER_OPTED_OUT: _(
        "Stopped by its circuit breaker: %(percent)s %% of the last %(calls)s people asked not to be "
        "called again, %(limit)s %% are allowed. Review the script and the list, then resume."
    ),
    BREAKER_NEGATIVE: _(
        "Stopped by its circuit breaker: %(percent)s %% of the last %(calls)s people were in a bad "
        "mood, %(limit)s %% are allowed. Listen to some calls, then resume."
    ),
    BREAKER_SPEND: _(
        "Stopped by its circuit breaker: %(used)s minutes were talked in the last hour, "
        "%(limit)s are allowed. Raise the limit or wait, then resume."
    ),
    BREAKER_DISCLOSURE: _(
        "Stopped by its circuit breaker: %(used)s calls of this version of the script began without what must be said "
        "first (who calls, that an AI calls, or that the call is recorded). Their pages say what is missing: put it "
        "into the opening line, publish, then resume."
    ),
}
_NOTHING_KNOWN = dict.fromkeys(("until", "used", "limit", "own", "percent", "calls"), "–")


def waiting_sentence(code: str, *, until: str = "", facts: Mapping[str, object]) -> str:
    """
    Return the sentence for a code with its instant (already written for a reader) and figures.

    Empty for an empty code and for one that a newer version of the product wrote.
    """
    sentence = WAITING.get(code)
    if sentence is None:
        return ""
    return str(sentence) % {**_NOTHING_KNOWN, **facts, "until": until or "–"}
