"""The versions of a campaign: the list, what is different between two, and going back to one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _, ngettext
from django.views.decorators.http import require_GET, require_POST

from accounts.access import (
    can_manage,
    client_launcher,
    client_manager,
    client_viewer,
    get_visible_or_404,
)
from campaigns.models import Campaign
from campaigns.queries.versions import (
    diff_versions,
    find_version,
    launches_waiting_for,
    version_rows,
)
from campaigns.services import lifecycle
from campaigns.services.versions import (
    NobodyFills,
    OwnVersion,
    VersionNotPublished,
    use_in_launches,
)
from convomono.lib import clock

if TYPE_CHECKING:
    from uuid import UUID

    from django.http import HttpResponse

    from accounts.access import ClientRequest


@client_viewer
@require_GET
def version_list(request: ClientRequest, campaign_id: UUID) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    context = {
        "campaign": campaign,
        "rows": version_rows(campaign),
        "may_manage": can_manage(request.user),
    }
    return render(request, "campaigns/campaign_versions.html", context)


@client_viewer
@require_GET
def version_detail(request: ClientRequest, campaign_id: UUID, number: int) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    version = find_version(campaign, number)
    if version is None:
        raise Http404
    asked = request.GET.get("against", "")
    # More digits than a version number has is no version, not an error of the database.
    against = int(asked) if asked.isdecimal() and len(asked) < 9 else number - 1  # noqa: PLR2004
    before = find_version(campaign, against)
    rows = version_rows(campaign)
    context = {
        "campaign": campaign,
        "version": version,
        "before": before,
        "others": [row.version.number for row in rows if row.version.number != number],
        "diff": diff_versions(before, version),
        "is_published": version.number == campaign.published_version,
        "waiting": launches_waiting_for(version, campaign),
        "may_launch": can_manage(request.user) and request.user.can_launch,
        "may_manage": can_manage(request.user),
    }
    return render(request, "campaigns/campaign_version.html", context)


@client_manager
@require_POST
def version_restore(request: ClientRequest, campaign_id: UUID, number: int) -> HttpResponse:
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    version = find_version(campaign, number)
    if version is None:
        raise Http404
    try:
        lifecycle.restore_version(
            campaign=campaign, version=version, actor=request.user, now=clock.now()
        )
    except lifecycle.CampaignArchived:
        messages.error(request, _("This campaign is archived and stays as it is."))
        return redirect("campaigns:campaign-versions", campaign.pk)
    messages.success(
        request,
        _("Version %(number)d is back as a draft. Publish it, and new calls use it.")
        % {"number": version.number},
    )
    return redirect("campaigns:campaign-step", campaign.pk, "test")


@client_launcher
@require_POST
def version_take_up(request: ClientRequest, campaign_id: UUID, number: int) -> HttpResponse:
    """Let running launches call with the published version."""
    campaign = get_visible_or_404(request, Campaign.objects.all(), campaign_id)
    version = find_version(campaign, number)
    if version is None:
        raise Http404
    try:
        taken = use_in_launches(
            campaign=campaign, version=version, actor=request.user, now=clock.now()
        )
    except OwnVersion:
        messages.error(
            request, _("You published it yourself: somebody else has to let them use it.")
        )
    except VersionNotPublished:
        messages.error(request, _("Another version is published by now. Look at that one."))
    except NobodyFills as refused:
        names = ", ".join(f"{{{{{name}}}}}" for name in refused.names)
        sentence = _("They keep theirs: none of their leads has a value for %(names)s.")
        messages.error(request, sentence % {"names": names})
    else:
        sentence = ngettext(
            "%(n)d launch uses it from its next call on.",
            "%(n)d launches use it from their next call on.",
            taken,
        )
        messages.success(request, sentence % {"n": taken})
    return redirect("campaigns:campaign-version", campaign.pk, number)
