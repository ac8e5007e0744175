"""Whom a campaign's agent may hand a call to: the people, their hours, and what Retell is told of them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypedDict
from zoneinfo import available_timezones

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext as _

from convomono.lib.phone import NumberRefused, parse_number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST_TARGETS: Final = 3
NAME_CHARS: Final = 60
REASON_CHARS: Final = 200
_ENGLISH: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_HOUR: Final = re.compile(r"^([01][0-9]|2[0-3]):[0-5][0-9]$")
TOOL: Final = "transfer_call"


class TransferTarget(TypedDict):
    """
    Somebody who may be handed a call: `name` and `number` (E.164), and `reason`, in words, when they are.

    They take calls on `days` (0 is Monday; none: on each) from `opens` to `closes`, "HH:MM" in
    `time_zone`; both empty: at any hour.
    """

    name: str
    number: str
    reason: str
    days: list[int]
    opens: str
    closes: str
    time_zone: str


def read_target(typed: Mapping[str, Any]) -> TransferTarget:
    """Return a target as it is stored, its number in E.164 where it can be read."""
    try:
        number = parse_number(typed["number"]).e164
    except NumberRefused:
        number = typed["number"].strip()
    return {
        "name": typed["name"].strip(),
        "number": number,
        "reason": typed["reason"].strip(),
        "days": sorted(set(typed["days"])),
        "opens": typed["opens"],
        "closes": typed["closes"],
        "time_zone": typed["time_zone"].strip(),
    }


def target_faults(target: Mapping[str, Any]) -> dict[str, str]:
    """Return what is wrong with a target, as name of the part -> what to do about it."""
    wrong = {}
    if not target["name"]:
        wrong["name"] = _("Say who it is.")
    if not target["reason"]:
        wrong["reason"] = _("Say when the agent hands a call to them.")
    for part in ("name", "reason"):
        if "{{" in target[part]:  # the check of variables reads the script alone
            wrong[part] = _("No variables stand here.")
    try:
        parse_number(target["number"])
    except NumberRefused:
        wrong["number"] = _("Write a phone number that can be called, such as +1 212 555 0123.")
    return wrong | _faults_of_hours(target)


def _faults_of_hours(target: Mapping[str, Any]) -> dict[str, str]:
    opens, closes, zone = target["opens"], target["closes"], target["time_zone"]
    wrong = {}
    for part in ("opens", "closes"):
        if not target[part] and (opens or closes):
            wrong[part] = _("Give both hours, or neither.")
        elif target[part] and not _HOUR.match(target[part]):
            wrong[part] = _("Write an hour such as 09:00.")
    if not wrong and opens and opens >= closes:
        wrong["closes"] = _("It has to be later than the first hour.")
    if zone and zone not in available_timezones():
        wrong["time_zone"] = _("This is no time zone. Such as: America/Chicago.")
    elif not zone and (opens or target["days"]):
        wrong["time_zone"] = _("Say in which time zone these hours are.")
    return wrong


def transfer_tools(targets: Sequence[TransferTarget]) -> tuple[dict[str, Any], ...]:
    """Return the tools of Retell's prompt engine by which the agent hands a call over, one for each target."""
    return tuple(_tool(target, number) for number, target in enumerate(targets, start=1))


def _tool(target: TransferTarget, number: int) -> dict[str, Any]:
    # The agent hears nothing of what is said to the colleague before the person is let in.
    briefing = (
        "Say in two sentences who is on the line, why we called them and what they ask for. "
        "Then say that you connect them now."
    )
    return {
        "type": "transfer_call",
        "name": TOOL if number == 1 else f"{TOOL}_{number}",
        "description": _description(target),
        "transfer_destination": {"type": "predefined", "number": target["number"]},
        "transfer_option": {
            "type": "warm_transfer",
            "private_handoff_option": {"type": "prompt", "prompt": briefing},
        },
        "speak_during_execution": True,
        "execution_message_type": "prompt",
        "execution_message_description": (
            f"Say that you connect them with {target['name']} and ask them to hold the line."
        ),
    }


def _description(target: TransferTarget) -> str:
    """
    Say when the agent hands a call over. Retell puts the time into a tool's description itself.

    Source: https://docs.retellai.com/build/dynamic-variables ({{current_time_[timezone]}}).
    """
    said = [f"Hand the call to {target['name']}. When: {target['reason']}"]
    if hours := _hours(target):
        zone = target["time_zone"]
        said.append(f"Only {hours}, {zone} time; there it is now {{{{current_time_{zone}}}}}.")
        said.append("At any other time say when they can be reached and offer a call back.")
    said.append("If nobody takes the call, say so and offer a call back.")
    return " ".join(said)


def _hours(target: TransferTarget) -> str:
    days = ", ".join(_ENGLISH[day] for day in target["days"])
    clock = f"from {target['opens']} to {target['closes']}" if target["opens"] else ""
    return " ".join(filter(None, [f"on {days}" if days else "", clock]))


def target_words(target: Mapping[str, Any]) -> str:
    """Return a target as people read it in the difference between two versions."""
    days = [str(label) for day, label in WEEKDAYS.items() if day in target["days"]]
    clock = f"{target['opens']}–{target['closes']}" if target["opens"] else ""
    hours = [part for part in (", ".join(days), clock, target["time_zone"]) if part]
    when = " ".join(hours) or _("at any hour")
    return f"{target['name']} ({target['number']}; {when}): {target['reason']}"
