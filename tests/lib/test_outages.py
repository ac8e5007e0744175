"""A request that the database could not serve is answered 503, and every other failure 500."""

from __future__ import annotations

import json
import sqlite3

import pytest
from django.db import OperationalError
from django.test import RequestFactory

from convomono.lib.outages import server_error
from convomono.settings.logs import _name_outages


def answer_to(path, error):
    try:
        raise error
    except OperationalError:
        return server_error(RequestFactory().get(path))


def from_sqlite(code):
    cause = sqlite3.OperationalError("from the driver")
    cause.sqlite_errorcode = code
    error = OperationalError("from the driver")
    error.__cause__ = cause
    return error


BUSY, NO_SUCH_COLUMN = from_sqlite(sqlite3.SQLITE_BUSY), from_sqlite(sqlite3.SQLITE_ERROR)


def test_asks_people_to_try_again():
    answer = answer_to("/app/leads/", BUSY)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert "can't reach our database" in answer.content.decode().replace("&#x27;", "'")


def test_answers_programs_with_a_problem():
    answer = answer_to("/api/v1/client/leads", BUSY)

    assert (answer.status_code, answer["Retry-After"]) == (503, "5")
    assert answer["Content-Type"] == "application/problem+json"
    assert json.loads(answer.content)["code"] == "database_unavailable"


def test_answers_500_to_what_is_a_bug():
    answer = answer_to("/app/leads/", NO_SUCH_COLUMN)

    assert answer.status_code == 500
    assert "Retry-After" not in answer


@pytest.mark.parametrize("info", [BUSY, (OperationalError, BUSY, None)])
def test_logs_a_sentence_instead_of_a_traceback(info):
    event = _name_outages(None, "error", {"event": "drain.failed", "exc_info": info})

    assert set(event) == {"event", "problem"}
    assert event["problem"].startswith("The database is busy")


@pytest.mark.parametrize("info", [None, True, NO_SUCH_COLUMN])
def test_keeps_the_traceback_of_everything_else(info):
    event = {"event": "drain.failed", "exc_info": info}

    assert _name_outages(None, "error", dict(event)) == event
