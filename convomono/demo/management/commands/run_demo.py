"""Runs one whole campaign against the sandbox and says whether everything adds up."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from billing.models import Wallet
from campaigns.models import Campaign
from campaigns.services.lifecycle import launch_campaign
from convomono.demo.agency import make_agency
from convomono.demo.campaigns import make_ready, upload, write_campaign
from convomono.demo.people import AREAS_PAST, AREAS_READY, people
from convomono.demo.run import (
    TookTooLong,
    is_over,
    is_settled,
    note_replay,
    summarise,
    wait_until,
)
from convomono.lib import clock
from convomono.lib.ids import uuid7
from leads.services.suppressions import suppress
from webhooks.scratch import rebuild_in_scratch

if TYPE_CHECKING:
    from django.core.management.base import CommandParser

MINUTES = 3_000


class Command(BaseCommand):
    """
    Upload leads, launch, wait for the last call, and add everything up.

    Wants an empty database and the product's processes running beside it. Exits with 1 if one
    figure doesn't add up.
    """

    help = __doc__

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--leads", type=int, default=500)

    def handle(self, *_args: Any, leads: int, **_options: Any) -> None:
        started = time.monotonic()
        now = clock.now()
        agency = make_agency(now=now, minutes=MINUTES)
        self.stdout.write(f"Uploading {leads} leads …")
        campaign = write_campaign(
            client=agency.acme, name="Demonstration", actor=agency.alice, now=now
        )
        rows = people(leads, areas=AREAS_READY + AREAS_PAST, seed=1)
        suppress(
            level="client",
            client_id=agency.acme.pk,
            campaign_id=None,
            phone_number=rows[3].phone_number,
            source="person",
            reason="Asked at the front desk",
            actor=agency.alice,
            now=now,
        )
        receipt = upload(
            campaign=campaign,
            rows=rows,
            actor=agency.alice,
            now=now,
            real_now=clock.real_now(),
        )
        before = Wallet.objects.get(client=agency.acme).available_seconds
        try:
            self._prepare(campaign, agency.alice)
            self.stdout.write("Launching …")
            batch = launch_campaign(
                campaign=campaign,
                launch_key=uuid7(),
                actor=agency.alice,
                now=clock.now(),
                is_sandbox=True,
            )
            wait_until(lambda: is_over(batch.pk), "The campaign")
            wait_until(lambda: is_settled(campaign.pk), "The last analysis", seconds=60)
        except TookTooLong as exc:
            raise CommandError(str(exc)) from exc
        result = summarise(campaign=campaign, batch=batch, receipt=receipt, before_seconds=before)
        self.stdout.write("Telling all calls anew from their events …")
        note_replay(result, rebuild_in_scratch())
        for label, value in result.lines:
            self.stdout.write(f"{label:<18} {value:>12}")
        self.stdout.write(f"{'seconds':<18} {time.monotonic() - started:>12.1f}")
        if result.problems:
            raise CommandError("\n".join(result.problems))

    def _prepare(self, campaign: Campaign, actor: Any) -> None:
        self.stdout.write("Preparing the agent …")
        make_ready(campaign=campaign, actor=actor, now=clock.now())

        def is_ready() -> bool:
            campaign.refresh_from_db()
            return campaign.status != Campaign.Status.PREPARING

        wait_until(is_ready, "Preparing the agent")
        if campaign.status != Campaign.Status.READY:
            raise CommandError(campaign.prepare_error)
