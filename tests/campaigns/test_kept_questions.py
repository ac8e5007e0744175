"""Kept questions: each version is asked them once it is indexed; what it says stands beside the version before."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from audit.services import System
from campaigns import jobs
from campaigns.models import KnowledgeAnswer, KnowledgeBase
from campaigns.queries.knowledge import knowledge_page
from campaigns.services import answers, knowledge
from campaigns.services.asking import MADE_WITHIN, ask_knowledge
from campaigns.services.questions import drop_question, keep_question
from campaigns.views import asking, questions as views
from convomono.lib import clock
from telephony.provider import Rejected, Unavailable
from tests.factories.campaigns import NOW

WHEN, WHERE = "When do you open?", "Where is it?"


def index(base, alice):
    knowledge.request_index(base=base, auto_refresh=False, actor=alice, now=NOW)
    jobs.index_knowledge(base_id=str(base.pk))
    base.refresh_from_db()
    return base


def ask(base):
    jobs.ask_kept_questions(base_id=str(base.pk))


def asked(retell):
    return [said["messages"][-1].content for name, said in retell.asked if name == "playground"]


def kept(base):
    return {one.question.text: one for one in knowledge_page(base, now=NOW).questions}


@pytest.fixture
def base(alice, retell):
    """The first version, indexed, with two questions kept."""
    made = knowledge.create_knowledge(client=alice.client, name="Hours", actor=alice, now=NOW)
    knowledge.add_text(base=made, title="Hours", text="From 8 to 18.", actor=alice, now=NOW)
    for number, text in enumerate((WHEN, WHERE)):
        keep_question(base=made, text=text, actor=alice, now=NOW + timedelta(seconds=number))
    retell.passages = {WHEN: ("From 8 to 18.",)}
    return index(made, alice)


@pytest.fixture
def enqueued(monkeypatch):
    """The jobs that would be put on a queue."""
    found = []
    for module in (jobs, views):
        monkeypatch.setattr(
            module,
            "enqueue_once",
            lambda job, **said: found.append((job.__name__, said["base_id"])),
        )
    return found


def test_are_asked_of_each_version_once_it_is_indexed(alice, base, retell):
    assert {one.answer.status for one in kept(base).values()} == {"waiting"}

    ask(base)
    ask(base)

    assert asked(retell) == [WHEN, WHERE]
    shown = kept(base)
    assert (shown[WHEN].answer.text, shown[WHEN].answer.passages) == ("Hello!", ["From 8 to 18."])
    assert shown[WHERE].answer.passages == []
    second = knowledge.start_version(base=base, actor=alice, now=NOW)
    assert kept(second)[WHEN].answer is None
    ask(index(second, alice))
    assert asked(retell) == [WHEN, WHERE] * 2


def test_stand_beside_the_newest_version_before_that_answered(alice, base, retell):
    ask(base)
    retell.passages = {WHEN: ("From 9 to 17.",)}
    second = index(knowledge.start_version(base=base, actor=alice, now=NOW), alice)
    ask(second)
    third = index(knowledge.start_version(base=second, actor=alice, now=NOW), alice)

    shown = kept(second)
    assert (shown[WHEN].has_changed, shown[WHEN].earlier_number) == (True, 1)
    assert (shown[WHERE].has_changed, shown[WHERE].earlier_number) == (False, 1)
    assert kept(base)[WHEN].earlier is None
    assert kept(third)[WHEN].earlier_number == 2
    ask(third)
    assert not kept(third)[WHEN].has_changed


def test_go_on_after_a_killed_worker(base, retell, enqueued, monkeypatch):
    real, calls = ask_knowledge, []

    def killed_at_the_second(**said):
        calls.append(said["question"])
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(**said)

    monkeypatch.setattr(answers, "ask_knowledge", killed_at_the_second)
    with pytest.raises(KeyboardInterrupt):
        ask(base)
    assert [one.answer.status for one in kept(base).values()] == ["answered", "waiting"]

    soon = clock.now() + jobs.STAYED_BEHIND / 2
    assert not answers.left_behind(since=soon - jobs.STAYED_BEHIND, most=9)
    KnowledgeAnswer.objects.update(ordered_at=clock.now() - 2 * jobs.STAYED_BEHIND)
    jobs.resume_campaigns()
    assert ("ask_kept_questions", str(base.pk)) in enqueued
    ask(base)

    assert asked(retell) == [WHEN, WHERE]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Unavailable("", 503), "can't be reached just now"),
        (Rejected("no such agent", 422), "Retell refused these settings: no such agent"),
    ],
)
def test_say_why_they_are_not_answered_and_may_be_asked_again(
    browse, mia, base, retell, enqueued, error, words
):
    retell.fail("playground", error)
    ask(base)
    assert {one.answer.status for one in kept(base).values()} == {"failed"}
    browser, address = browse(mia), f"/app/knowledge/{base.pk}/"
    assert words in browser.get(address).content.decode().replace("&#x27;", "'")

    browser.post(f"{address}questions/ask/")
    assert enqueued == [("ask_kept_questions", str(base.pk))]
    ask(base)

    assert asked(retell)[-2:] == [WHEN, WHERE]
    assert {one.answer.status for one in kept(base).values()} == {"answered"}


def test_wait_while_another_question_makes_the_agent(base, retell):
    KnowledgeBase.objects.filter(pk=base.pk).update(tester_since=clock.real_now())
    ask(base)
    assert {one.answer.status for one in kept(base).values()} == {"waiting"}
    KnowledgeBase.objects.filter(pk=base.pk).update(tester_since=clock.real_now() - 2 * MADE_WITHIN)
    ask(base)
    assert {one.answer.status for one in kept(base).values()} == {"answered"}


def test_count_one_by_one_for_what_a_client_may_ask_in_a_day(
    browse, mia, base, enqueued, monkeypatch
):
    monkeypatch.setattr(asking, "PER_DAY", 3)
    ask(base)
    browser, address = browse(mia), f"/app/knowledge/{base.pk}/questions/ask/"
    assert browser.post(address).status_code == 302
    assert {one.answer.status for one in kept(base).values()} == {"waiting"}
    ask(base)
    page = browser.post(address, follow=True).content.decode()
    assert "3 questions were asked today" in page
    assert {one.answer.status for one in kept(base).values()} == {"answered"}


def test_of_a_version_that_is_gone_say_so(base):
    KnowledgeBase.objects.filter(pk=base.pk).update(status="retired", provider_id="")
    ask(base)
    assert {one.answer.error for one in kept(base).values()} == {
        "Have it indexed first: only then can it be asked."
    }
    base.refresh_from_db()
    with pytest.raises(knowledge.KnowledgeNotReady):
        answers.order_answers(base=base, actor=System("knowledge"), now=NOW)


def test_take_their_answers_along_when_they_are_removed(alice, base):
    ask(base)
    drop_question(base=base, question=kept(base)[WHEN].question, actor=alice, now=NOW)
    assert [row.question.text for row in KnowledgeAnswer.objects.all()] == [WHERE]


def test_are_shown_to_viewers_and_asked_by_managers(browse, vera, mia, charlie, base, enqueued):
    retell_says = f"/app/knowledge/{base.pk}/"
    page = browse(vera).get(retell_says).content.decode()
    assert "Being asked…" in page
    assert "every 2s" in page
    assert "Ask all again" not in page
    assert browse(vera).post(f"{retell_says}questions/ask/").status_code == 403
    assert browse(charlie).post(f"{retell_says}questions/ask/").status_code == 404
    ask(base)
    page = browse(mia).get(retell_says).content.decode()
    assert "Ask all again" in page
    assert "No passage fits" in page
    assert "every 2s" not in page


@pytest.mark.parametrize(("later", "looks_again"), [(0, True), (11, False)])
def test_are_waited_for_until_they_are_ordered(base, later, looks_again):
    KnowledgeAnswer.objects.all().delete()
    base.refresh_from_db()
    page = knowledge_page(base, now=base.indexed_at + timedelta(minutes=later))
    assert page.is_asking == looks_again


def test_are_not_waited_for_if_they_were_kept_later(alice, base):
    ask(base)
    base.refresh_from_db()
    later = base.indexed_at + timedelta(minutes=1)
    keep_question(base=base, text="And on Sundays?", actor=alice, now=later)
    assert not knowledge_page(base, now=later).is_asking


def test_take_as_many_queries_for_many(browse, mia, base, alice, django_assert_num_queries):
    ask(base)
    browser, address = browse(mia), f"/app/knowledge/{base.pk}/"
    browser.get(address)
    with CaptureQueriesContext(connection) as few:
        browser.get(address)
    for number in range(8):
        keep_question(base=base, text=f"And {number}?", actor=alice, now=NOW + timedelta(1))
    answers.order_answers(base=base, actor=alice, now=NOW)
    ask(base)
    with django_assert_num_queries(len(few)):
        browser.get(address)
