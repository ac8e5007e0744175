"""Script variables: kinds, lengths, defaults, and that nothing unfit is ever said."""

from __future__ import annotations

import pytest
from django.db.models import QuerySet

from audit.models import AuditLog
from campaigns import jobs
from campaigns.dialling.candidates import load_candidates
from campaigns.dialling.placing import _variables
from campaigns.lead_counts import count_leads
from campaigns.models import CampaignVersion, Enrolment, ScriptVariable
from campaigns.queries.versions import diff_versions
from campaigns.queries.writing import script_view
from campaigns.services import lifecycle
from campaigns.services.enrolment import enrol_lead, target_of
from campaigns.services.variables import save_variables, variable_rules
from campaigns.settings_schema import DEFAULTS
from campaigns.variables import VariableRule, filled, problems, value_problem
from leads.doors import campaigns
from leads.models import Lead
from tests.factories.billing import open_wallet
from tests.factories.campaigns import NOW, TESTS, enrol, launch, make_draft, make_lead, make_ready

SCRIPT = (
    "You are an AI assistant of Acme Dental. Ask {{first_name}} about {{due_on}} and {{price}}."
)


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        ("text", ["", "anything"], []),
        ("number", ["", "7", "-1,200.5", "1 000", "12345"], ["seven", "1.2.3", "7x"]),
        ("money", ["$5", "1,200.50", "12 EUR", "USD 9", "£3.20"], ["much", "5 dollars"]),
        ("date", ["2026-11-25", "25.11.2026", "11/25/26"], ["tomorrow", "2026-13-01"]),
        ("yes_no", ["yes", "No", "true", "0"], ["maybe"]),
    ],
)
def test_knows_kinds(kind, good, bad):
    rule = VariableRule("x", kind=kind)

    assert [value_problem(rule, one) for one in good] == [""] * len(good)
    assert [value_problem(rule, one) for one in bad] == ["wrong_kind"] * len(bad)


def test_says_nothing_with_braces_or_too_long():
    rule = VariableRule("x", max_chars=5)

    assert value_problem(rule, "{{y}}") == "braces"
    assert value_problem(rule, "123456") == "too_long"
    assert filled([], {"free": "ok", "evil": "{{x}}", "long": "a" * 501}) == {"free": "ok"}


def test_lets_a_default_stand_in_for_what_is_missing_or_unfit():
    rules = [VariableRule("due_on", kind="date", default="2026-12-01"), VariableRule("pet")]

    assert filled(rules, {"due_on": "soon", "pet": ""}) == {"due_on": "2026-12-01", "pet": ""}
    assert problems(rules, {}) == {"pet": "missing"}
    assert problems(rules, {"pet": "Rex", "due_on": "x"}) == {"due_on": "wrong_kind"}


@pytest.fixture
def campaign(acme):
    return make_draft(acme, script_raw=SCRIPT)


def sent(**fields):
    said = {"first_name-kind": "text", "due_on-kind": "date", "price-kind": "money"}
    said |= {f"{name}-max_chars": "100" for name in ("first_name", "due_on", "price")}
    return said | fields


def test_is_set_up_on_a_page(browse, mia, vera, charlie, campaign):
    address = f"/app/campaigns/{campaign.pk}/variables/"
    browser = browse(mia)
    assert "due_on" in browser.get(address).text
    assert browse(vera).get(address).status_code == 403
    assert browse(charlie).get(address).status_code == 404

    wrong = browser.post(address, sent(**{"due_on-default": "soon"}))
    right = browser.post(
        address, sent(**{"due_on-default": "2026-12-01", "price-is_required": "on"})
    )

    assert (wrong.status_code, right.status_code) == (422, 302)
    assert "kind that the variable is" in wrong.text
    assert ScriptVariable.objects.get(name="price").is_required


def said(enrolment: Enrolment) -> dict[str, str]:
    """What the next call says, as the dispatcher would send it."""
    batch_call = enrolment.batch_call
    assert batch_call is not None
    (candidate,) = load_candidates(batch_call=batch_call, enrolments=[enrolment], now=NOW)
    return _variables(candidate)


