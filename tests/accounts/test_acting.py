"""The agency's people at work as a client: banner, rights, time limit, both names in the audit log."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from accounts.acting import acting_user, find_acting
from accounts.models import ActingSession, Notification, User
from audit import actions
from audit.models import AuditLog
from convomono.lib.ids import uuid7
from leads.models import Lead, LeadImport
from tests.factories.leads import LeadFactory

LEAD = {
    "phone_number": "(212) 555-0101",
    "country": "US",
    "first_name": "Ada",
    "consent_kind": "none",
}


@pytest.fixture
def helper(bob: User) -> User:
    """Bob, who may work for clients."""
    User.objects.filter(pk=bob.pk).update(manage_campaigns=True)
    bob.refresh_from_db()
    return bob


@pytest.fixture
def begin(browse, helper, acme):
    """Sign Bob in and let him work as somebody of acme's."""

    def work_as(person, **fields):
        browser = browse(helper)
        data = {"acted_for": person.pk, "reason": "Autumn list", "minutes": 30, **fields}
        answer = browser.post(f"/agency/clients/{acme.pk}/act/", data)
        assert answer.status_code == 302, answer.text
        return browser

    return work_as


def test_shows_the_clients_pages_with_a_banner_on_each(begin, mia, acme, rival):
    LeadFactory.create(client=acme, first_name="Ours")
    theirs = LeadFactory.create(client=rival, first_name="Theirs")
    browser = begin(mia)

    page = browser.get("/app/leads/").text

    assert "Ours" in page
    assert "Theirs" not in page
    assert "are viewing as Acme Dental" in page
    assert "With the rights of Mia" in page
    assert browser.get(f"/app/leads/{theirs.pk}/").status_code == 404


def test_names_both_people_in_the_audit_log_and_the_one_who_acts_on_the_row(begin, mia, acme):
    browser = begin(mia)

    assert browser.post("/app/leads/new/", LEAD).status_code == 302

    assert Lead.objects.filter(client=acme).count() == 1
    for action in ("acting.started", "lead.added"):
        entry = AuditLog.objects.get(action=action)
        assert (entry.user_email, entry.impersonator_email) == (
            "mia@acme.test",
            "bob@convomono.test",
        )
    assert AuditLog.objects.get(action="acting.started").details["reason"] == "Autumn list"


def test_gives_no_more_rights_than_that_person_has(begin, vera):
    browser = begin(vera)

    assert browser.get("/app/leads/").status_code == 200
    assert browser.post("/app/leads/new/", LEAD).status_code == 403


def test_leaves_the_agencys_pages_as_they_are(begin, mia):
    browser = begin(mia)

    assert browser.get("/agency/health/").status_code == 200
    assert "are viewing as" not in browser.get("/agency/health/").text


def test_stops_when_asked_and_when_the_time_is_over(begin, mia):
    browser = begin(mia)
    assert browser.post("/agency/acting/stop/").status_code == 302
    assert browser.get("/app/leads/").status_code == 403
    assert AuditLog.objects.filter(action="acting.ended").count() == 1
    assert browser.post("/agency/acting/stop/").status_code == 302
    assert AuditLog.objects.filter(action="acting.ended").count() == 1

    browser = begin(mia)
    ActingSession.objects.update(ends_at=ActingSession.objects.latest("pk").started_at)

    assert browser.get("/app/leads/")["Location"] == "/agency/"
    assert browser.get("/app/leads/").status_code == 403


def test_stops_when_the_client_or_that_person_is_closed(begin, mia, acme):
    browser = begin(mia)
    User.objects.filter(pk=mia.pk).update(is_active=False)

    assert browser.get("/app/leads/")["Location"] == "/agency/"

    acme.status = "inactive"
    acme.save()
    answer = browser.post(
        f"/agency/clients/{acme.pk}/act/", {"acted_for": mia.pk, "reason": "x", "minutes": 15}
    )
    assert answer.status_code == 422
    assert browser.get("/agency/health/").status_code == 200  # still signed in


