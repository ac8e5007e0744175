"""Templates: the agency writes, offers and withdraws them; a client's first step shows them, and no stranger's words."""

from __future__ import annotations

import pytest

from audit.models import AuditLog
from campaigns.models import Campaign, CampaignTemplate, TemplateVersion
from campaigns.services import templates
from campaigns.services.authoring import content_of
from campaigns.services.templates import Offer
from tests.factories.campaigns import NOW, campaign_content, make_draft, make_ready

LIST = "/agency/templates/"
NEW = "/agency/templates/new/"
WORDS = {
    "title": "Recall",
    "about": "Calls patients who are due.",
    "goal": "A visit",
    "opening_line": "Hi {{first_name}}, the AI assistant of [business] here.",
    "script_raw": "You are an AI of [business]. Offer {{first_name}} a day.",
    "conversion": "They agreed to a visit at [business].",
    "voice_id": "",
    "language": "en-GB",
    "max_attempts": "4",
}


def make_template(actor, *, offered=True, **fields):
    content = campaign_content(
        **{"script_raw": WORDS["script_raw"], "opening_line": WORDS["opening_line"], **fields}
    )
    template = templates.create_template(
        offer=Offer("Recall", "Calls patients who are due."),
        content=content,
        source=None,
        actor=actor,
        now=NOW,
    )
    if offered:
        templates.offer_template(template=template, actor=actor, now=NOW)
    return template


def start(browser, template, name="Ours"):
    return browser.post("/app/campaigns/new/", {"name": name, "template": str(template.pk)})


def test_writes_one_from_nothing_and_offers_it(root, alice, browse):
    answer = browse(root).post(NEW, WORDS)

    template = CampaignTemplate.objects.get()
    assert answer.url == f"{LIST}{template.pk}/"
    assert (template.status, template.number) == ("draft", 1)
    assert "Recall" not in browse(alice).get("/app/campaigns/new/").content.decode()

    browse(root).post(f"{LIST}{template.pk}/offer/")
    assert "Recall – Calls patients" in browse(alice).get("/app/campaigns/new/").content.decode()
    start(browse(alice), template)

    campaign = Campaign.objects.select_related("calling_window", "retry_policy").get()
    content = content_of(campaign)
    assert content.script_raw == "You are an AI of Acme Dental. Offer {{first_name}} a day."
    assert content.opening_line == "Hi {{first_name}}, the AI assistant of Acme Dental here."
    assert content.settings["conversion"] == "They agreed to a visit at Acme Dental."
    assert (content.settings["language"], content.max_attempts) == ("en-GB", 4)
    assert (campaign.template_id, campaign.template_number) == (str(template.pk), 1)
    assert (campaign.goal, campaign.client_id) == ("A visit", alice.client_id)


def test_makes_one_of_a_campaign_without_what_is_the_clients_own(root, acme, browse):
    campaign = make_ready(
        acme,
        script_raw="Acme Dental calls. ACME DENTAL is at 12 Maple Street.",
        knowledge_text="The door code is 1234.",
        caller_numbers=("+12125550199",),
        is_any_hour=True,
        max_attempts=5,
        settings={"conversion": "A visit at Acme Dental.", "keywords": ["Acme Dental"]},
    )
    browser = browse(root)

    assert str(campaign.pk) in browser.get(f"{NEW}?q=acme").content.decode()
    page = browser.get(f"{NEW}?campaign={campaign.pk}").content.decode()
    assert "[business] calls. [business] is at 12 Maple Street." in page
    assert "door code" not in page
    browser.post(
        NEW,
        {
            **WORDS,
            "campaign": str(campaign.pk),
            "script_raw": "[business] calls.",
            "max_attempts": "5",
            "voice_id": "11labs-Adrian",
        },
    )

    template = CampaignTemplate.objects.get()
    assert template.source_campaign_id == campaign.pk
    held = str(TemplateVersion.objects.get().content)
    assert "Acme" not in held
    assert "1234" not in held
    assert "+1212" not in held
    content = templates.template_content(template)
    assert (content.is_any_hour, content.caller_numbers) == (False, ())
    assert content.settings["keywords"] == ["[business]"]


def test_gives_new_campaigns_the_newest_version_and_leaves_older_ones(root, alice, browse):
    template = make_template(root)
    start(browse(alice), template, "Before")

    browse(root).post(f"{LIST}{template.pk}/", {**WORDS, "script_raw": "Say hello for [business]."})
    start(browse(alice), template, "After")

    assert list(TemplateVersion.objects.order_by("number").values_list("number", flat=True)) == [
        1,
        2,
    ]
    before, after = Campaign.objects.order_by("created_at", "pk")
    assert (before.template_number, before.script_raw) == (
        1,
        "You are an AI of Acme Dental. Offer {{first_name}} a day.",
    )
    assert (after.template_number, after.script_raw) == (2, "Say hello for Acme Dental.")
    assert "2" in browse(root).get(f"{LIST}{template.pk}/").content.decode()


