"""Minutes for many clients: noted once, given by a worker, gone on with after a kill, nobody twice."""

from __future__ import annotations

import importlib

import pytest
from django.apps import apps

from accounts.models import Notification
from audit.models import AuditLog
from billing import jobs, services
from billing.invariants import audit_ledger
from billing.models import CreditRequest, GrantRun, Payment
from billing.services import grants
from billing.views import grants as views
from convomono.lib.ids import uuid7
from tests.factories.accounts import ClientFactory, UserFactory
from tests.factories.billing import NOW, balances, open_wallet

PAGE, REQUESTS = "/agency/money/grant/", "/agency/money/requests/"


@pytest.fixture
def many(acme, monkeypatch):
    """Seven clients, where more than three are many, and a worker takes two at a time."""
    monkeypatch.setattr(views, "MOST_AT_ONCE", 3)
    monkeypatch.setattr(grants, "AT_ONCE", 2)
    clients = [acme, *ClientFactory.create_batch(6)]
    for client in clients:
        open_wallet(client)
    return clients


@pytest.fixture
def browser(browse, root):
    return browse(root)


def typed(**other):
    return {"key": str(uuid7()), "everybody": "on", "minutes": "2", "reason": "Outage", **other}


def text(response):
    return " ".join(response.content.decode().split())


def given(clients):
    return [balances(client)[0] for client in clients]


def test_gives_all_clients_minutes_by_a_worker_and_once(browser, many, root):
    form = typed()
    first, second = (browser.post(PAGE, form) for _ in range(2))

    run = GrantRun.objects.get()
    assert first["Location"] == second["Location"] == f"{PAGE}{run.pk}/"
    assert given(many) == [0] * 7
    working = text(browser.get(f"{PAGE}{run.pk}/"))
    assert "0 of 7 clients" in working and "every 2s" in working
    for _twice in range(2):
        jobs.grant_minutes(run_id=str(run.pk))
        browser.post(PAGE, form)

    assert given(many) == [120] * 7
    done = text(browser.get(f"{PAGE}{run.pk}/"))
    assert "7 clients have the minutes." in done and "every 2s" not in done
    assert "Outage" in text(browser.get(PAGE))
    assert AuditLog.objects.filter(action="grant.asked").count() == 1
    assert set(Payment.objects.values_list("created_by_email", flat=True)) == {root.email}
    assert audit_ledger(now=NOW) == []


def test_shows_the_state_alone_to_htmx(browser, many):
    browser.post(PAGE, typed())
    address = f"{PAGE}{GrantRun.objects.get().pk}/"

    fragment = text(browser.get(address, headers={"HX-Request": "true"}))

    assert fragment.startswith("<section") and "<html" not in fragment


@pytest.mark.parametrize("other", [{"minutes": "3"}, {"reason": "Other"}, {"valid_days": "9"}])
def test_refuses_another_grant_of_the_same_form(browser, many, other):
    form = typed()
    browser.post(PAGE, form)

    assert browser.post(PAGE, {**form, **other}).status_code == 422
    assert GrantRun.objects.get().seconds == 120


def test_goes_on_where_it_was_killed_and_gives_nobody_twice(browser, many, monkeypatch):
    browser.post(PAGE, typed())
    run = GrantRun.objects.get()
    give, calls = grants._give, []

    def dying(run, client, **about):
        calls.append(client)
        if len(calls) == 4:  # one of the second two has its minutes, and nobody noted it
            raise KeyboardInterrupt
        return give(run, client, **about)

    with monkeypatch.context() as patched:
        patched.setattr(grants, "_give", dying)
        with pytest.raises(KeyboardInterrupt):
            jobs.grant_minutes(run_id=str(run.pk))
    assert sorted(given(many)) == [0] * 4 + [120] * 3
    assert GrantRun.objects.get().done_count == 2
    claimed_until = GrantRun.objects.get().claimed_until
    assert claimed_until is not None
    assert services.grants_left_behind(now=claimed_until) == [run.pk]

    GrantRun.objects.update(claimed_until=None)
    assert jobs.resume_grants() == 1
    jobs.grant_minutes(run_id=str(run.pk))

    assert given(many) == [120] * 7
    assert audit_ledger(now=NOW) == []


def test_has_one_worker_at_a_time(browser, many, monkeypatch):
    browser.post(PAGE, typed())
    run, give, beside = GrantRun.objects.get(), grants._give, []

    def busy(run, client, **about):
        beside.append(services.grant_slice(run_id=run.pk, now=about["now"]))
        return give(run, client, **about)

    monkeypatch.setattr(grants, "_give", busy)
    jobs.grant_minutes(run_id=str(run.pk))

    assert beside == [True] * 7  # it left them all to the first
    assert GrantRun.objects.get().done_count == 7
    assert given(many) == [120] * 7


@pytest.fixture
def second(browse, db):
    return browse(UserFactory.create(role="super_admin", email="second@agency.test"))


