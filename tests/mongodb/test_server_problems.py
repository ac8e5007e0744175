"""Servers that can't be used: one clear sentence each, 503, and nothing half written."""

from __future__ import annotations

import io
import json
import logging
import os
import subprocess
import sys
import time
from typing import Any

import pytest
from django.db import DatabaseError, connection
from django.test import Client as Browser
from pymongo import MongoClient
from pymongo.errors import OperationFailure
from pymongo.synchronous.collection import Collection
from structlog.stdlib import ProcessorFormatter

from accounts.models import Client
from convomono.lib import db
from convomono.lib.db import Unavailable, atomic, database_problem, deadline
from convomono.wsgi import application
from deploy.mongodb import ROOT
from tests.factories.accounts import ClientFactory
from tests.factories.webhooks import delivery, signature
from tests.mongodb.conftest import AFTER, BEFORE
from webhooks import inbox
from webhooks.intake import PATH
from webhooks.models import WebhookEvent

on_mongodb = pytest.mark.mongodb_only("breaks a server or the line to it; SQLite has none")
pytestmark = pytest.mark.django_db(transaction=True)
AWAY_SECONDS = 15  # longer than all that is asked meanwhile takes
NOBODY = "mongodb://127.0.0.1:9/convomono?serverSelectionTimeoutMS=300"
UNREACHABLE = "MongoDB does not answer: check DATABASE_URL and that the server runs."
READ_ONLY = "MongoDB takes no writes: the replica set has no primary that can be reached."
NO_RIGHTS = "MongoDB's user in DATABASE_URL may not read and write this database."
STANDALONE = "MongoDB has to run as a replica set (one member is enough)."


def readyz():
    answer = Browser().get("/readyz")
    return answer.status_code, json.loads(answer.content)["problems"]


def deliver(call_id="call_1"):
    body = delivery("call_ended", call_id=call_id, call_status="ended")
    seen = []
    environ = {
        "REQUEST_METHOD": "POST",
        "PATH_INFO": PATH,
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_X_RETELL_SIGNATURE": signature(body),
        "wsgi.input": io.BytesIO(body),
    }

    def start_response(status: str, headers: Any, _error: Any = None, /) -> Any:
        seen.append((int(status[:3]), dict(headers)))

    application(environ, start_response)
    return seen[0]


@pytest.fixture
def printed():
    """What the log says, as it is printed."""
    stream, root = io.StringIO(), logging.getLogger()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        next(
            one.formatter for one in root.handlers if isinstance(one.formatter, ProcessorFormatter)
        )
    )
    root.addHandler(handler)
    yield lambda: stream.getvalue().splitlines()
    root.removeHandler(handler)


def assert_says_so_everywhere(sentence, printed):
    """/readyz, a webhook, a page, the API and the log say the same: come again, and why."""
    assert readyz() == (503, [sentence])
    told = len(printed())
    status, headers = deliver("call_away")
    assert (status, headers["Retry-After"]) == (503, "5")
    [line] = printed()[told:]
    assert "webhook.not_stored" in line and sentence in line
    browser = Browser(raise_request_exception=False)
    browser.cookies["sessionid"] = "x" * 32  # the session is the first that is asked for
    for path, kind in (
        ("/app/", "text/html"),
        ("/api/v1/client/leads", "application/problem+json"),
    ):
        told = len(printed())
        answer = browser.get(path)
        assert (answer.status_code, answer["Retry-After"]) == (503, "5")
        assert answer["Content-Type"].startswith(kind)
        [line] = printed()[told:]
        assert "Service Unavailable" in line and sentence in line


def test_is_ready_on_either_engine():
    assert database_problem() is None
    assert readyz() == (200, [])


@on_mongodb
def test_says_that_the_server_is_unreachable(point_to, printed):
    point_to(NOBODY)

    assert_says_so_everywhere(UNREACHABLE, printed)
    with pytest.raises(DatabaseError, match="does not answer"):
        Client.objects.count()


@on_mongodb
def test_waits_less_than_the_sender_of_a_webhook(point_to):
    point_to("mongodb://127.0.0.1:9/convomono")

    assert connection.get_connection_params()["serverSelectionTimeoutMS"] < 5000


@on_mongodb
def test_says_that_there_is_no_primary_to_write_to(point_to, spare_server, printed):
    address = spare_server()
    point_to(address)
    assert deliver("call_1")[0] == 204
    admin: MongoClient[dict[str, Any]]
    with MongoClient(address) as admin:
        admin.admin.command("replSetStepDown", AWAY_SECONDS, force=True)

    assert readyz() == (503, [READ_ONLY])
    status, headers = deliver("call_2")
    assert (status, headers["Retry-After"]) == (503, "5")
    [line] = [one for one in printed() if "webhook.not_stored" in one]
    assert READ_ONLY in line
    with pytest.raises(Unavailable), atomic():
        ClientFactory.create(name="Half written")
    assert list(WebhookEvent.objects.values_list("provider_call_id", flat=True)) == ["call_1"]

    recovers_by = time.monotonic() + 3 * AWAY_SECONDS
    while database_problem() is not None and time.monotonic() < recovers_by:
        time.sleep(0.5)
    assert not Client.objects.exists()
    assert deliver("call_2")[0] == 204
    with atomic():
        ClientFactory.create(name="Whole")
    assert WebhookEvent.objects.count() == 2
    assert Client.objects.get().name == "Whole"


