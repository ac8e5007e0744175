"""Rules that look at what was answered and how the person felt, beside what the call came to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import pytest
from django.urls import reverse

from campaigns.automation import CallFacts, Conditions, means
from campaigns.models import Attempt, AutomationRule, AutomationRun, Enrolment
from campaigns.services import automating
from campaigns.services.automating import RuleContent, run_due, save_rule, switch_rule, try_rule
from leads.models import Lead
from tests.campaigns.dialling.conftest import ready, rig  # noqa: F401 - fixtures
from tests.factories.campaigns import NOW, TESTS, make_ready

if TYPE_CHECKING:
    from campaigns.automation import AnswerCondition
    from campaigns.models import BatchCall

INSURER = {"name": "Insurer", "kind": "string", "description": "Who", "choices": []}
BUDGET = {"name": "Budget", "kind": "number", "description": "How much", "choices": []}
OWNER = {"name": "Owner", "kind": "boolean", "description": "Owns it?", "choices": []}
DAY = {"name": "Day", "kind": "enum", "description": "When", "choices": ["Monday", "Friday"]}
ASKED = [INSURER, BUDGET, OWNER, DAY]


@pytest.fixture(autouse=True)
def _ask_for_rules_anew():
    automating._known.clear()


def answer(question: str, test: str, *values: str) -> Conditions:
    condition = {"question": question, "test": test, "values": list(values)}
    return {"answers": [cast("AnswerCondition", condition)]}


@pytest.mark.parametrize(
    ("condition", "given", "is_meant"),
    [
        (answer("Insurer", "is", "kaiser, of Ohio"), "Kaiser, of Ohio ", True),
        (answer("Insurer", "is", "Kaiser"), "Kaiser, of Ohio", False),
        (answer("Insurer", "is", "Kaiser"), "", False),
        (answer("Insurer", "is", "Kaiser"), None, False),
        (answer("Day", "one_of", "Monday", "Friday"), "friday", True),
        (answer("Day", "one_of", "Monday", "Friday"), "Sunday", False),
        (answer("Owner", "is", "yes"), True, True),
        (answer("Owner", "is", "yes"), False, False),
        (answer("Owner", "is", "no"), False, True),
        (answer("Budget", "is", "5"), 5.0, True),
        (answer("Budget", "one_of", "5", "6"), 6, True),
        (answer("Budget", "at_least", "5"), 5, True),
        (answer("Budget", "at_least", "5"), 4.99, False),
        (answer("Budget", "at_least", "5"), "12", True),
        (answer("Budget", "at_least", "5"), "a lot", False),
        (answer("Budget", "at_least", "0"), True, False),  # yes is no number
        (answer("Budget", "at_least", "0"), None, False),
        (answer("Budget", "at_least", "0"), ["x"], False),
    ],
)
def test_compares_what_was_answered(condition, given, is_meant):
    question = condition["answers"][0]["question"]
    facts = called({} if given is None else {question: given})

    assert means({"human"}, facts, condition) == is_meant
    assert not means({"machine"}, facts, condition)  # what the call came to counts all the same


def test_wants_every_answer_and_one_of_the_sentiments():
    both: Conditions = {
        "answers": [
            *answer("Owner", "is", "yes")["answers"],
            *answer("Budget", "at_least", "5")["answers"],
        ],
        "sentiments": ["Positive", "Neutral"],
    }

    assert means({"human"}, called({"Owner": True, "Budget": 5}, "Neutral"), both)
    assert not means({"human"}, called({"Owner": True, "Budget": 4}, "Neutral"), both)
    assert not means({"human"}, called({"Owner": True, "Budget": 5}, "Negative"), both)
    assert not means({"human"}, called({"Owner": True, "Budget": 5}, ""), both)
    assert means({"human"}, called({}), {})


def called(answers: dict[str, Any], sentiment: str = "") -> CallFacts:
    return CallFacts(
        outcome_class="human",
        reason="user_hangup",
        is_converted=False,
        lead_status="done",
        sentiment=sentiment,
        answers=answers,
    )


def write(batch_call: BatchCall, conditions: Conditions) -> AutomationRule:
    content = RuleContent(
        name="Rich owners",
        campaign_id=batch_call.campaign_id,
        outcomes=("human",),
        action="tag",
        params={"tag": "rich"},
        conditions=conditions,
    )
    return save_rule(client=batch_call.client, content=content, actor=TESTS, now=NOW)


def switched_on(batch_call: BatchCall, conditions: Conditions) -> AutomationRule:
    rule = write(batch_call, conditions)
    try_rule(rule=rule, now=NOW)
    switch_rule(rule=rule, is_active=True, actor=TESTS, now=NOW)
    rule.refresh_from_db()
    return rule


def ended(rig: Any) -> Attempt:  # noqa: F811
    rig.step()
    attempt: Attempt = rig.ringing()[0]
    rig.end(attempt, "user_hangup")
    return attempt


@pytest.mark.django_db
def test_is_tested_on_what_past_calls_answered(rig, ready, django_assert_num_queries):  # noqa: F811
    batch_call = ready(leads=3)
    found = []
    for budget, mood in ((9, "Positive"), (2, "Positive"), (9, "Negative")):
        attempt = ended(rig)
        rig.analyse(attempt, custom_analysis_data={"Budget": budget}, user_sentiment=mood)
        found.append(attempt)
    rule = write(
        batch_call, {**answer("Budget", "at_least", "5"), "sentiments": ["Positive", "Neutral"]}
    )

    with django_assert_num_queries(
        4
    ):  # attempts, sentiments, analyses; the note that it was tested
        result = try_rule(rule=rule, now=rig.now)

    assert (result.looked_at, result.meant, result.newest) == (3, 1, [found[0]])
    assert not Lead.objects.exclude(tags=[]).exists()  # a test does nothing


@pytest.mark.django_db
def test_acts_on_the_answers_of_the_call(rig, ready):  # noqa: F811
    batch_call = ready(leads=2)
    switched_on(batch_call, answer("Budget", "at_least", "5"))
    for budget in (9, 2):
        attempt = ended(rig)
        rig.analyse(attempt, custom_analysis_data={"Budget": budget})
    rig.tick(90)

    assert run_due(now=rig.now) == 1
    assert sorted(AutomationRun.objects.values_list("status", flat=True)) == ["done", "skipped"]
    tagged = Lead.objects.exclude(tags=[]).get()
    acted = AutomationRun.objects.get(status="done")
    assert tagged.pk == Attempt.objects.get(pk=acted.attempt_id).lead_id


@pytest.mark.django_db
def test_waits_a_while_for_an_analysis_that_comes_late(rig, ready):  # noqa: F811
    batch_call = ready(leads=2)
    switched_on(batch_call, answer("Owner", "is", "yes"))
    late, never = ended(rig), ended(rig)
    rig.tick(90)

    assert run_due(now=rig.now) == 0
    assert set(AutomationRun.objects.values_list("status", flat=True)) == {"pending"}
    rig.analyse(late, custom_analysis_data={"Owner": True})
    rig.tick(90)
    assert run_due(now=rig.now) == 1
    assert Lead.objects.exclude(tags=[]).get().pk == late.lead_id
    rig.tick(15 * 60)
    assert run_due(now=rig.now) == 0
    assert AutomationRun.objects.get(attempt_id=never.pk).status == "skipped"


@pytest.mark.django_db
def test_does_not_wait_for_the_analysis_of_a_call_it_does_not_mean(rig, ready):  # noqa: F811
    batch_call = ready()
    switched_on(batch_call, answer("Owner", "is", "yes"))
    rig.step()
    rig.end(rig.ringing()[0], "dial_busy")
    rig.tick(90)

    run_due(now=rig.now)

    assert AutomationRun.objects.get().status == "skipped"


@pytest.mark.django_db
def test_counts_no_test_of_what_was_edited_meanwhile(rig, ready):  # noqa: F811
    batch_call = ready()
    rule = write(batch_call, answer("Owner", "is", "yes"))
    write_again = RuleContent(
        name="Rich owners",
        campaign_id=batch_call.campaign_id,
        outcomes=("human",),
        action="tag",
        params={"tag": "rich"},
        conditions=answer("Owner", "is", "no"),
    )
    as_read = AutomationRule.objects.get(pk=rule.pk)
    save_rule(client=batch_call.client, content=write_again, rule=rule, actor=TESTS, now=NOW)

    try_rule(rule=as_read, now=rig.now)

    assert AutomationRule.objects.get().tested_at is None


# -- In the browser ---------------------------------------------------------------------------------

TYPED = {
    "name": "Rich owners",
    "outcomes": ["human"],
    "action": "tag",
    "tag": "rich",
    "sentiments": ["Positive"],
    "question_0": "Owner",
    "test_0": "is",
    "answer_0": "Yes",
    "question_1": "Budget",
    "test_1": "at_least",
    "answer_1": " 5000 ",
    "question_2": "Day",
    "test_2": "one_of",
    "answer_2": "monday, Friday",
}
CONDITIONS = {
    "answers": [
        {"question": "Owner", "test": "is", "values": ["yes"]},
        {"question": "Budget", "test": "at_least", "values": ["5000"]},
        {"question": "Day", "test": "one_of", "values": ["Monday", "Friday"]},
    ],
    "sentiments": ["Positive"],
}
CREATE = "campaigns:automation-create"


@pytest.fixture
def asking(mia):
    return make_ready(mia.client, settings={"questions": ASKED})


@pytest.mark.django_db
def test_is_written_read_and_changed(browse, mia, asking):
    browser = browse(mia)

    page = browser.post(reverse(CREATE), TYPED, follow=True).content.decode()

    rule = AutomationRule.objects.get()
    assert rule.conditions == CONDITIONS
    for words in ("Owner is “yes”", "Budget is at least 5000", "Day is one of Monday, Friday"):
        assert words in page
    assert "Mood is Positive" in page
    edit = reverse("campaigns:automation-edit", args=[rule.pk])
    form = browser.get(edit).content.decode()
    assert "<details open>" in form
    assert 'value="Monday, Friday"' in form
    browser.post(edit, {**TYPED, "question_0": "", "answer_0": ""})
    rule.refresh_from_db()
    assert [one["question"] for one in rule.conditions["answers"]] == ["Budget", "Day"]
    listed = browser.get(reverse("campaigns:automation-list")).content.decode()
    assert "Budget is at least 5000" in listed


@pytest.mark.django_db
def test_keeps_the_conditions_of_a_rule_whose_question_is_no_longer_asked(browse, mia, asking):
    browser = browse(mia)
    browser.post(reverse(CREATE), TYPED)
    rule = AutomationRule.objects.get()
    type(asking).objects.update(settings={})

    edit = reverse("campaigns:automation-edit", args=[rule.pk])
    answer = browser.post(edit, TYPED)

    assert 'value="Owner" selected' in browser.get(edit).content.decode()
    assert answer.status_code == 422
    assert "No campaign asks this any more" in answer.content.decode()
    rule.refresh_from_db()
    assert rule.conditions == CONDITIONS


@pytest.mark.django_db
def test_folds_what_nobody_needs(browse, mia):
    page = browse(mia).get(reverse(CREATE)).content.decode()

    assert "<details open>" not in page
    assert "No campaign asks anything besides its goal" in page  # so no answer to wait for


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"answer_0": "maybe"}, "answer_0", "yes or no"),
        ({"answer_0": ""}, "answer_0", "Say which answer"),
        ({"question_0": ""}, "question_0", "Choose the question"),
        ({"question_0": "Shoe size"}, "question_0", "valid choice"),
        ({"test_0": "at_least"}, "test_0", "numbers alone"),
        ({"test_0": "rhymes"}, "test_0", "valid choice"),
        ({"answer_1": "a lot"}, "answer_1", "Write a number"),
        ({"answer_1": "inf"}, "answer_1", "Write a number"),
        ({"answer_2": "Monday, Sunday"}, "answer_2", "“Sunday” is none of"),
        ({"sentiments": ["Furious"]}, "sentiments", "valid choice"),
    ],
)
def test_names_what_no_call_could_answer(browse, mia, asking, wrong, field, words):
    answer = browse(mia).post(reverse(CREATE), {**TYPED, **wrong})

    page = answer.content.decode()
    assert answer.status_code == 422
    assert words in page.split(f'id="id_{field}_error"')[1].split("</div>")[0]
    assert "<details open>" in page
    assert not AutomationRule.objects.exists()


@pytest.mark.django_db
def test_asks_for_a_question_of_the_rules_own_campaign(browse, mia, asking, rival):
    other = make_ready(mia.client, name="Other", settings={"questions": [INSURER]})
    make_ready(rival, settings={"questions": [{**INSURER, "name": "Secret"}]})
    browser = browse(mia)

    assert "Secret" not in browser.get(reverse(CREATE)).content.decode()
    refused = browser.post(reverse(CREATE), {**TYPED, "campaign": str(other.pk)})
    assert refused.status_code == 422
    assert "That campaign doesn" in refused.content.decode()
    taken = browser.post(reverse(CREATE), {**TYPED, "campaign": str(asking.pk)})
    assert taken.status_code == 302
    assert not Enrolment.objects.exists()
