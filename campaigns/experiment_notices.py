"""What a client's people are told of an experiment's end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from accounts.models import Notification
from accounts.notifications import notify
from campaigns.models import Experiment

if TYPE_CHECKING:
    from datetime import datetime

Status = Experiment.Status


def tell_of_end(*, experiment: Experiment, is_published: bool, now: datetime) -> bool:
    """Tell how an experiment ended, once, inside the block that ends it; `is_published`: the trial is now."""
    harmful = experiment.status == Status.HARMFUL
    title, body = _said(experiment, is_published=is_published)
    return notify(
        client=experiment.client,
        level=Notification.Level.WARN if harmful else Notification.Level.INFO,
        title=(title % {"name": experiment.campaign.name})[:200],
        body=body,
        url=f"/app/campaigns/{experiment.campaign_id}/experiments/{experiment.pk}/",
        key=f"experiment-ended:{experiment.pk}",
        now=now,
    )


def _said(experiment: Experiment, *, is_published: bool) -> tuple[str, str]:
    """Return the title, with a place for the campaign's name, and the sentence below it."""
    if experiment.status == Status.HARMFUL:
        return _("The trial of %(name)s was stopped"), _harm(experiment)
    if experiment.status != Status.DECIDED:
        return (
            _("The experiment of %(name)s ended without a decision"),
            _("Everybody hears the published version from the next call on."),
        )
    if experiment.winner != "variant":
        return (
            _("The trial of %(name)s lost"),
            _("The published version brought more. Everybody hears it from the next call on."),
        )
    number = {"number": experiment.variant.number if experiment.variant else 0}
    if is_published:
        sentence = _(
            "Version %(number)d is the published one now; launches that tried it go on with it."
        )
    else:
        sentence = _(
            "It wasn't published: the campaign was edited meanwhile. Go back to version %(number)d to use it."
        )
    return _("The trial of %(name)s won"), sentence % number


def _harm(experiment: Experiment) -> str:
    if experiment.results.get("harm") == "cost":
        return _("It takes far more talk and brings no more for it. Nobody hears it any more.")
    return _("It drove more people to opt out. Nobody hears it any more.")
