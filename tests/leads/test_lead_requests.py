"""One lead by a program: under a key of its own it may be sent again."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from django.db import connection

from campaigns.models import Enrolment
from convomono.lib import clock
from leads.jobs import purge_requests
from leads.models import Lead, LeadRequest
from leads.services.erasure import erase_lead
from leads.services.requests import KeyReused, find_answer, remember_answer
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import LeadFactory

URL = "/api/v1/client/leads/"
BODY = {"phone_number": "+12125550101", "first_name": "Ada"}


@pytest.fixture
def send(browse, mia):
    def post(body=None, key="crm-1", user=mia):
        return browse(user).post(
            URL,
            BODY if body is None else body,
            content_type="application/json",
            headers={"Idempotency-Key": key} if key else {},
        )

    return post


def test_gives_the_first_answer_again_and_adds_nothing(send, acme):
    campaign = make_draft(acme)
    body = {**BODY, "campaign_id": str(campaign.pk)}

    first, second = send(body), send(body)

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert "Idempotency-Replayed" not in first
    assert second["Idempotency-Replayed"] == "true"
    assert Lead.objects.count() == Enrolment.objects.count() == 1


def test_says_that_the_number_was_there_under_another_key(send):
    assert [send(key=key).status_code for key in ("a", "b", "")] == [201, 200, 200]


def test_refuses_a_key_that_came_with_another_body(send):
    send()

    answer = send({**BODY, "first_name": "Grace"})

    assert answer.status_code == 409
    assert answer.json()["code"] == "idempotency_key_reused"
    assert Lead.objects.get().first_name == "Ada"


def test_remembers_nothing_of_a_refused_request(send):
    assert send({"phone_number": "12"}).status_code == 400
    assert send().status_code == 201


@pytest.mark.parametrize("key", ["x" * 101, "a\tb"])
def test_refuses_what_is_no_key(send, key):
    answer = send(key=key)

    assert answer.status_code == 400
    assert "Idempotency-Key" in answer.json()["fields"]
    assert not Lead.objects.exists()


def test_keeps_the_keys_of_clients_apart(send, charlie, mia):
    send()
    charlie.can_launch = True

    assert send(user=charlie).status_code == 201
    assert Lead.objects.count() == 2


@pytest.mark.django_db(transaction=True)
def test_answers_two_at_once_alike(acme, send):
    found = []

    def ask() -> None:
        try:
            found.append(send().json()["lead_id"])
        finally:
            connection.close()

    threads = [threading.Thread(target=ask) for _one in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(found) == 4
    assert len(set(found)) == 1
    assert Lead.objects.count() == LeadRequest.objects.count() == 1


def test_lets_the_first_of_two_at_once_say(acme):
    asked = {"client_id": acme.pk, "key": "k", "body": "{}", "now": NOW}
    one, two = LeadFactory.create_batch(2, client=acme)

    first = remember_answer(lead_id=one.pk, is_new=True, **asked)

    assert remember_answer(lead_id=two.pk, is_new=False, **asked).pk == first.pk
    with pytest.raises(KeyReused):
        find_answer(client_id=acme.pk, key="k", body="{1}")


def test_forgets_after_a_week_and_with_the_person(acme, alice, monkeypatch, send):
    send()
    send({"phone_number": "+12125550102"}, key="crm-2")
    erase_lead(lead=Lead.objects.get(phone_number="+12125550101"), reason="x", actor=alice, now=NOW)
    assert LeadRequest.objects.get().key == "crm-2"

    assert purge_requests() == 0
    LeadRequest.objects.update(created_at=clock.now() - timedelta(days=8))
    assert purge_requests() == 1