@pytest.mark.parametrize("what", ["permission", "staff", "client"])
def test_stops_when_the_one_loses_the_right_or_the_other_leaves(begin, helper, mia, rival, what):
    browser = begin(mia)
    if what == "permission":
        User.objects.filter(pk=helper.pk).update(manage_campaigns=False)
    elif what == "staff":
        User.objects.filter(pk=helper.pk).update(is_active=False)
    else:
        User.objects.filter(pk=mia.pk).update(client=rival)

    answer = browser.get("/app/leads/")

    assert answer.status_code == 302
    assert browser.post("/app/leads/new/", LEAD).status_code in {302, 403}
    assert not Lead.objects.exists()


def test_tells_the_client_once_who_works_there_why_and_until_when(begin, mia, acme, alice, browse):
    browser = begin(mia, reason="Upload of the autumn list")
    browser.get("/app/leads/")

    told = Notification.objects.get(client=acme)
    until = ActingSession.objects.get().ends_at.astimezone(ZoneInfo("America/New_York"))
    assert told.title == "Bob of your agency works in your account"
    assert "with the rights of Mia" in told.body
    assert "Upload of the autumn list" in told.body
    assert f"{until:%H:%M}" in told.body
    assert "works in your account" in browse(alice).get("/app/notifications/").text


@pytest.mark.parametrize("change", [{"reason": ""}, {"minutes": 600}, {"acted_for": str(uuid7())}])
def test_asks_for_a_reason_a_time_and_one_of_the_clients_people(browse, helper, acme, mia, change):
    data = {"acted_for": mia.pk, "reason": "List", "minutes": 30} | change

    assert browse(helper).post(f"/agency/clients/{acme.pk}/act/", data).status_code == 422


def test_refuses_people_of_another_client_and_staff_without_the_permission(
    browse, helper, bob, acme, charlie, mia, alice
):
    data = {"acted_for": charlie.pk, "reason": "List", "minutes": 30}
    assert browse(helper).post(f"/agency/clients/{acme.pk}/act/", data).status_code == 422
    User.objects.filter(pk=bob.pk).update(manage_campaigns=False)

    assert browse(bob).get(f"/agency/clients/{acme.pk}/act/").status_code == 403
    assert browse(alice).get(f"/agency/clients/{acme.pk}/act/").status_code == 403


def test_opens_nobody_elses_session(begin, mia, root):
    begin(mia)
    session = ActingSession.objects.get()

    found = find_acting(
        session_id=session.pk, user=root, real_now=session.started_at + timedelta(minutes=1)
    )

    assert found is None


def test_never_saves_the_copy(begin, mia, helper):
    begin(mia)

    with pytest.raises(RuntimeError):
        acting_user(helper, ActingSession.objects.get()).save()


def test_names_the_clients_to_whoever_may_work_for_them_alone(browse, helper, acme, rival):
    rival.status = "inactive"
    rival.save()
    browser = browse(helper)

    page = browser.get("/agency/acting/").text

    assert f"/agency/clients/{acme.pk}/act/" in page
    assert rival.name not in page
    assert page.count('href="/agency/acting/"') >= 1  # in the side bar
    assert browser.get("/agency/clients/").status_code == 403
    assert "/agency/acting/" in browser.get(f"/agency/clients/{acme.pk}/act/").text


def test_uploads_a_list_for_the_client_with_banner_and_both_names(begin, mia, acme, helper):
    browser = begin(mia)
    file = SimpleUploadedFile("autumn.csv", b"Phone,First name\n(212) 555-0101,Ada\n")

    answer = browser.post("/app/imports/new/", {"file": file, "consent_kind": "none"}, follow=True)

    assert answer.status_code == 200, answer.text
    row = LeadImport.objects.get()
    assert (row.client, row.created_by_email) == (acme, helper.email)
    assert "are viewing as Acme Dental" in answer.text
    entry = AuditLog.objects.filter(action=actions.LEADS_UPLOADED).get()
    assert entry.client_id == acme.pk
    assert {entry.user_email, entry.impersonator_email} == {mia.email, helper.email}
