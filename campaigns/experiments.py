"""Which of two versions a lead hears, and when the difference between them may be believed. Pure decisions."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

type Arm = Literal["control", "variant"]
type Harm = Literal["opt_out", "cost"]

# At most one false winner in twenty, however often somebody looks (Ville's inequality: 1 / 0.05).
ENOUGH = 20.0
# Nobody changes what is said because of fewer people than this in each arm.
LEAST_REACHED = 20
# A test for harm may be believed sooner: stopping for nothing costs little.
HARM_ENOUGH = 10.0
# From here on a variant costs far more: its talk per person reached, over the control's.
FAR_MORE = 1.25
# The prior that makes the test grow fastest. Source: Turner, Ly and Grünwald, "Generic E-variables
# for exact sequential k-sample tests that allow for optional stopping" (2021).
_PRIOR = 0.18


def arm_of(*, experiment_id: UUID, lead_id: UUID) -> Arm:
    """Return the arm of a lead: drawn once by a hash, so that it stays the same for every call."""
    digest = hashlib.sha256(experiment_id.bytes + lead_id.bytes).digest()
    return "variant" if digest[0] & 1 else "control"


@dataclass(frozen=True)
class Outcome:
    """What became of one lead who was reached, in the order in which they were done."""

    arm: Arm
    is_converted: bool
    has_opted_out: bool
    talk_seconds: int = 0  # what its calls are billed for, all tries together


@dataclass(frozen=True)
class ArmResult:
    """The counts of one arm; the ratios are of the leads who were reached."""

    reached: int = 0
    converted: int = 0
    opted_out: int = 0
    talk_seconds: int = 0

    @property
    def opt_out_ratio(self) -> float:
        return self.opted_out / self.reached if self.reached else 0.0

    @property
    def seconds_per_reached(self) -> float:
        return self.talk_seconds / self.reached if self.reached else 0.0


@dataclass(frozen=True)
class Judgement:
    """
    What may be said of an experiment.

    `evidence` is the most that was ever against "both are alike", in the units of `ENOUGH`; `winner` is
    empty while it isn't enough. `harm` tells that the variant drives people to opt out, or takes far more
    talk without bringing more for it.
    """

    control: ArmResult
    variant: ArmResult
    evidence: float
    winner: Arm | Literal[""]
    harm_evidence: float
    cost_evidence: float
    harm: Harm | Literal[""]


def judge(outcomes: Sequence[Outcome]) -> Judgement:
    """
    Judge an experiment from all its outcomes so far; looking often costs nothing in certainty.

    Outcomes are paired, the n-th of one arm with the n-th of the other. A winner is named once the
    evidence was enough at some pair and 20 people were reached in each arm.
    """
    control = [one for one in outcomes if one.arm == "control"]
    variant = [one for one in outcomes if one.arm == "variant"]
    goal = sequential_test(
        [one.is_converted for one in control], [one.is_converted for one in variant], ENOUGH
    )
    harmed = sequential_test(
        [one.has_opted_out for one in control], [one.has_opted_out for one in variant], HARM_ENOUGH
    )
    cost = sign_test(
        [one.talk_seconds for one in control], [one.talk_seconds for one in variant], HARM_ENOUGH
    )
    winner: Arm | Literal[""] = ""
    if goal.crossed_by and min(len(control), len(variant)) >= LEAST_REACHED:
        winner = "variant" if goal.crossed_by > 0 else "control"
    ours, theirs = _result(control), _result(variant)
    harm: Harm | Literal[""] = ""
    if harmed.crossed_by > 0:
        harm = "opt_out"
    elif cost.crossed_by > 0 and winner != "variant" and _costs_far_more(ours, theirs):
        harm = "cost"
    return Judgement(
        control=ours,
        variant=theirs,
        evidence=goal.evidence,
        winner=winner,
        harm_evidence=harmed.evidence,
        cost_evidence=cost.evidence,
        harm=harm,
    )


def _costs_far_more(control: ArmResult, variant: ArmResult) -> bool:
    """Tell whether the variant takes far more talk for a person, and no less for a conversion."""
    if variant.seconds_per_reached < FAR_MORE * control.seconds_per_reached:
        return False
    return variant.talk_seconds * control.converted >= control.talk_seconds * variant.converted


def _result(outcomes: Iterable[Outcome]) -> ArmResult:
    rows = list(outcomes)
    return ArmResult(
        reached=len(rows),
        converted=sum(row.is_converted for row in rows),
        opted_out=sum(row.has_opted_out for row in rows),
        talk_seconds=sum(row.talk_seconds for row in rows),
    )


@dataclass(frozen=True)
class SequentialTest:
    """The most evidence there was, and the sign of (variant - control) when it became enough, else 0."""

    evidence: float
    crossed_by: int


def sequential_test(
    control: Sequence[bool], variant: Sequence[bool], enough: float
) -> SequentialTest:
    """
    Test "both have the same ratio" by pairs, valid at every moment.

    Each pair multiplies the evidence by how much better two separate ratios, estimated from the
    earlier pairs, foretold it than their mean did. If both are alike its expectation never grows, so
    it ever reaches `enough` with a probability of 1 / enough at most.
    """
    log_evidence, most = 0.0, 0.0
    limit = math.log(enough)
    hits_control = hits_variant = 0
    for pairs, (c, v) in enumerate(zip(control, variant, strict=False)):
        p_control = (hits_control + _PRIOR) / (pairs + 2 * _PRIOR)
        p_variant = (hits_variant + _PRIOR) / (pairs + 2 * _PRIOR)
        p_both = (p_control + p_variant) / 2
        log_evidence += _log(p_control, c) + _log(p_variant, v) - _log(p_both, c) - _log(p_both, v)
        hits_control += c
        hits_variant += v
        most = max(most, log_evidence)
        if log_evidence >= limit:
            sign = (hits_variant > hits_control) - (hits_variant < hits_control)
            return SequentialTest(math.exp(min(most, 50.0)), sign)
    return SequentialTest(math.exp(most), 0)


def sign_test(control: Sequence[int], variant: Sequence[int], enough: float) -> SequentialTest:
    """
    Test "both amounts are drawn alike" by pairs, valid at every moment; only which is larger counts.

    If both are alike each is the larger with the same chance, whatever the amounts: so one endless call
    proves nothing. Equal pairs tell nothing. Source: Krichevsky and Trofimov's estimator as a bet.
    """
    log_evidence, most, limit = 0.0, 0.0, math.log(enough)
    more = seen = 0
    for c, v in zip(control, variant, strict=False):
        if c == v:
            continue
        ratio = (more + 0.5) / (seen + 1)
        log_evidence += _log(ratio, v > c) - math.log(0.5)
        more += v > c
        seen += 1
        most = max(most, log_evidence)
        if log_evidence >= limit:
            return SequentialTest(math.exp(min(most, 50.0)), 1 if 2 * more > seen else -1)
    return SequentialTest(math.exp(most), 0)


def _log(ratio: float, happened: bool) -> float:
    return math.log(ratio if happened else 1 - ratio)
