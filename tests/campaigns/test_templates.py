"""Templates: the agency writes, offers and withdraws them; a client's first step shows them, and no stranger's words."""

from __future__ import annotations

import pytest

from audit.models import AuditLog
from campaigns.dialling.breaking import Safety
from campaigns.models import Campaign, CampaignTemplate, SafetyPolicy, TemplateVersion
from campaigns.services import templates
from campaigns.services.authoring import content_of
from campaigns.services.policies import Dialling, dialling_of, set_dialling
from campaigns.services.templates import Offer, TemplateContent
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


def make_template(actor, *, offered=True, dialling=Dialling(), **fields):  # noqa: B008 - frozen
    words = {"script_raw": WORDS["script_raw"], "opening_line": WORDS["opening_line"]}
    content = TemplateContent(campaign_content(**{**words, **fields}), dialling)
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


def spoken(script):
    return TemplateContent(campaign_content(script_raw=script))


CAREFUL = Dialling(
    dispositions={"dial_busy": {"most": 2, "delay_seconds": 600}},
    is_other_time_of_day=True,
    is_business_days=True,
    callback_delay_seconds=7200,
    safety=Safety(
        failed_percent=20,
        opted_out_percent=5,
        negative_percent=100,
        window_calls=40,
        least_calls=10,
        missed_disclosures=3,
        talk_minutes_per_hour=90,
    ),
    calls_per_minute=6,
)
HOW = {
    "weekdays": ["0", "2"],
    "opens_at": "10:00",
    "closes_at": "15:30",
    "max_attempts": "2",
    "busy_minutes": "30",
    "no_answer_minutes": "60",
    "voicemail_minutes": "120",
    "declined_minutes": "240",
    "ring_seconds": "25",
    "voicemail_action": "hangup",
    "voicemail_message": "",
    "callback_hours": "2",
    "failed_percent": "20",
    "opted_out_percent": "5",
    "negative_percent": "100",
    "window_calls": "40",
    "least_calls": "10",
    "missed_disclosures": "3",
    "talk_minutes_per_hour": "90",
    "calls_per_minute": "6",
    "is_other_time_of_day": "on",
    "is_business_days": "on",
    "dial_busy_most": "2",
    "dial_busy_minutes": "10",
}


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


QUESTIONS = [{"name": "knows_us", "kind": "boolean", "description": "Knows Acme Dental?"}]


