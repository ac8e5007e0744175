"""Every KPI's formula, with the words of its tooltip."""

from __future__ import annotations

from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Literal

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.utils.functional import _StrPromise as LazyText

    from reporting.metrics import Figures

type Unit = Literal["ratio", "number", "seconds", "micros", "minutes"]


@dataclass(frozen=True)
class Formula:
    """One figure: part ÷ whole, and how its tooltip says so."""

    code: str
    label: LazyText
    words: LazyText
    unit: Unit
    part: Callable[[Figures], float]
    whole: Callable[[Figures], float]


FORMULAS = (
    Formula(
        "connect_rate",
        _("Connect rate"),
        _("Calls answered by anything ÷ dials. Voicemail counts as an answer."),
        "ratio",
        lambda f: f.connects,
        lambda f: f.dials,
    ),
    Formula(
        "pick_up_rate",
        _("Pick-up rate"),
        _("Calls a person answered ÷ dials. Voicemail does not count."),
        "ratio",
        lambda f: f.humans,
        lambda f: f.dials,
    ),
    Formula(
        "contact_rate",
        _("Contact rate"),
        _("Leads who spoke with the agent ÷ leads dialled at least once."),
        "ratio",
        lambda f: f.reached,
        lambda f: f.dialled,
    ),
    Formula(
        "penetration",
        _("Penetration"),
        _("Leads dialled at least once ÷ leads that may be dialled."),
        "ratio",
        lambda f: f.dialled,
        lambda f: f.eligible,
    ),
    Formula(
        "exhaustion",
        _("Exhaustion"),
        _("Leads never reached in all their attempts ÷ leads that may be dialled."),
        "ratio",
        lambda f: f.exhausted,
        lambda f: f.eligible,
    ),
    Formula(
        "voicemail_rate",
        _("Voicemail rate"),
        _("Calls a machine answered ÷ dials."),
        "ratio",
        lambda f: f.machines,
        lambda f: f.dials,
    ),
    Formula(
        "conversion_of_contacts",
        _("Conversion of contacts"),
        _("Leads who reached the goal ÷ leads who spoke with the agent."),
        "ratio",
        lambda f: f.converted,
        lambda f: f.reached,
    ),
    Formula(
        "conversion_of_list",
        _("Conversion of list"),
        _("Leads who reached the goal ÷ leads that may be dialled."),
        "ratio",
        lambda f: f.converted,
        lambda f: f.eligible,
    ),
    Formula(
        "opt_out_rate",
        _("Opt-out rate"),
        _("Leads who asked not to be called ÷ leads who spoke with the agent."),
        "ratio",
        lambda f: f.opted_out,
        lambda f: f.reached,
    ),
    Formula(
        "transfer_rate",
        _("Transfer rate"),
        _("Calls that were handed to somebody else ÷ calls a person answered."),
        "ratio",
        lambda f: f.transferred,
        lambda f: f.humans,
    ),
    Formula(
        "transfer_success",
        _("Transfer success"),
        _("Calls that were handed to somebody else ÷ calls in which that was tried."),
        "ratio",
        lambda f: f.transferred,
        lambda f: f.transfers_tried,
    ),
    Formula(
        "abandonment",
        _("Abandonment"),
        _(
            "Calls in which the agent said nothing for two seconds after the person's greeting ÷ calls a person"
            " answered of which the times of the words are known."
        ),
        "ratio",
        lambda f: f.abandoned,
        lambda f: f.timed,
    ),
    Formula(
        "disclosure_pass_rate",
        _("Disclosure pass rate"),
        _(
            "Calls that began with all that must be said (who calls; where a rule asks for it, that an AI calls and that"
            " the call is recorded) ÷ calls a person answered whose opening was checked."
        ),
        "ratio",
        lambda f: f.disclosed,
        lambda f: f.checked,
    ),
    Formula(
        "callback_kept_rate",
        _("Calls back kept"),
        _("Calls back dialled within 15 minutes of the asked time ÷ calls back that were due."),
        "ratio",
        lambda f: f.callbacks_kept,
        lambda f: f.callbacks_due,
    ),
    Formula(
        "attempts_per_lead",
        _("Attempts per lead"),
        _("Dials ÷ leads dialled at least once."),
        "number",
        lambda f: f.dials,
        lambda f: f.dialled,
    ),
    *(
        Formula(
            code,
            label,
            _("Leads dialled that often ÷ leads dialled at least once."),
            "ratio",
            attrgetter(code),
            lambda f: f.dialled,
        )
        for code, label in (
            ("dialled_once", _("Dialled once")),
            ("dialled_twice", _("Dialled twice")),
            ("dialled_thrice", _("Dialled three times")),
            ("dialled_more", _("Dialled four times or more")),
        )
    ),
    Formula(
        "attempts_per_contact",
        _("Attempts per contact"),
        _("Dials ÷ calls a person answered."),
        "number",
        lambda f: f.dials,
        lambda f: f.humans,
    ),
    Formula(
        "aht",
        _("Average talk time"),
        _("Seconds of calls a person answered ÷ those calls."),
        "seconds",
        lambda f: f.human_talk_ms / 1000,
        lambda f: f.humans,
    ),
    Formula(
        "cost_per_dial",
        _("Cost per dial"),
        _("What the calls were charged ÷ dials."),
        "micros",
        lambda f: f.client_cost_micros,
        lambda f: f.dials,
    ),
    Formula(
        "cost_per_contact",
        _("Cost per contact"),
        _("What the calls were charged ÷ leads who spoke with the agent."),
        "micros",
        lambda f: f.client_cost_micros,
        lambda f: f.reached,
    ),
    Formula(
        "cost_per_lead",
        _("Cost per lead"),
        _("What the calls were charged ÷ leads that may be dialled."),
        "micros",
        lambda f: f.client_cost_micros,
        lambda f: f.eligible,
    ),
    Formula(
        "cost_per_conversion",
        _("Cost per conversion"),
        _("What the calls were charged ÷ leads who reached the goal."),
        "micros",
        lambda f: f.client_cost_micros,
        lambda f: f.converted,
    ),
    Formula(
        "effective_rate",
        _("Effective rate per minute"),
        _("What the calls were charged ÷ billed minutes."),
        "micros",
        lambda f: f.client_cost_micros,
        lambda f: f.billed_seconds / 60,
    ),
    Formula(
        "minutes_per_conversion",
        _("Minutes per conversion"),
        _("Connected minutes ÷ leads who reached the goal."),
        "minutes",
        lambda f: f.talk_ms / 60_000,
        lambda f: f.converted,
    ),
)
