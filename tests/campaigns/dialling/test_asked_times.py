"""The day and hour that somebody named for a call back; rather none than a wrong one."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from campaigns.dialling.callbacks import asked_time

NEW_YORK = ZoneInfo("America/New_York")
BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = datetime(2026, 11, 23, 15, 0, tzinfo=UTC)  # 10:00 in New York, 16:00 in Berlin


def at(month: int, day: int, hour: int, minute: int = 0, year: int = 2026) -> datetime:
    return datetime(year, month, day, hour, minute, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # A date, with the clock after it or before it
        ("December 12th at 3 pm", at(12, 12, 15)),
        ("Dec. 12, 3pm", at(12, 12, 15)),
        ("at 3 pm on the 12th of December", at(12, 12, 15)),
        ("12 December at 15:00", at(12, 12, 15)),
        ("December 12, 2026 at 9:30 a.m.", at(12, 12, 9, 30)),
        ("december twelve at three", at(12, 12, 15)),
        ("December 12", at(12, 12, 10)),
        ("on December 12 in the afternoon", at(12, 12, 15)),
        ("12/15 at 3 pm", at(12, 15, 15)),
        ("12/15/2026 3:15 PM", at(12, 15, 15, 15)),
        ("12/15/26, 11 am", at(12, 15, 11)),
        ("15/12 at 3 pm", at(12, 15, 15)),  # there is no fifteenth month
        ("12/1 at 3 pm", at(12, 1, 15)),  # the month first here
        ("12.1.2027 at 3 pm", at(1, 12, 15, year=2027)),
        ("2026-12-12 3 pm", at(12, 12, 15)),
        ("2026-12-12 03:30 pm", at(12, 12, 15, 30)),
        ("2026-12-12 at 4", at(12, 12, 16)),
        ("Saturday, December 12 at 3 pm", at(12, 12, 15)),
        ("January 5 at 2pm", at(1, 5, 14, year=2027)),  # past: next year's
        ("on the 1st at 2pm", at(12, 1, 14)),
        ("the 30th at noon", at(11, 30, 12)),
        # No such date, or too far away
        ("on May 3 at 2pm", None),
        ("November 2 at 2pm", None),  # next year's
        ("November 31 at 2pm", None),
        ("13/13 at 3 pm", None),
        ("Friday, December 12 at 3 pm", None),  # a Saturday
        ("December 12, 2031 at 3 pm", None),
        ("December 12, 1026 at 3 pm", None),
        # From now on, with the clock
        ("in two weeks at 3 pm", at(12, 7, 15)),
        ("in 3 days at 11:30", at(11, 26, 11, 30)),
        ("in 10 days in the afternoon", at(12, 3, 15)),
        ("2 days from now at 4 pm", at(11, 25, 16)),
        ("in an hour and a half", at(11, 23, 11, 30)),
        ("within 2 hours", at(11, 23, 12)),
        ("in a month at 3 pm", at(12, 23, 15)),
        # The hour, said otherwise
        ("Friday after 5", at(11, 27, 17)),
        ("fri after 5", at(11, 27, 17)),
        ("after 5:30 tomorrow", at(11, 24, 17, 30)),
        ("around 4 today", at(11, 23, 16)),
        ("tomorrow between 2 and 4 pm", at(11, 24, 14)),
        ("tomorrow 11 to 1 pm", at(11, 24, 11)),
        ("tomorrow, 9-11 am", at(11, 24, 9)),
        ("Thursday at 3 or 4 pm", at(11, 26, 15)),
        ("tomorrow at quarter past three", at(11, 24, 15, 15)),
        ("tomorrow at 3.30 pm", at(11, 24, 15, 30)),
        ("tomorrow night at 8", at(11, 24, 20)),
        ("today at 12 noon", at(11, 23, 12)),
        # Days as seen from today
        ("Tuesday next week at 3 pm", at(12, 1, 15)),
        ("Friday instead of tomorrow, at 3 pm", at(11, 27, 15)),
        ("he may have time tomorrow at 3", at(11, 24, 15)),
        # Not then
        ("No, not tomorrow", None),
        ("not before December", None),
        ("don't call on Friday at 3", None),
        ("he can’t tomorrow at 3 pm", None),  # noqa: RUF001  # as it is written
        ("never on a Monday", None),
        ("before 5 pm tomorrow", None),
        ("tomorrow by 5", None),
        # What isn't understood is left alone
        ("some day in December at 3 pm", None),
        ("tomorrow or in 3 days", None),
        ("tomorrow at 3, my number is 212 555 0100", None),
        ("December 12 or 13 at 3 pm", None),
        ("at the weekend at 3 pm", None),
        ("next month at 3 pm", None),
        ("in a few days at 3 pm", None),
        ("a week from Friday at 3 pm", None),
        ("December 3 pm", None),
        ("tomorrow 1500", None),
    ],
)
def test_reads_the_day_and_the_hour_that_were_named(text: str, expected: datetime | None) -> None:
    assert asked_time(text, zone="America/New_York", said_at=MONDAY) == expected


@pytest.mark.parametrize(
    ("text", "month", "day", "hour"),
    [
        ("12/1 at 3 pm", 1, 12, 15),
        ("1/12 at 3 pm", 12, 1, 15),
        ("12/15 at 3 pm", 12, 15, 15),
        ("3.12. at 15:00", 12, 3, 15),
        ("3 December, 15:00", 12, 3, 15),
    ],
)
def test_reads_the_day_first_outside_the_usa(text: str, month: int, day: int, hour: int) -> None:
    year = 2026 if month > 1 else 2027

    assert asked_time(text, zone="Europe/Berlin", said_at=MONDAY) == datetime(
        year, month, day, hour, tzinfo=BERLIN
    )
