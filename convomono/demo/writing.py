"""What the demonstration's people keep beside their campaigns: knowledge, templates, views, a trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from campaigns.dialling.breaking import Safety
from campaigns.jobs import index_knowledge
from campaigns.models import CampaignTemplate
from campaigns.services import knowledge, templates
from campaigns.services.authoring import CampaignContent
from campaigns.services.experimenting import Trial, prepare_variant, start_experiment
from campaigns.services.policies import Dialling
from campaigns.services.preparing import find_or_make_agent
from campaigns.services.questions import keep_question
from campaigns.settings_schema import DEFAULTS
from leads.models import SavedView
from leads.services.saved_views import save_view
from telephony.retell import retell_gateway

if TYPE_CHECKING:
    from datetime import datetime

    from campaigns.models import Campaign, Experiment
    from convomono.demo.agency import Agency

RECALL = CampaignContent(
    name="Recall",
    goal="A visit this month",
    opening_line=(
        "Hi {{first_name}}, this is the AI assistant of [business]. This call is recorded. "
        "You are due for a check-up. Do you have a minute?"
    ),
    script_raw=(
        "You are a friendly AI assistant of [business].\n\n"
        "- Say that {{first_name}} is due for a check-up.\n"
        "- Offer a morning and an afternoon this week.\n"
        "- If they don't want to be called, apologise and end the call.\n"
    ),
    settings={**DEFAULTS, "conversion": "The person agreed to a visit at [business]."},
)
WIN_BACK = CampaignContent(
    name="Win back",
    goal="A second chance",
    opening_line="Hi {{first_name}}, this is the AI assistant of [business]. This call is recorded. How have you been?",
    script_raw="You are an AI assistant of [business]. Ask {{first_name}} what was missing.",
    settings={**DEFAULTS, "conversion": "The person wants an offer."},
)
# People who are due are no strangers: it stops early when they don't like it.
CAREFUL = Dialling(safety=Safety(opted_out_percent=5, negative_percent=40))
HOURS = """\
Acme Dental, 12 Maple Street. Open Monday to Friday, 8:00 to 18:00, and on the first Saturday of a month.
Parking is free behind the building. The bus 14 stops at the door.
"""
PRICES = """\
A check-up costs $90 and takes 30 minutes, a cleaning $120 and 45 minutes. Whitening starts at $240.
We take all common insurances; bring the card to the first visit.
"""


def keep_templates(*, agency: Agency, now: datetime) -> None:
    """Write two templates and offer one of them; a second run adds nothing."""
    if CampaignTemplate.objects.exists():
        return
    by: dict[str, Any] = {"actor": agency.root, "now": now}
    recall = templates.create_template(
        offer=templates.Offer("Recall", "Calls people who are due and offers two times."),
        content=templates.TemplateContent(RECALL, CAREFUL),
        source=None,
        **by,
    )
    templates.offer_template(template=recall, **by)
    templates.create_template(
        offer=templates.Offer("Win back", "Asks people who left what was missing."),
        content=templates.TemplateContent(WIN_BACK),
        source=None,
        **by,
    )


def keep_knowledge(*, agency: Agency, now: datetime) -> None:
    """Write a knowledge base that is indexed, and one that is still a draft."""
    by: dict[str, Any] = {"actor": agency.alice, "now": now}
    base = knowledge.create_knowledge(client=agency.acme, name="The practice", **by)
    knowledge.add_text(base=base, title="Hours and the way", text=HOURS, **by)
    knowledge.add_text(base=base, title="Prices", text=PRICES, **by)
    for text in ("When do you open on Saturdays?", "What does a check-up cost?"):
        keep_question(base=base, text=text, **by)
    knowledge.request_index(base=base, auto_refresh=False, **by)
    index_knowledge(base_id=str(base.pk))  # the rest is polled by the running processes
    draft = knowledge.create_knowledge(client=agency.acme, name="Insurance", **by)
    knowledge.add_text(base=draft, title="What is covered", text="Check-ups, twice a year.", **by)


def keep_views(*, agency: Agency, now: datetime) -> None:
    """Keep two views of the campaign list, one of them for everybody."""
    for name, query, is_shared in (
        ("Best conversion", "sort=conversion", True),
        ("Dialling now", "status=live", False),
    ):
        save_view(
            client=agency.acme,
            name=name,
            query=query,
            is_shared=is_shared,
            of_list=SavedView.List.CAMPAIGNS,
            actor=agency.alice,
            now=now,
        )


def begin_trial(
    *, campaign: Campaign, agency: Agency, webhook_url: str, now: datetime
) -> Experiment:
    """Let half of a campaign's leads hear another opening line; its knowledge has to be none."""
    experiment = start_experiment(
        campaign=campaign,
        trial=Trial(
            part="opening_line",
            text="Hi {{first_name}}, Riley here, an AI assistant from Acme Dental, on a recorded line. Quick question!",
        ),
        actor=agency.alice,
        now=now,
    )
    prepare_variant(
        experiment=experiment,
        agent=find_or_make_agent(campaign=campaign, now=now),
        gateway=retell_gateway(),
        webhook_url=webhook_url,
        now=now,
    )
    return experiment