def publish(campaign):
    lifecycle.prepare_campaign(campaign=campaign, actor=TESTS, now=NOW)
    jobs.prepare_agent(campaign_id=str(campaign.pk))
    campaign.refresh_from_db()
    assert campaign.status == "ready"
    return campaign


@pytest.fixture
def waits(acme, retell):
    """A person in a running launch whose file has a price in words."""
    campaign = publish(make_draft(acme, script_raw=SCRIPT))
    open_wallet(acme, seconds=60_000)
    lead = make_lead(acme, first_name="Joan")
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={"price": "much"}, now=NOW)
    launch(campaign)
    return Enrolment.objects.select_related("lead", "batch_call").get()


def rule(kind: str, default: str = "") -> VariableRule:
    return VariableRule("price", kind=kind, default=default)


def test_keeps_what_a_file_said_whatever_the_rules_become(waits, alice):
    def save(*rules):
        changed = save_variables(campaign=waits.campaign, rules=rules, actor=alice, now=NOW)
        if changed:
            publish(waits.campaign)
        waits.batch_call.refresh_from_db()
        return changed

    assert save(rule("money", "$9"))
    assert not save(rule("money", "$9"))  # nothing changed
    assert said(waits)["price"] == "$9"
    save(rule("number"))
    assert said(waits)["price"] == ""
    save(rule("text"))
    assert said(waits)["price"] == "much"
    assert Enrolment.objects.get().dynamic_vars == {"price": "much"}
    assert AuditLog.objects.filter(action="campaign.changed").count() == 3


def test_says_a_new_default_once_it_is_published(waits, alice):
    save_variables(campaign=waits.campaign, rules=[rule("money", "$9")], actor=alice, now=NOW)

    assert said(waits)["price"] == "much"
    assert waits.campaign.status == "draft"
    publish(waits.campaign)
    waits.batch_call.refresh_from_db()
    assert said(waits)["price"] == "$9"


def test_says_what_the_campaign_has_for_versions_that_kept_nothing(waits, alice):
    QuerySet(CampaignVersion).update(variable_rules=None)
    save_variables(campaign=waits.campaign, rules=[rule("money", "$9")], actor=alice, now=NOW)
    waits.batch_call.refresh_from_db()

    assert said(waits)["price"] == "$9"


def test_brings_a_versions_rules_back_with_it(acme, alice, retell):
    campaign = make_draft(acme, script_raw=SCRIPT)
    for default in ("$9", "$99"):
        save_variables(campaign=campaign, rules=[rule("money", default)], actor=alice, now=NOW)
        publish(campaign)
    first, second = CampaignVersion.objects.order_by("number")
    told = [(one.name, one.before, one.after) for one in diff_versions(first, second).values]
    words = "Amount of money; a call needs it; at most 200 characters; else “%s”"
    assert told == [("{{price}}", words % "$9", words % "$99")]

    lifecycle.restore_version(campaign=campaign, version=first, actor=alice, now=NOW)

    assert variable_rules(campaign.pk) == [rule("money", "$9")]


def test_shows_a_call_as_it_is_said(waits, alice, browse):
    save_variables(campaign=waits.campaign, rules=[rule("money", "$9")], actor=alice, now=NOW)
    shown = script_view(
        campaign=waits.campaign, opening_line="Hi {{first_name}}", script_raw="It is {{price}}."
    )

    page = browse(alice).get(f"/app/leads/{waits.lead_id}/").text

    assert (shown.opening, shown.text, shown.missing) == ("Hi Joan", "It is $9.", [])
    assert "and $9." in page


def test_says_a_name_as_it_was_corrected(waits, browse, alice):
    Lead.objects.update(first_name="Joanna")
    waits.lead.refresh_from_db()

    assert said(waits)["first_name"] == "Joanna"
    assert "Ask Joanna about" in browse(alice).get(f"/app/leads/{waits.lead_id}/").text


