"""Script variables: kinds, lengths, defaults, and that nothing unfit is ever said."""

from __future__ import annotations

import pytest

from campaigns.jobs import fill_variables
from campaigns.models import Enrolment, ScriptVariable
from campaigns.services.enrolment import enrol_lead
from campaigns.variables import VariableRule, filled, problems, value_problem
from leads.doors import campaigns
from tests.factories.campaigns import NOW, make_draft, make_lead

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


def test_is_set_up_on_a_page_and_fills_those_who_wait(
    browse, mia, vera, charlie, campaign, run_jobs, django_capture_on_commit_callbacks
):
    lead = make_lead(campaign.client)
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={"price": "much"}, now=NOW)
    address = f"/app/campaigns/{campaign.pk}/variables/"
    browser = browse(mia)
    assert "due_on" in browser.get(address).text
    assert browse(vera).get(address).status_code == 403
    assert browse(charlie).get(address).status_code == 404

    wrong = browser.post(address, sent(**{"due_on-default": "soon"}))
    with django_capture_on_commit_callbacks(execute=True):
        right = browser.post(
            address,
            sent(**{"due_on-default": "2026-12-01", "price-is_required": "on"}),
        )
    run_jobs()

    assert (wrong.status_code, right.status_code) == (422, 302)
    assert "kind that the variable is" in wrong.text
    assert ScriptVariable.objects.get(name="price").is_required
    row = Enrolment.objects.get()
    assert row.dynamic_vars["due_on"] == "2026-12-01"
    assert "price" not in row.dynamic_vars
    assert fill_variables(campaign_id=str(campaign.pk)) == 1


@pytest.fixture
def with_rules(campaign):
    for name, kind, default in (("due_on", "date", "2026-12-01"), ("price", "money", "")):
        ScriptVariable.objects.create(
            client=campaign.client, campaign=campaign, name=name, kind=kind, default=default
        )
    return campaign


def test_holds_for_whoever_is_enrolled(with_rules):
    lead = make_lead(with_rules.client)

    enrol_lead(campaign=with_rules, lead=lead, dynamic_vars={"due_on": "x", "price": "$5"}, now=NOW)

    said = Enrolment.objects.get().dynamic_vars
    assert (said["due_on"], said["price"]) == ("2026-12-01", "$5")


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
