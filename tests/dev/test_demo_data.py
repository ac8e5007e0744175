"""Whose database the demonstration may go into."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from accounts.models import User
from campaigns.automation import CallFacts, means
from convomono.demo import habits, history
from convomono.demo.agency import ROOT, WELCOME_DAYS
from convomono.demo.campaigns import content
from convomono.demo.history import DAYS, LAUNCHES
from telephony.sandbox.analyses import analyse
from telephony.sandbox.outcomes import plan_call
from telephony.sandbox.scripts import read_script
from tests.factories.accounts import UserFactory

pytestmark = pytest.mark.django_db


def test_may_go_into_an_empty_database(capsys):
    call_command("demo_data", check=True)

    assert "may go there" in capsys.readouterr().out
    assert not User.objects.exists()


def test_may_go_on_where_it_was_before(capsys):
    UserFactory.create(email=ROOT)
    UserFactory.create(email="somebody.who.tries@it.test")

    call_command("demo_data", check=True)

    assert "may go there" in capsys.readouterr().out


@pytest.mark.parametrize("check", [True, False])
def test_keeps_out_of_a_database_that_people_work_with(check):
    UserFactory.create(email="owner@agency.test")

    with pytest.raises(CommandError, match="unset DATABASE_URL"):
        call_command("demo_data", check=check)

    assert not User.objects.filter(email=ROOT).exists()


def test_takes_a_database_without_tables_for_an_empty_one(monkeypatch, capsys):
    def no_such_table(**_):
        raise DatabaseError("no such table: accounts_user")

    monkeypatch.setattr(User.objects, "filter", no_such_table)

    call_command("demo_data", check=True)

    assert "may go there" in capsys.readouterr().out


def test_has_a_statement_with_calls_for_the_month_before_on_any_day():
    """On the 30th and the 31st last month's statement had no call, or there was none."""
    for number in range(2 * 366):
        today = date(2027, 1, 1) + timedelta(days=number)
        month = today.replace(day=1)
        before = (month - timedelta(days=1)).replace(day=1)
        launched = [today - timedelta(days=days_ago) for days_ago, _leads in LAUNCHES]

        assert any(before <= day < month for day in launched), today
        assert today - timedelta(days=DAYS) < before, today


def test_asks_of_its_calls_what_its_rule_looks_at():
    settings = content("Recall").settings
    agent = {
        "post_call_analysis_data": [
            {"type": one["kind"], "name": one["name"], "choices": one["choices"]}
            for one in settings["questions"]
        ]
    }
    script = read_script(agent=agent, llm={}, variables={})
    told = []
    for number in range(40):
        plan = plan_call(to_number="+12125550001", seed=str(number), profile="warm", agent={})
        plan = replace(plan, successful=False, seed=number)
        answers = analyse(plan=plan, reason=plan.reason, script=script, agent=agent)
        told.append(answers["custom_analysis_data"])

    assert {one["Insured"] for one in told} == {True, False}
    assert {one["Obstacle"] for one in told} == {"nothing", "price", "no time", "another dentist"}
    facts = [
        CallFacts(
            outcome_class="human", reason="", is_converted=False, lead_status="", answers=answers
        )
        for answers in told
    ]
    meant = [means(habits.RULE.outcomes, one, habits.RULE.conditions) for one in facts]
    assert 0 < sum(meant) < len(meant)


def test_has_a_name_for_each_past_launch_and_minutes_that_still_expire():
    assert len(history._NAMES) == len(LAUNCHES)
    assert DAYS < WELCOME_DAYS
