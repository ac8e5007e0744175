"""Experiments of a campaign: start one, watch it, end it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import messages
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import (
    can_manage,
    client_manager,
    client_viewer,
    get_or_404,
    get_visible_or_404,
)
from campaigns import jobs
from campaigns.forms.experiment import ExperimentForm
from campaigns.models import Campaign, Experiment
from campaigns.queries.experiments import experiment_page, experiments_of
from campaigns.queries.versions import find_version
from campaigns.services import experimenting
from campaigns.voices import voice_choices
from convomono.lib import clock
from convomono.lib.answers import form_status
from convomono.lib.jobs import enqueue
from telephony.retell import retell_gateway

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_manager
@require_http_methods(["GET", "POST"])
def experiment_list(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.select_related("client"), campaign_id)
    control = find_version(campaign, campaign.published_version or 0)
    form = None
    if control is not None:
        form = ExperimentForm(
            request.POST or None, control=control, voices=voice_choices(retell_gateway())
        )
    if request.method == "POST" and form is not None and form.is_valid():
        try:
            row = experimenting.start_experiment(
                campaign=campaign, trial=form.trial(), actor=request.user, now=clock.now()
            )
        except experimenting.ExperimentRefused as refused:
            form.add_error(None, _refusals()[refused.code])
        except experimenting.TrialUnsound as unsound:
            form.show(unsound.problems)
        else:
            enqueue(jobs.prepare_experiment, queue="calls", experiment_id=str(row.pk))
            return redirect("campaigns:experiment-detail", campaign.pk, row.pk)
    context = {"campaign": campaign, "rows": experiments_of(campaign), "form": form}
    status = form_status(request)
    return render(request, "campaigns/campaign_experiments.html", context, status=status)


@client_viewer
@require_GET
def experiment_detail(
    request: ClientRequest, campaign_id: UUID, experiment_id: UUID
) -> HttpResponse:
    campaign, row = _found(request, campaign_id, experiment_id)
    context: dict[str, Any] = {
        "campaign": campaign,
        "page": experiment_page(row),
        "may_manage": can_manage(request.user),
    }
    return render(request, "campaigns/campaign_experiment.html", context)


@client_manager
@require_POST
def experiment_stop(request: ClientRequest, campaign_id: UUID, experiment_id: UUID) -> HttpResponse:
    campaign, row = _found(request, campaign_id, experiment_id)
    experimenting.end_experiment(
        experiment=row, status=Experiment.Status.STOPPED, actor=request.user, now=clock.now()
    )
    return redirect("campaigns:experiment-detail", campaign.pk, row.pk)


@client_manager
@require_POST
def experiment_retry(
    request: ClientRequest, campaign_id: UUID, experiment_id: UUID
) -> HttpResponse:
    campaign, row = _found(request, campaign_id, experiment_id)
    enqueue(jobs.prepare_experiment, queue="calls", experiment_id=str(row.pk))
    messages.info(request, _("Asked Retell again. Look back in a moment."))
    return redirect("campaigns:experiment-detail", campaign.pk, row.pk)


def _found(
    request: ClientRequest, campaign_id: UUID, experiment_id: UUID
) -> tuple[Campaign, Experiment]:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    rows = Experiment.objects.filter(client_id=campaign.client_id, campaign=campaign)
    rows = rows.select_related("control", "variant", "campaign")
    return campaign, get_or_404(rows, experiment_id)


def _refusals() -> dict[str, str]:
    return {
        "not_ready": _(
            "Make the campaign ready first: a trial runs against its published version."
        ),
        "no_goal": _(
            "Say in the Results step what counts as a conversion: a trial is judged by it."
        ),
        "same": _("This is what the published version says already. Change something."),
        "another": _("Another experiment is running. End it first."),
    }