def test_renames_without_another_version(root, browse):
    template = make_template(root)
    content = templates.template_content(template)

    changed = templates.change_template(
        template=template, offer=Offer("Better name", ""), content=content, actor=root, now=NOW
    )
    again = templates.change_template(
        template=template, offer=Offer("Better name", ""), content=content, actor=root, now=NOW
    )

    assert (changed, again, template.number) == (True, False, 1)
    assert AuditLog.objects.filter(action="template.changed").count() == 1


def test_refuses_an_edit_of_what_somebody_else_has_changed(root):
    template = make_template(root)
    stale = CampaignTemplate.objects.get(pk=template.pk)
    edit = {"offer": Offer("Recall", ""), "actor": root, "now": NOW}
    templates.change_template(
        template=template, content=campaign_content(script_raw="First."), **edit
    )

    with pytest.raises(templates.TemplateChanged):
        templates.change_template(
            template=stale, content=campaign_content(script_raw="Second."), **edit
        )

    assert TemplateVersion.objects.count() == 2
    assert templates.template_content(template).script_raw == "First."


def test_withdraws_it_from_new_campaigns_alone(root, alice, browse):
    template = make_template(root)
    start(browse(alice), template)

    browse(root).post(f"{LIST}{template.pk}/withdraw/")

    assert "Recall" not in browse(alice).get("/app/campaigns/new/").content.decode()
    assert start(browse(alice), template, "Late").status_code == 422
    assert [row.name for row in Campaign.objects.all()] == ["Ours"]


def test_shows_one_client_what_is_offered_to_it_alone(root, alice, charlie, rival, browse):
    template = make_template(root)
    templates.change_template(
        template=template,
        offer=Offer("For roofers", "", rival),
        content=templates.template_content(template),
        actor=root,
        now=NOW,
    )

    assert "For roofers" in browse(charlie).get("/app/campaigns/new/").content.decode()
    assert "For roofers" not in browse(alice).get("/app/campaigns/new/").content.decode()
    assert start(browse(alice), template).status_code == 422
    assert not Campaign.objects.exists()


def test_offers_once(root):
    template = make_template(root, offered=False)

    assert templates.offer_template(template=template, actor=root, now=NOW)
    assert not templates.offer_template(template=template, actor=root, now=NOW)

    assert AuditLog.objects.filter(action="template.offered").count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("script_raw", ""),
        ("script_raw", "Hello {{not a name}}"),
        ("script_raw", "x" * 20_001),
        ("opening_line", "{{"),
        ("voice_id", "no-such-voice"),
        ("language", "tlh"),
        ("max_attempts", "0"),
        ("only_for", "01a21484-328e-7204-8977-ef64b86a2e19"),
        ("title", ""),
    ],
)
def test_refuses_bad_input_and_makes_nothing(root, browse, field, value):
    answer = browse(root).post(NEW, {**WORDS, field: value})

    assert answer.status_code == 422
    assert not CampaignTemplate.objects.exists()


def test_opens_to_the_agencys_people_with_the_right_alone(bob, alice, root, browse):
    template = make_template(root)
    for path in (LIST, NEW, f"{LIST}{template.pk}/"):
        assert browse(bob).get(path).status_code == 403
        assert browse(alice).get(path).status_code == 403
    bob.manage_campaigns = True
    bob.save()
    assert browse(bob).get(LIST).status_code == 200


def test_does_not_find_a_campaign_that_is_not_there(root, browse):
    missing = "01a21484-328e-7204-8977-ef64b86a2e19"
    assert browse(root).get(f"{NEW}?campaign={missing}").status_code == 404
    assert browse(root).get(f"{NEW}?campaign=nonsense").status_code == 200


def test_asks_the_database_as_often_for_many_templates(
    root, acme, browse, django_assert_num_queries
):
    browser = browse(root)
    make_template(root)
    make_draft(acme)
    browser.get(LIST)
    for more in (0, 19):
        for _number in range(more):
            make_template(root)
        with django_assert_num_queries(4):
            browser.get(LIST)


def test_stays_with_the_one_client_it_was_made_for_when_that_is_closed(root, acme, browse):
    """The box had no entry for a closed client, and an empty box means everybody."""
    browse(root).post(NEW, {**WORDS, "only_for": str(acme.pk)})
    template = CampaignTemplate.objects.get()
    type(acme).objects.filter(pk=acme.pk).update(status="inactive")

    page = browse(root).get(f"{LIST}{template.pk}/").content.decode()
    assert f'value="{acme.pk}" selected' in page
    browse(root).post(f"{LIST}{template.pk}/", {**WORDS, "only_for": str(acme.pk), "about": "New."})
    template.refresh_from_db()
    assert (template.about, template.only_for_id) == ("New.", acme.pk)