@on_mongodb
def test_refuses_a_server_without_transactions(point_to, spare_server):
    point_to(spare_server("--standalone"))

    assert readyz() == (503, [STANDALONE])
    with pytest.raises(Unavailable, match="replica set"), atomic():
        pytest.fail("a block without a transaction ran")


@on_mongodb
def test_refuses_a_server_that_is_too_old_each_time(point_to, monkeypatch, printed):
    point_to(connection.settings_dict["HOST"])
    monkeypatch.setattr(type(connection.features), "minimum_database_version", (99, 0))

    for _ in range(2):
        status, [problem] = readyz()
        assert status == 503
        assert problem.startswith("MongoDB 99.0 or later is required")
    assert_says_so_everywhere(problem, printed)


@on_mongodb
def test_says_that_the_password_is_wrong(point_to, spare_server):
    address = spare_server()
    admin: MongoClient[dict[str, Any]]
    with MongoClient(address) as admin:
        admin.admin.command("createUser", "app", pwd="right", roles=["readWriteAnyDatabase"])
    point_to(address.replace("//", "//app:wrong@") + "&authSource=admin")

    assert readyz() == (503, ["MongoDB refuses the user name or the password in DATABASE_URL."])


@on_mongodb
@pytest.mark.parametrize("when", [BEFORE, AFTER])
def test_stores_a_delivery_once_over_a_line_that_breaks(line, when):
    ClientFactory.create(name="Before")
    line.cut("webhooks_webhookevent", when, times=2)

    assert deliver()[0] == 204
    assert line.cut_count == 2
    assert WebhookEvent.objects.count() == 1


@on_mongodb
def test_takes_the_next_delivery_after_the_server_hung(line, monkeypatch):
    monkeypatch.setattr(inbox, "LOCK_SECONDS", 0.5)
    ClientFactory.create(name="Before")
    line.hang("webhooks_webhookevent")

    status, headers = deliver()
    assert (status, headers["Retry-After"]) == (503, "5")
    assert not WebhookEvent.objects.exists()

    assert deliver()[0] == 204
    assert WebhookEvent.objects.count() == 1
    assert readyz() == (200, [])


@on_mongodb
@pytest.mark.parametrize("how", ["cut", "hang"])
def test_answers_a_repetition_in_time_when_the_line_fails_as_the_first_body_is_read(
    line, monkeypatch, how
):
    monkeypatch.setattr(inbox, "LOCK_SECONDS", 0.5)
    assert deliver()[0] == 204
    real = inbox._first_body

    def read(key):
        if how == "cut":
            line.cut("webhooks_webhookevent", BEFORE, times=2)
        else:
            line.hang("webhooks_webhookevent")
        return real(key)

    monkeypatch.setattr(inbox, "_first_body", read)

    status, headers = deliver()

    assert (status, headers["Retry-After"]) == (503, "5")
    monkeypatch.setattr(inbox, "_first_body", real)
    assert [deliver()[0] for _ in range(2)][-1] == 204  # the driver may not have met both cuts
    assert WebhookEvent.objects.count() == 1


@on_mongodb
def test_readyz_answers_in_time_while_the_server_hangs(line, monkeypatch):
    monkeypatch.setattr(db, "PROBE_SECONDS", 0.5)
    assert readyz() == (200, [])
    line.hang("convomono_probe")

    assert readyz() == (503, [UNREACHABLE])


@on_mongodb
def test_says_that_the_user_has_no_rights(monkeypatch, printed):
    """The test server knows no rights, so its answer is what MongoDB documents: code 13."""

    def refuse(*_words, **_options):
        raise OperationFailure("not authorized on convomono to execute command", 13)

    monkeypatch.setattr(Collection, "insert_many", refuse)
    monkeypatch.setattr(Collection, "update_one", refuse)

    assert readyz() == (503, [NO_RIGHTS])
    assert deliver("call_1")[0] == 503
    [line] = [one for one in printed() if "webhook.not_stored" in one]
    assert NO_RIGHTS in line


@on_mongodb
def test_gives_up_at_the_deadline(line):
    ClientFactory.create(name="Before")
    line.hang("accounts_client")

    with pytest.raises(DatabaseError, match="does not answer"), deadline(0.3):
        Client.objects.count()


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("mongodb://127.0.0.1:27017", "DATABASE_URL names no database"),
        ("mongodb://127.0.0.1:27017/?replicaSet=rs0", "DATABASE_URL names no database"),
        ("postgres://127.0.0.1/x", "DATABASE_URL must begin with mongodb:// or sqlite:///"),
    ],
)
def test_names_a_wrong_address_at_the_start(url, sentence):
    env = {
        **os.environ,
        "DATABASE_URL": url,
        "DJANGO_SETTINGS_MODULE": "convomono.settings.test",
    }  # a process of its own
    program = "import django; django.setup()"

    result = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 1
    assert sentence in result.stderr.splitlines()[-1]
