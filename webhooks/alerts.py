"""What tells somebody that events don't come, aren't taken or aren't applied: in the app and by mail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import mail_agency, notify
from telephony.models import Call
from webhooks.doorbell import refusals_in_hour
from webhooks.models import WebhookEvent

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

MONITOR: Final = "/agency/webhooks/"
LAG_SECONDS: Final = 30  # an event is applied within one
WINDOW: Final = timedelta(minutes=15)
FAILED_COUNT: Final = 5
FAILED_RATIO: Final = 0.02
BAD_SIGNATURES: Final = 20  # in an hour
WRONG_SOURCES: Final = 5  # in an hour
# In an hour: a wrong clock refuses every delivery, somebody who sends an old one again only that one.
SKEWED: Final = 3
# A call has been answered or has failed by then, and Retell has said so.
_RANG_OUT: Final = timedelta(minutes=5)
_STILL_OF_CONCERN: Final = timedelta(hours=1)
SILENT_CALLS: Final = 3
_REPEATED_AFTER_HOURS: Final = 6
_Status = WebhookEvent.Status


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What the alerts go by; lag in real seconds, counts of the last quarter or full hour."""

    lag_seconds: float = 0
    received_count: int = 0
    failed_count: int = 0
    bad_signature_count: int = 0
    skewed_count: int = 0
    silent_calls_count: int = 0
    wrong_source_count: int = 0
    too_large_count: int = 0
    unusable_count: int = 0


@dataclass(frozen=True, slots=True)
class Alert:
    """One thing that somebody has to look into; `kind` names its cause."""

    kind: str
    title: str
    body: str


def alerts(signals: Signals) -> Iterator[Alert]:
    """Tell what is wrong by these signals."""
    if signals.lag_seconds > LAG_SECONDS:
        yield Alert(
            "lag",
            _("Webhook events aren't applied in time"),
            _("The oldest has waited for %(seconds)d seconds. Is the drain running?")
            % {"seconds": signals.lag_seconds},
        )
    most = max(FAILED_COUNT, FAILED_RATIO * signals.received_count)
    if signals.failed_count >= most:
        yield Alert(
            "failures",
            _("Webhook events fail"),
            _("%(count)d failed in a quarter of an hour. Look at the error they have in common.")
            % {"count": signals.failed_count},
        )
    if signals.skewed_count >= SKEWED:
        yield Alert(
            "skew",
            _("Webhooks are refused because of the time"),
            _("Their signatures are right and their times aren't: set this server's clock."),
        )
    if signals.bad_signature_count >= BAD_SIGNATURES:
        yield Alert(
            "signature",
            _("Webhooks with wrong signatures"),
            _(
                "%(count)d within an hour. If no call gets any news, the webhook key at Retell was "
                "changed; otherwise somebody is trying."
            )
            % {"count": signals.bad_signature_count},
        )
    if signals.silent_calls_count >= SILENT_CALLS:
        yield Alert(
            "silence",
            _("Calls run and no webhook arrives"),
            _("%(count)d calls without any news. Does Retell reach this server's address?")
            % {"count": signals.silent_calls_count},
        )
    yield from _refusals(signals)


def _refusals(signals: Signals) -> Iterator[Alert]:
    """Tell of deliveries that nobody else will ask about: Retell repeats each three times, then it is lost."""
    if signals.wrong_source_count >= WRONG_SOURCES:
        yield Alert(
            "source",
            _("Webhooks from an address that isn't listed"),
            _(
                "%(count)d were refused within an hour. If Retell's address has changed, put the new "
                "one into WEBHOOK_SOURCES."
            )
            % {"count": signals.wrong_source_count},
        )
    if signals.too_large_count:
        yield Alert(
            "too_large",
            _("Webhooks are too long"),
            _(
                "%(count)d were refused within an hour. The calls are fetched later; raise "
                "WEBHOOK_MAX_BYTES if it goes on."
            )
            % {"count": signals.too_large_count},
        )
    if signals.unusable_count:
        yield Alert(
            "unusable",
            _("Webhooks that can't be read"),
            _(
                "%(count)d within an hour were signed by Retell and are no event we know how to read. "
                "They are kept as failed: look at one."
            )
            % {"count": signals.unusable_count},
        )


def read_signals(*, now: datetime, real_now: datetime, factor: float) -> Signals:
    """Measure; rows carry the clock of the dialling, which runs `factor` times as fast. Six queries."""
    refusals = refusals_in_hour(real_now)
    recent = WebhookEvent.objects.filter(created_at__gt=now - WINDOW * factor)
    return Signals(
        lag_seconds=lag_seconds(now) / factor,
        received_count=recent.count(),
        failed_count=recent.filter(attempts__gt=0).count(),
        bad_signature_count=refusals.get("signature", 0),
        skewed_count=refusals.get("skew", 0),
        silent_calls_count=_silent_calls_count(now),
        wrong_source_count=refusals.get("source", 0),
        too_large_count=refusals.get("too_large", 0),
        unusable_count=_unusable_count(now, factor),
    )


def raise_alerts(
    signals: Signals, *, now: datetime, real_now: datetime, base_url: str
) -> list[str]:
    """
    Tell the agency in the app and by mail; return the kinds that were new.

    The same trouble is told once in six hours. Outside of any transaction: it sends mail.
    """
    told = []
    part = f"{real_now:%Y-%m-%d}:{real_now.hour // _REPEATED_AFTER_HOURS}"
    for alert in alerts(signals):
        is_new = notify(
            client=None,
            level=Notification.Level.BAD,
            title=alert.title,
            body=alert.body,
            url=MONITOR,
            key=f"webhook-alert:{alert.kind}:{part}",
            now=now,
        )
        if is_new:
            text = f"{alert.body}\n\n{base_url.rstrip('/')}{MONITOR}\n"
            mail_agency(subject=alert.title, text=text)
            told.append(alert.kind)
    return told


def lag_seconds(now: datetime) -> float:
    """Return how long the event that has been due the longest has been due."""
    due = WebhookEvent.objects.filter(status=_Status.PENDING, next_try_at__lte=now)
    first = due.order_by("next_try_at").values_list("next_try_at", flat=True).first()
    return (now - first).total_seconds() if first else 0.0


def _unusable_count(now: datetime, factor: float) -> int:
    """Count deliveries of the last real hour that Retell signed and nobody can read."""
    unread = WebhookEvent.objects.filter(
        status=_Status.DEAD,
        event_type="",
        next_try_at__gt=now - timedelta(hours=1) * factor,  # which they got when they came
    )
    return unread.count()


def _silent_calls_count(now: datetime) -> int:
    """Count calls that must have been answered or failed, if no event came since they were placed."""
    silent = Call.objects.filter(
        status=Call.Status.REGISTERED,
        created_at__lt=now - _RANG_OUT,
        created_at__gt=now - _STILL_OF_CONCERN,
    ).order_by("-created_at")
    placed = list(silent.values_list("created_at", flat=True)[:100])
    if not placed:
        return 0
    # The newest delivery, of whatever call: one lost webhook must not hide an outage that began since.
    deliveries = WebhookEvent.objects.filter(
        source=WebhookEvent.Source.DELIVERY, created_at__gt=placed[-1]
    )
    heard = deliveries.order_by("-created_at").values_list("created_at", flat=True).first()
    return sum(heard is None or at > heard for at in placed)