def test_says_the_file_of_the_campaign_before_the_lead(waits, browse, alice):
    Enrolment.objects.update(dynamic_vars={"first_name": "Joey", "price": ""})
    waits.refresh_from_db()
    waits.lead.refresh_from_db()

    assert (said(waits)["first_name"], said(waits)["price"]) == ("Joey", "")
    assert "Ask Joey about" in browse(alice).get(f"/app/leads/{waits.lead_id}/").text


def test_counts_before_a_launch_what_a_call_will_say(acme, alice):
    campaign = make_ready(acme, script_raw=SCRIPT)
    lead = make_lead(acme, first_name="")
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={"price": "much"}, now=NOW)

    def lacking() -> list[str]:
        counts = count_leads(campaign, NOW, is_sandbox=True)
        return [name for name, _count in counts.without_variable]

    assert lacking() == ["first_name", "due_on"]
    Lead.objects.update(first_name="Joan")
    assert lacking() == ["due_on"]
    rules = [rule("money"), VariableRule("due_on", is_required=False)]
    save_variables(campaign=campaign, rules=rules, actor=alice, now=NOW)
    assert lacking() == ["price"]


@pytest.fixture
def with_rules(campaign):
    for name, kind, default in (("due_on", "date", "2026-12-01"), ("price", "money", "")):
        ScriptVariable.objects.create(
            client=campaign.client, campaign=campaign, name=name, kind=kind, default=default
        )
    return campaign


def test_tells_which_leads_lack_what_a_call_needs(with_rules):
    lead = make_lead(with_rules.client)

    assert campaigns().lacking(campaign_id=with_rules.pk, leads=[lead]) == {lead.pk}
    ScriptVariable.objects.filter(name="price").update(is_required=False)
    assert campaigns().lacking(campaign_id=with_rules.pk, leads=[lead]) == set()


@pytest.mark.parametrize(
    ("said", "code"), [({"price": "much"}, "wrong_kind"), ({}, "missing"), ({"price": "$5"}, None)]
)
def test_refuses_unfit_values_of_programs_before_anything_is_stored(
    browse, mia, with_rules, said, code
):
    answer = browse(mia).post(
        "/api/v1/client/leads/",
        {
            "phone_number": "+12125550101",
            "campaign_id": str(with_rules.pk),
            "dynamic_vars": said,
        },
        content_type="application/json",
    )

    if code:
        assert answer.status_code == 400
        assert answer.json()["fields"]["dynamic_vars"]["price"] == code
        assert not Enrolment.objects.exists()
    else:
        assert answer.status_code == 201
        assert Enrolment.objects.get().dynamic_vars["price"] == "$5"


LEAVES = {"voicemail_action": "leave_message", "voicemail_message": "Ask for {{agent_name}}."}


def test_knows_the_variables_of_the_message_that_is_left(browse, mia, acme):
    open_wallet(acme, seconds=60_000, now=NOW)
    campaign = make_ready(acme, settings={**DEFAULTS, **LEAVES})
    (enrolment,) = enrol(campaign, 1)
    launch(campaign)
    enrolment.refresh_from_db()

    assert said(enrolment)["agent_name"] == ""
    assert "agent_name" in CampaignVersion.objects.get().variables
    assert "agent_name" in target_of(campaign).variables
    assert "agent_name" in browse(mia).get(f"/app/campaigns/{campaign.pk}/variables/").text
    view = script_view(campaign=campaign, opening_line="Hi, an AI.", script_raw="Words.")
    assert any("agent_name" in one.sentence for one in view.problems)
    # One that isn't left says nothing.
    campaign.settings = {**campaign.settings, "voicemail_action": "hangup"}
    assert "agent_name" not in target_of(campaign).variables


def test_counts_who_lacks_a_value_of_the_message_that_is_left(acme):
    campaign = make_ready(acme, settings={**DEFAULTS, **LEAVES})
    enrol(campaign, 2)

    counts = count_leads(campaign, NOW, is_sandbox=True)

    assert counts.without_variable == (("agent_name", 2),)
