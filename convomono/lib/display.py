"""Template filters: seconds, micros, phone numbers and instants as people read them."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django import template
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.html import format_html
from django.utils.translation import gettext as _

from convomono.lib import money
from convomono.lib.clock import CLOCK
from convomono.lib.phone import display_number
from convomono.lib.status_looks import STATUS_LOOKS

if TYPE_CHECKING:
    from django.utils.safestring import SafeString

register = template.Library()
MISSING = "–"


@register.filter
def minutes(seconds: int | None) -> str:
    """Show seconds as minutes with two decimals: 90 is "1.50"."""
    return (
        MISSING
        if seconds is None
        else number_format(money.minutes(seconds), 2, use_l10n=True, force_grouping=True)
    )


@register.filter
def usd(micros: int | None, decimals: int | None = None) -> str:
    """Show micros as dollars with two to four decimals: 1250000 is "$1.25"; totals with `usd:2`."""
    if micros is None:
        return MISSING
    amount = money.dollars(abs(micros))
    if decimals is not None:
        amount = amount.quantize(Decimal(1).scaleb(-decimals), ROUND_HALF_UP)
    shown = -int(amount.as_tuple().exponent)
    sign = "-" if micros < 0 and amount else ""
    return f"{sign}${number_format(amount, shown, use_l10n=True, force_grouping=True)}"


@register.filter
def exact_usd(micros: int | None) -> str:
    """Show micros as dollars to the last micro, for papers whose lines are added up: "$0.154167"."""
    if micros is None:
        return MISSING
    amount = Decimal(abs(micros)) / money.MICROS
    shown = max(2, -int(amount.normalize().as_tuple().exponent))
    sign = "-" if micros < 0 else ""
    return f"{sign}${number_format(amount, shown, use_l10n=True, force_grouping=True)}"


@register.filter
def rounded_usd(micros: int | None) -> str:
    """Show micros as dollars and whole cents, for a figure that heads a page: 1258300 is "$1.26"."""
    if micros is None:
        return MISSING
    amount = money.dollars(abs(micros)).quantize(Decimal("0.01"), ROUND_HALF_UP)
    sign = "-" if micros < 0 and amount else ""
    return f"{sign}${number_format(amount, 2, use_l10n=True, force_grouping=True)}"


@register.filter
def words(code: str) -> str:
    """Show an outside system's code as words: "user_hangup" is "User hangup"."""
    return code.replace("_", " ").capitalize()


@register.filter
def duration(seconds: int | None) -> str:
    """Show seconds as people say them: 74 is "1 min 14 s"."""
    if seconds is None:
        return MISSING
    hours, rest = divmod(int(seconds), 3600)
    whole_minutes, left = divmod(rest, 60)
    if hours:
        return _("%(h)d h %(m)d min") % {"h": hours, "m": whole_minutes}
    if whole_minutes:
        return _("%(m)d min %(s)d s") % {"m": whole_minutes, "s": left}
    return _("%(s)d s") % {"s": left}


@register.filter
def phone(e164: str) -> str:
    """Show a number in E.164 with spaces."""
    return display_number(e164) if e164 else MISSING


@register.filter
def percent(ratio: float | None) -> str:
    """Show a ratio as a percentage with one decimal: 0.125 is "12.5%"."""
    return MISSING if ratio is None else f"{number_format(_tenths(ratio), 1)}%"


def _tenths(ratio: float) -> Decimal:
    # number_format cuts digits off; people expect them rounded.
    return (Decimal(str(ratio)) * 100).quantize(Decimal("0.1"), ROUND_HALF_UP)


@register.filter
def count(value: int | None) -> str:
    """Show a whole number with its thousands apart."""
    return MISSING if value is None else number_format(value, 0, use_l10n=True, force_grouping=True)


@register.filter
def instant(value: datetime | None, zone: str = "") -> SafeString:
    """Show an instant in the zone (else the one in force), UTC in the `datetime` attribute."""
    if value is None:
        return format_html("{}", MISSING)
    try:
        local = value.astimezone(ZoneInfo(zone)) if zone else timezone.localtime(value)
    except ZoneInfoNotFoundError:
        local = timezone.localtime(value)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        value.astimezone(ZoneInfo("UTC")).isoformat(timespec="seconds"),
        f"{date_format(local, 'Y-m-d H:i:s')} {local.tzname()}",
        date_format(local, "j M Y, H:i"),
    )


def brief_instant(value: datetime | None) -> str:
    """Say an instant inside a sentence, in the zone in force: "24 Nov, 09:00"; empty for None."""
    return date_format(timezone.localtime(value), "j M, H:i") if value else ""


@register.filter
def exact_instant(value: datetime | None) -> str:
    """Say an instant to the millisecond, in the zone in force: "24 Nov, 09:00:12.345"."""
    if value is None:
        return MISSING
    local = timezone.localtime(value)
    return f"{date_format(local, 'j M, H:i:s')}.{local.microsecond // 1000:03d}"


@register.filter
def ago(value: datetime | None, now: datetime) -> str:
    """Show how long before `now` an instant was, in its largest unit: "5 min ago"."""
    if value is None:
        return MISSING
    seconds = max(0, int((now - value) / timedelta(seconds=1)))
    for unit, size in ((_("%d d ago"), 86400), (_("%d h ago"), 3600), (_("%d min ago"), 60)):
        if seconds >= size:
            return unit % (seconds // size)
    return _("%d s ago") % seconds


def ahead(value: datetime, now: datetime) -> str:
    """Show how long after `now` an instant comes, in its largest unit: "in 5 min"."""
    seconds = max(0, int((value - now) / timedelta(seconds=1)))
    for unit, size in ((_("in %d d"), 86400), (_("in %d h"), 3600)):
        if seconds >= size:
            return unit % (seconds // size)
    return _("in %d min") % max(1, -(-seconds // 60))


@register.filter
def hue(text: object) -> int:
    """Return a stable number from 0 to 7 for a name: the colour of its avatar."""
    return hashlib.blake2b(str(text).encode(), digest_size=1).digest()[0] % 8


@register.filter
def clock(seconds: float | None) -> str:
    """Show seconds since a call began as a player does: 74 is "1:14"."""
    if seconds is None:
        return MISSING
    whole_minutes, left = divmod(int(seconds), 60)
    return f"{whole_minutes}:{left:02d}"


@register.simple_tag
def clock_rate(calls: int = 1) -> str:
    """Return how fast the talk of so many calls grows here: by each one's second, or the sandbox's factor."""
    return f"{CLOCK.factor * calls:g}"


@register.simple_tag
def moving_minutes(seconds: int, until: int, calls: int) -> SafeString | str:
    """
    Show seconds as minutes that go on moving in the browser while so many calls talk, no further than `until`.

    Without a script they stay what they are.
    """
    shown = minutes(seconds)
    if not calls or seconds == until:
        return shown
    return format_html(
        '<span data-talk="{}" data-rate="{}" data-until="{}">{}</span>',
        seconds,
        clock_rate(calls if until > seconds else -calls),
        until,
        shown,
    )


@register.filter
def tone(status: object) -> str:
    """Return how a status feels: ok, warn, bad, info, accent, or quiet for any word unknown here."""
    return STATUS_LOOKS.get(str(status), ("quiet", ""))[0]


@register.filter
def status_icon(status: object) -> str:
    """Return the name of a status's icon: colour alone never tells."""
    return STATUS_LOOKS.get(str(status), ("", "minus-circle"))[1]


@register.filter
def status_word(status: object) -> str:
    """Show a stored status where no label is at hand: "in_call" is "In call"."""
    return str(status).replace("_", " ").capitalize()
