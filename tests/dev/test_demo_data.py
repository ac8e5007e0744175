"""Whose database the demonstration may go into."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError

from accounts.models import User
from convomono.demo.agency import ROOT
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