@pytest.mark.parametrize("at_once", [3, 50])
def test_asks_a_second_person_once_for_all_clients(
    browser, second, many, settings, monkeypatch, at_once
):
    """A grant to a thousand clients was a thousand requests, each with a notice and a press."""
    settings.CREDIT_APPROVAL_MINUTES = 10
    monkeypatch.setattr(views, "MOST_AT_ONCE", at_once)
    form = typed()
    for _twice in range(2):
        assert browser.post(PAGE, form)["Location"] == REQUESTS
    run = GrantRun.objects.get()
    assert not CreditRequest.objects.exists()
    assert Notification.objects.filter(title__contains="asks for a second person").count() == 1

    jobs.resume_grants()
    jobs.grant_minutes(run_id=str(run.pk))  # nobody has approved it
    assert given(many) == [0] * 7
    waiting = text(second.get(REQUESTS))
    for words in ("Outage", ">7<", ">2.00<", ">14.00<", f"{PAGE}{run.pk}/approve/"):
        assert words in waiting, words
    assert "approves it for all 7 clients at once" in text(second.get(f"{PAGE}{run.pk}/"))

    for _twice in range(2):
        assert second.post(f"{PAGE}{run.pk}/approve/")["Location"] == f"{PAGE}{run.pk}/"
        jobs.grant_minutes(run_id=str(run.pk))

    assert given(many) == [120] * 7
    page = text(second.get(f"{PAGE}{run.pk}/"))
    assert "7 clients have the minutes." in page and "Approved by second@agency.test" in page
    assert set(Payment.objects.values_list("created_by_email", flat=True)) == {"second@agency.test"}
    assert AuditLog.objects.filter(action="credit.approved").count() == 1
    assert "Nothing waits" in text(second.get(REQUESTS))
    assert second.post(f"{PAGE}{run.pk}/refuse/", follow=True).status_code == 200
    assert GrantRun.objects.get().status == "done"
    assert audit_ledger(now=NOW) == []


def test_lets_nobody_approve_a_grant_of_their_own(browser, many, settings, root):
    settings.CREDIT_APPROVAL_MINUTES = 10
    browser.post(PAGE, typed())
    run = GrantRun.objects.get()
    assert "/approve/" not in text(browser.get(REQUESTS))
    assert "/approve/" not in text(browser.get(f"{PAGE}{run.pk}/"))

    answer = text(browser.post(f"{PAGE}{run.pk}/approve/", follow=True))

    assert "Somebody else has to approve" in answer
    assert GrantRun.objects.get().status == "waiting"
    browser.post(f"{PAGE}{run.pk}/refuse/")  # takes it back
    assert GrantRun.objects.get().status == "refused"


def test_gives_nothing_of_a_grant_that_was_refused(second, browser, many, settings):
    settings.CREDIT_APPROVAL_MINUTES = 10
    browser.post(PAGE, typed())
    run = GrantRun.objects.get()
    for _twice in range(2):
        second.post(f"{PAGE}{run.pk}/refuse/")

    assert "It was refused before." in text(second.post(f"{PAGE}{run.pk}/approve/", follow=True))
    jobs.resume_grants()
    jobs.grant_minutes(run_id=str(run.pk))
    assert given(many) == [0] * 7
    assert "second@agency.test refused it" in text(browser.get(f"{PAGE}{run.pk}/"))
    assert AuditLog.objects.filter(action="credit.refused").count() == 1


def test_lets_only_who_sells_decide_on_a_grant(browse, browser, many, settings):
    settings.CREDIT_APPROVAL_MINUTES = 10
    browser.post(PAGE, typed())
    run = GrantRun.objects.get()
    seer = browse(UserFactory.create(role="admin", view_finance=True))

    assert "Outage" in text(seer.get(REQUESTS)) and "/approve/" not in text(seer.get(REQUESTS))
    for verb in ("approve", "refuse"):
        assert seer.post(f"{PAGE}{run.pk}/{verb}/").status_code == 403
        assert browser.get(f"{PAGE}{run.pk}/{verb}/").status_code == 405


def test_lets_grants_wait_that_nobody_had_approved_before_one_decision_was_enough(
    browser, many, settings
):
    browser.post(PAGE, typed())
    GrantRun.objects.update(needs_approval=True)
    migration = importlib.import_module("billing.migrations.0008_grant_decisions")

    migration.wait(apps, None)

    assert GrantRun.objects.get().status == "waiting"


def test_names_a_client_that_the_form_had_given_something_else(browser, many, root):
    key = uuid7()
    by = {"actor": root, "now": NOW}
    services.grant(clients=many[:1], seconds=60, reason="Outage", key=key, **by)
    browser.post(PAGE, typed(key=str(key)))

    jobs.grant_minutes(run_id=str(key))

    assert given(many) == [60] + [120] * 6
    assert GrantRun.objects.get().refused_names == [many[0].name]
    page = text(browser.get(f"{PAGE}{key}/"))
    assert "6 clients have the minutes." in page and "These got nothing" in page


def test_leaves_out_deactivated_clients_unless_they_are_chosen(browser, many):
    type(many[0]).objects.filter(pk=many[0].pk).update(status="inactive")
    browser.post(PAGE, typed())
    jobs.grant_minutes(run_id=str(GrantRun.objects.get().pk))
    assert given(many) == [0] + [120] * 6

    browser.post(PAGE, typed(everybody="", clients=[str(many[0].pk)]))
    assert given(many) == [120] * 7


def test_needs_somebody_to_give_to(browser, many):
    answer = browser.post(PAGE, typed(everybody=""))

    assert answer.status_code == 422
    assert "Choose clients, or all of them." in text(answer)


def test_is_for_who_looks_after_money(browse, browser, many, alice, bob):
    browser.post(PAGE, typed())
    address = f"{PAGE}{GrantRun.objects.get().pk}/"
    for person in (alice, bob):
        assert browse(person).get(address).status_code == 403
    seer = browse(UserFactory.create(role="admin", view_finance=True))
    assert seer.get(address).status_code == 200
    assert seer.post(address).status_code == 405
    assert browser.get(f"{PAGE}{uuid7()}/").status_code == 404