def test_makes_one_of_a_campaign_without_what_is_the_clients_own(root, acme, charlie, browse):
    campaign = make_ready(
        acme,
        script_raw="Acme Dental calls. ACME DENTAL is at 12 Maple Street.",
        knowledge_text="The door code is 1234.",
        caller_numbers=("+12125550199",),
        is_any_hour=True,
        max_attempts=5,
        settings={
            "conversion": "A visit at Acme Dental.",
            "keywords": ["Acme Dental"],
            "questions": QUESTIONS,
            "more_languages": ["es-419"],
        },
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
    content = templates.template_content(template).campaign
    assert (content.is_any_hour, content.caller_numbers) == (False, ())
    assert content.settings["keywords"] == ["[business]"]
    browse(root).post(f"{LIST}{template.pk}/offer/")
    start(browse(charlie), template)
    made = Campaign.objects.get(client=charlie.client).settings
    assert made["keywords"] == [charlie.client.name]
    assert made["more_languages"] == ["es-419"]
    assert made["questions"][0]["description"] == f"Knows {charlie.client.name}?"


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
    templates.change_template(template=template, content=spoken("First."), **edit)

    with pytest.raises(templates.TemplateChanged):
        templates.change_template(template=stale, content=spoken("Second."), **edit)

    assert TemplateVersion.objects.count() == 2
    assert templates.template_content(template).campaign.script_raw == "First."


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
    for path in (LIST, NEW, f"{LIST}{template.pk}/", f"{LIST}{template.pk}/dialling/"):
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


# -- How it dials ----------------------------------------------------------------------------------


def test_gives_a_campaign_its_hours_retries_and_what_stops_it(root, alice, browse):
    hours = {"weekdays": (0, 2), "opens_minute": 600, "closes_minute": 930}
    retries = {"max_attempts": 2, "busy_delay_seconds": 1800, "declined_delay_seconds": 14_400}
    template = make_template(root, dialling=CAREFUL, **hours, **retries)

    start(browse(alice), template)

    campaign = Campaign.objects.select_related("calling_window", "retry_policy").get()
    content = content_of(campaign)
    assert dialling_of(campaign) == CAREFUL
    assert SafetyPolicy.objects.get().campaign_id == campaign.pk
    assert {name: getattr(content, name) for name in (*hours, *retries)} == {**hours, **retries}
    # One sentence in the audit log says where the campaign comes from, not two.
    assert AuditLog.objects.filter(resource_id=str(campaign.pk)).count() == 1


def test_takes_how_a_campaign_dials_along_when_it_is_made_of_one(root, acme, alice, browse):
    campaign = make_ready(acme, weekdays=(1,), busy_delay_seconds=900)
    set_dialling(campaign=campaign, dialling=CAREFUL, actor=alice, now=NOW)

    browse(root).post(NEW, {**WORDS, "campaign": str(campaign.pk)})

    held = templates.template_content(CampaignTemplate.objects.get())
    assert held.dialling == CAREFUL
    assert (held.campaign.weekdays, held.campaign.busy_delay_seconds) == ((1,), 900)


def test_shows_and_changes_how_its_campaigns_dial(root, alice, browse):
    template = make_template(root)
    start(browse(alice), template, "Before")
    browser, path = browse(root), f"{LIST}{template.pk}/dialling/"
    assert f'href="{path}"' in browser.get(f"{LIST}{template.pk}/").content.decode()
    assert 'value="50"' in browser.get(path).content.decode()

    for number in (2, 2):  # the same again makes no further version
        assert browser.post(path, HOW).url == f"{LIST}{template.pk}/"
        template.refresh_from_db()
        assert template.number == number

    held = templates.template_content(template)
    assert held.dialling == CAREFUL
    assert (held.campaign.weekdays, held.campaign.opens_minute) == ((0, 2), 600)
    assert (held.campaign.max_attempts, held.campaign.no_answer_delay_seconds) == (2, 3600)
    assert held.campaign.settings["ring_duration_ms"] == 25_000
    assert held.campaign.script_raw == WORDS["script_raw"]
    page = browser.get(f"{LIST}{template.pk}/").content.decode()
    for words in (
        "Mon, Wed, 10:00–15:30",
        "30 min after busy, 1 h after no answer, 2 h after voicemail, 4 h after declined",
        "at another time of the day, not on weekends, 1 reason has its own rule",
        "20 % of calls that fail, 5 % of people who opt out, 3 calls without what must be said first, 90 minutes of talk in an hour",
        "the last 40 calls, from 10 on",
    ):
        assert words in page
    # The campaign that was there keeps its own; an edit of words keeps how it dials.
    assert dialling_of(Campaign.objects.get()) == Dialling()
    browser.post(f"{LIST}{template.pk}/", {**WORDS, "script_raw": "Say hello."})
    template.refresh_from_db()
    assert (template.number, templates.template_content(template).dialling) == (3, CAREFUL)


def test_overwrites_nothing_that_came_after_the_page_was_opened(root, browse):
    template = make_template(root)
    browser = browse(root)
    pages = (f"{LIST}{template.pk}/", WORDS), (f"{LIST}{template.pk}/dialling/", HOW)
    for path, _data in pages:
        assert '<input type="hidden" name="number" value="1">' in browser.get(path).text
    browser.post(f"{LIST}{template.pk}/", {**WORDS, "script_raw": "Say hello.", "number": "1"})

    for path, data in pages:
        answer = browser.post(path, {**data, "number": "1"}, follow=True)
        assert "Somebody else has just changed it" in answer.text

    assert templates.template_content(CampaignTemplate.objects.get()).campaign.script_raw == (
        "Say hello."
    )
    assert TemplateVersion.objects.count() == 2


@pytest.mark.parametrize(
    "wrong",
    [
        {"failed_percent": "0"},
        {"least_calls": "41"},
        {"closes_at": "09:00"},
        {"weekdays": []},
        {"max_attempts": "11"},
        {"voicemail_action": "leave_message"},
    ],
)
def test_refuses_a_way_to_dial_that_makes_no_sense(root, browse, wrong):
    template = make_template(root)
    answer = browse(root).post(f"{LIST}{template.pk}/dialling/", {**HOW, **wrong})

    assert answer.status_code == 422
    assert "This needs another look" in answer.content.decode()
    assert TemplateVersion.objects.count() == 1


def test_dials_as_any_new_campaign_where_a_version_says_nothing_of_it(root, alice, browse):
    """Versions of before templates held it."""
    template = make_template(root, dialling=CAREFUL)
    version = TemplateVersion.objects.get()
    content = {name: value for name, value in version.content.items() if name != "dialling"}
    TemplateVersion.objects.filter(pk=version.pk)._raw_delete("default")
    TemplateVersion.objects.create(
        template=template, number=1, content=content, made_by_email="", made_at=NOW
    )

    start(browse(alice), template)

    assert dialling_of(Campaign.objects.get()) == Dialling()
    assert "50 % of calls that fail" in browse(root).get(f"{LIST}{template.pk}/").content.decode()
