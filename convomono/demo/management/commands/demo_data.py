"""Fills an empty database with the demonstration."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from accounts.models import User
from campaigns.models import Campaign
from convomono.demo.agency import ROOT, find_agency, make_agency
from convomono.demo.campaigns import make_ready, upload, write_campaign
from convomono.demo.habits import write_habits
from convomono.demo.history import DAYS, write_history
from convomono.demo.people import AREAS_READY, people
from convomono.demo.writing import keep_knowledge, keep_templates, keep_views
from convomono.lib import clock
from leads.models import Lead
from leads.services.suppressions import suppress
from telephony.models import Call
from webhooks.services import add_endpoint

if TYPE_CHECKING:
    from argparse import ArgumentParser

READY = "Winter check-ups"
LEADS = 500
MINUTES = 5_000


def refuse_a_database_in_use() -> None:
    """
    Let nobody's own agency get a super admin whose password everybody knows.

    :raises CommandError: if people other than the demonstration's are there
    """
    try:
        has_demo = User.objects.filter(email=ROOT).exists()
        has_people = has_demo or User.objects.exists()
    except DatabaseError:
        return  # not migrated yet, so nobody is there
    if has_people and not has_demo:
        raise CommandError(
            "This database has people of its own, so the demonstration keeps out of it: "
            "unset DATABASE_URL, or name an empty database."
        )


class Command(BaseCommand):
    """
    Make a demo agency with two clients, two months of history and a campaign with 500 leads.

    Needs the sandbox. A second run adds nothing.
    """

    help = __doc__

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="only tell whether it may begin")

    def handle(self, *_args: Any, check: bool, **_options: Any) -> str:
        refuse_a_database_in_use()
        if check:
            return "The demo data may go there."
        if Campaign.objects.filter(name=READY).exists():
            return "The demo data is there."
        now = clock.now()
        agency = find_agency() or make_agency(now=now - timedelta(days=DAYS), minutes=MINUTES)
        self.stdout.write("Making two months of history …")
        for name in write_history(agency=agency, now=now):
            self.stdout.write(f"  {name}")
        self.stdout.write("Making the campaign that is ready to launch …")
        campaign = write_campaign(client=agency.acme, name=READY, actor=agency.alice, now=now)
        rows = people(LEADS, areas=AREAS_READY, seed=1)
        upload(
            campaign=campaign,
            rows=rows,
            actor=agency.alice,
            now=now,
            real_now=clock.real_now(),
        )
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
        make_ready(campaign=campaign, actor=agency.alice, now=now)
        write_habits(agency=agency, now=now, real_now=clock.real_now())
        keep_templates(agency=agency, now=now)
        keep_knowledge(agency=agency, now=now)
        keep_views(agency=agency, now=now)
        # The sandbox stands in for Acme's own system too: the next calls are told there.
        add_endpoint(
            client=agency.acme,
            url=f"{settings.RETELL_BASE_URL}/_sandbox/inbox",
            description="CRM",
            kinds=["call.ended", "lead.converted", "campaign.finished", "credits.low"],
            actor=agency.alice,
            now=clock.real_now(),
        )
        return f"Made {Call.objects.count()} past calls and {Lead.objects.count()} leads."
