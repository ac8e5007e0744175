"""An experiment as its page shows it: both arms with intervals, and what may honestly be said."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from campaigns.experiments import ENOUGH
from campaigns.models import Experiment
from campaigns.queries.ranking import wilson

if TYPE_CHECKING:
    from campaigns.models import Campaign, CampaignVersion

_PER_CENT = 100


@dataclass(frozen=True)
class ArmRow:
    """One arm; ratios with 95 % Wilson intervals, None before anybody was reached."""

    label: str
    version: int | None
    reached: int
    converted: int
    opted_out: int
    talk_seconds: int

    @property
    def ratio(self) -> float | None:
        return self.converted / self.reached if self.reached else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """The 95 % Wilson interval of the conversion ratio."""
        return wilson(self.converted, self.reached) if self.reached else None

    @property
    def opt_out_ratio(self) -> float | None:
        return self.opted_out / self.reached if self.reached else None

    @property
    def seconds_per_reached(self) -> int | None:
        return round(self.talk_seconds / self.reached) if self.reached else None


@dataclass(frozen=True)
class ExperimentPage:
    """One experiment with the sentence that says where it stands."""

    experiment: Experiment
    arms: list[ArmRow]
    evidence_percent: int  # of what a winner needs, on a scale of logarithms
    sentence: str
    look_at: int | None = None  # the version that the sentence tells to look at


def experiments_of(campaign: Campaign) -> list[Experiment]:
    """Return a campaign's experiments, newest first; one query."""
    rows = Experiment.objects.filter(client_id=campaign.client_id, campaign=campaign)
    return list(rows.select_related("control", "variant").order_by("-created_at", "-pk")[:100])


def experiment_page(experiment: Experiment) -> ExperimentPage:
    """Return what the page of an experiment shows; it was counted a minute ago at most."""
    results = experiment.results or {}
    evidence = float(results.get("evidence", 1.0))
    variant = experiment.variant
    arms = [
        _arm(_("Published version"), experiment.control.number, results.get("control", {})),
        _arm(_("Trial"), variant.number if variant else None, results.get("variant", {})),
    ]
    share = math.log(max(evidence, 1.0)) / math.log(ENOUGH)
    percent = min(_PER_CENT, round(share * _PER_CENT))
    if experiment.winner == "variant" and variant is not None:
        return ExperimentPage(experiment, arms, percent, *_won(experiment, variant))
    return ExperimentPage(experiment, arms, percent, _say(experiment, arms))


def _won(experiment: Experiment, variant: CampaignVersion) -> tuple[str, int]:
    """Return what became of a trial that won, and the version to look at: numbers only ever grow."""
    published = experiment.campaign.published_version or 0
    if published == variant.number:
        return _("The trial won and is the published version now."), variant.number
    if published > variant.number:
        sentence = _("The trial won. Another version was published since: version %(number)d.")
        return sentence % {"number": published}, published
    sentence = _(
        "The trial won, but wasn't published: the campaign was edited meanwhile. Go back to version %(number)d "
        "to use it."
    )
    return sentence % {"number": variant.number}, variant.number


def _arm(label: str, version: int | None, counts: dict[str, int]) -> ArmRow:
    return ArmRow(
        label=label,
        version=version,
        reached=counts.get("reached", 0),
        converted=counts.get("converted", 0),
        opted_out=counts.get("opted_out", 0),
        talk_seconds=counts.get("talk_seconds", 0),
    )


def _say(experiment: Experiment, arms: list[ArmRow]) -> str:
    status = Experiment.Status
    if experiment.status == status.PREPARING and experiment.prepare_error:
        return experiment.prepare_error
    key = experiment.winner or experiment.status
    if experiment.status == status.RUNNING and not any(arm.reached for arm in arms):
        key = "nobody"
    if experiment.status == status.HARMFUL and experiment.results.get("harm") == "cost":
        key = "cost"
    return {
        "cost": _(
            "Stopped: the trial takes far more talk and brings no more for it. "
            "Everybody hears the published version."
        ),
        status.PREPARING: _("The trial is being published at Retell."),
        status.HARMFUL: _(
            "Stopped: the trial drove more people to opt out. Everybody hears the published version."
        ),
        status.STOPPED: _("Stopped without a decision. Everybody hears the published version."),
        "control": _("The version that was published won; the trial changed nothing."),
        "nobody": _("Running. Nobody was reached yet; leads get an arm as they are called."),
        status.RUNNING: _(
            "No decision yet: the difference may still be chance. Looking often does no harm."
        ),
    }[key]
