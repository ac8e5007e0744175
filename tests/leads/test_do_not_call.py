"""Do-not-call in and out, consent with proof, erasure, and the page that says why."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from urllib.parse import quote

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from audit.models import AuditLog
from campaigns.models import Attempt, Enrolment, FollowUp, PersonPace
from campaigns.queries.number_check import check_number
from campaigns.services.enrolment import enrol_lead
from convomono.lib import files
from convomono.lib.ids import uuid7
from convomono.lib.phone import parse_number
from leads.models import Consent, Lead, LeadNote, LeadOperation, LeadStatusChange, Suppression
from leads.operations.work import give_up
from leads.services import lift_suppression, suppress, suppressed_numbers
from leads.services.erasure import CallInProgress, erase_lead
from leads.services.retention import purge_exports
from telephony.models import Call, CallDetail
from tests.factories.accounts import NOW
from tests.factories.campaigns import TESTS, make_draft
from tests.factories.leads import ConsentFactory, LeadFactory, SuppressionFactory

NUMBER = "+12125550101"


@pytest.fixture
def take_over(browse, mia, run_jobs, django_capture_on_commit_callbacks):
    def run(**data) -> LeadOperation:
        with django_capture_on_commit_callbacks(execute=True):
            answer = browse(mia).post(
                "/app/do-not-call/import/", {"country": "US", "reason": "Old system", **data}
            )
        assert answer.status_code == 302, answer.text
        run_jobs()
        return LeadOperation.objects.get()

    return run


def test_takes_over_a_list_and_says_which_lines_had_no_number(take_over, browse, vera, acme):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)
    SuppressionFactory.create(client=acme, phone_number="+12125550102")
    text = "Name,Phone\nAda,(212) 555-0101\nBob;212 555 0102\n\n+12125550103,x\n212.555.0101\n"

    operation = take_over(file=SimpleUploadedFile("dnc.csv", text.encode("utf-8-sig")))

    assert (operation.changed_count, operation.skipped_count) == (2, 2)
    assert (operation.status, operation.total_count) == ("done", 4)
    assert set(Suppression.objects.values_list("phone_number", flat=True)) == {
        NUMBER,
        "+12125550102",
        "+12125550103",
    }
    lead.refresh_from_db()
    assert lead.status == "suppressed"
    page = browse(vera).get(f"/app/leads/changes/{operation.pk}/").text
    assert "Numbers were read from the column" in page
    assert "“Phone”" in page


def test_takes_a_list_back(
    take_over, browse, mia, acme, run_jobs, django_capture_on_commit_callbacks
):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)
    operation = take_over(pasted=f"{NUMBER}\n+12125550103")

    with django_capture_on_commit_callbacks(execute=True):
        browse(mia).post(f"/app/leads/changes/{operation.pk}/undo/")
    run_jobs()

    assert not Suppression.objects.exists()
    lead.refresh_from_db()
    assert lead.status == "new"


@pytest.mark.parametrize("way", ["a person", "a call", "another list"])
def test_keeps_who_asked_since_when_a_list_is_taken_back(
    take_over, browse, mia, acme, run_jobs, django_capture_on_commit_callbacks, way
):
    operation = take_over(pasted=f"{NUMBER}\n+12125550102\n")
    call_id = uuid7() if way == "a call" else None
    if way == "another list":
        with django_capture_on_commit_callbacks(execute=True):
            browse(mia).post(
                "/app/do-not-call/import/", {"country": "US", "reason": "B", "pasted": NUMBER}
            )
        run_jobs()
    else:
        suppress(
            level="client", client_id=acme.pk, campaign_id=None, phone_number=NUMBER,
            source="call" if call_id else "person", reason="Never again", call_id=call_id,
            actor=mia, now=NOW,
        )  # fmt: skip

    with django_capture_on_commit_callbacks(execute=True):
        browse(mia).post(f"/app/leads/changes/{operation.pk}/undo/")
    run_jobs()

    entry = Suppression.objects.get()
    assert (entry.phone_number, entry.call_id) == (NUMBER, call_id)
    told = AuditLog.objects.filter(action="number.suppressed").count()
    assert told == (way != "another list")
    operation.refresh_from_db()
    assert (operation.undone_count, operation.kept_count) == (1, 1)


def test_goes_through_a_long_list_in_slices(take_over):
    operation = take_over(pasted="\n".join(f"+1212555{n:04}" for n in range(100, 200)))

    assert operation.changed_count == 100


@pytest.mark.parametrize(
    "data",
    [{}, {"pasted": "  "}, {"reason": "", "pasted": NUMBER}, {"file": b"PK\x03\x04\x00\x00"}],
)
def test_refuses_what_is_no_list(browse, mia, data):
    if "file" in data:
        data = data | {"file": SimpleUploadedFile("x.xlsx", data["file"])}

    answer = browse(mia).post(
        "/app/do-not-call/import/", {"country": "US", "reason": "Old system", **data}
    )

    assert answer.status_code == 422


def test_exports_the_list_without_formulas_and_without_others(browse, mia, vera, acme, rival):
    SuppressionFactory.create(client=acme, phone_number=NUMBER, reason="=cmd()")
    SuppressionFactory.create(client=rival, phone_number="+12125550102")
    SuppressionFactory.create(client=acme, phone_number="#abc", scope_key="x", source="erasure")

    text = b"".join(browse(mia).get("/app/do-not-call/export/").streaming_content).decode()

    assert f"'{NUMBER},client,,person,'=cmd()," in text
    assert "0102" not in text
    assert "#abc" not in text
    assert browse(vera).get("/app/do-not-call/export/").status_code == 403


def test_lists_a_number_for_one_campaign_as_somebody_asked_aloud(browse, mia, vera, acme, rival):
    campaign = make_draft(acme)
    data = {"phone_number": NUMBER, "country": "US", "reason": "At the desk", "source": "spoken"}
    browser = browse(mia)

    assert (
        browser.post("/app/do-not-call/add/", data | {"campaign_id": campaign.pk}).status_code
        == 302
    )

    row = Suppression.objects.get()
    assert (row.level, row.campaign_id, row.source) == ("campaign", campaign.pk, "spoken")
    assert campaign.name in browse(vera).get("/app/do-not-call/").text
    asked = {"client_id": acme.pk, "phone_numbers": [NUMBER]}
    assert suppressed_numbers(campaign_id=campaign.pk, **asked) == {NUMBER: "campaign"}
    assert suppressed_numbers(campaign_id=uuid7(), **asked) == {}
    strange = data | {"campaign_id": make_draft(rival).pk}
    assert browser.post("/app/do-not-call/add/", strange).status_code == 422


# The API


def test_lists_adds_and_lifts_for_programs(browse, mia, vera, charlie, acme):
    browser = browse(mia)
    sent = {"phone_number": "(212) 555-0101", "reason": "CRM"}
    address = "/api/v1/client/suppressions/"

    made = browser.post(address, sent, content_type="application/json")
    again = browser.post(address, sent, content_type="application/json")

    assert made.status_code == again.status_code == 201
    assert made.json()["phone_number"] == NUMBER
    assert made.json()["suppression_id"] == again.json()["suppression_id"]
    assert Suppression.objects.get().source == "api"
    one = f"{address}{made.json()['suppression_id']}/"
    assert browse(vera).get(f"{address}?phone_number=%2B12125550101").json()["results"]
    assert browse(vera).get(one).status_code == 200
    assert browse(vera).delete(one).status_code == 403
    assert browse(charlie).get(one).status_code == 404
    assert browse(charlie).delete(one).status_code == 404
    assert browser.delete(one).status_code == 400
    why = {"reason": "A mistake"}
    assert browser.delete(one, why, content_type="application/json").status_code == 204
    assert not Suppression.objects.exists()


@pytest.mark.parametrize(
    ("change", "status"),
    [({"phone_number": "12"}, 400), ({"reason": ""}, 400), ({"campaign_id": str(uuid7())}, 404)],
)
def test_refuses_wrong_entries_of_programs(browse, mia, acme, change, status):
    sent = {"phone_number": NUMBER, "reason": "CRM"} | change

    answer = browse(mia).post("/api/v1/client/suppressions/", sent, content_type="application/json")

    assert answer.status_code == status


# Consent

CONSENT = {
    "consent_kind": "written",
    "consent_source": "Paper form",
    "consent_on": "2026-11-02",
    "consent_wording": "Call me.",
}


def test_records_a_consent_with_its_proof_and_hands_it_out_as_a_download(
    browse, mia, vera, charlie, acme
):
    lead = LeadFactory.create(client=acme, consent_status="none")
    proof = SimpleUploadedFile("form.html", b"<script>alert(1)</script>")

    answer = browse(mia).post(f"/app/leads/{lead.pk}/consent/", CONSENT | {"proof": proof})

    assert answer.status_code == 302
    lead.refresh_from_db()
    consent = Consent.objects.get()
    assert (lead.consent_status, consent.proof_name) == ("given", "form.html")
    assert browse(vera).get(f"/app/consents/{consent.pk}/proof/").status_code == 403
    file = browse(mia).get(f"/app/consents/{consent.pk}/proof/")
    assert file["Content-Type"] == "application/octet-stream"
    assert file["Content-Disposition"].startswith("attachment")
    assert b"".join(file.streaming_content) == b"<script>alert(1)</script>"
    assert browse(charlie).get(f"/app/consents/{consent.pk}/proof/").status_code == 404
    assert AuditLog.objects.filter(action="consent.proof_downloaded").count() == 1


def test_takes_a_consent_back_and_nobody_dials_any_more(browse, mia, acme):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER, time_zone="America/New_York")
    ConsentFactory.create(lead=lead)
    enrol_lead(campaign=make_draft(acme), lead=lead, dynamic_vars={}, now=NOW)
    assert _verdicts(acme) == ["allow"]

    assert browse(mia).post(f"/app/leads/{lead.pk}/revoke/", {"how": ""}).status_code == 422
    browse(mia).post(f"/app/leads/{lead.pk}/revoke/", {"how": "By mail"})

    lead.refresh_from_db()
    consent = Consent.objects.get()
    assert lead.consent_status == "revoked"
    assert (consent.revoked_how, consent.revoked_by_email) == ("By mail", "mia@acme.test")
    assert _verdicts(acme) == ["deny"]


def _verdicts(client):
    check = check_number(
        client=client, number=parse_number(NUMBER), is_sandbox=True, now=NOW + timedelta(hours=1)
    )
    return [answer.verdict for answer in check.answers]


# May we call?


@pytest.mark.parametrize(
    ("prepare", "verdict", "sentence"),
    [
        (lambda lead: None, "allow", "It was within calling hours there"),
        (
            lambda lead: Lead.objects.filter(pk=lead.pk).update(consent_status="none"),
            "deny",
            "no proof that this person agreed",
        ),
        (
            lambda lead: suppress(
                level="client",
                client_id=lead.client_id,
                campaign_id=None,
                phone_number=lead.phone_number,
                source="person",
                reason="x",
                actor=lead.client.users.first(),
                now=NOW,
            ),
            "deny",
            "on your do-not-call list",
        ),
    ],
)
def test_answers_as_the_dispatcher_would(acme, alice, prepare, verdict, sentence):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER, time_zone="America/New_York")
    enrol_lead(campaign=make_draft(acme), lead=lead, dynamic_vars={}, now=NOW)
    prepare(lead)

    check = check_number(
        client=acme, number=parse_number(NUMBER), is_sandbox=False, now=NOW + timedelta(hours=1)
    )

    (answer,) = check.answers
    assert answer.verdict == verdict
    assert sentence in " ".join(one.sentence for one in answer.reasons)
    assert answer.is_enrolled
    assert Enrolment.objects.count() == 1  # nothing was written


def test_asks_about_a_number_that_is_in_no_list(browse, vera, mia, acme):
    make_draft(acme)

    page = browse(vera).get("/app/may-we-call/?number=%28212%29+555-0177").text

    assert "in none of your lists" in page
    assert "no proof that this person agreed" in page
    assert not Lead.objects.exists()
    assert browse(vera).get("/app/may-we-call/?number=12").status_code == 422
    assert browse(vera).get("/app/may-we-call/").status_code == 200


def test_tells_a_client_of_the_agencys_list_and_of_no_other_client(browse, vera, acme, rival, root):
    for level, client in (("agency", None), ("client", rival)):
        suppress(
            level=level,
            client_id=client.pk if client else None,
            campaign_id=None,
            phone_number=NUMBER if level == "agency" else "+12125550102",
            source="person",
            reason="Their secret reason",
            actor=root,
            now=NOW,
        )

    agencys, rivals = (
        browse(vera).get(f"/app/may-we-call/?number=%2B{number[1:]}").text
        for number in (NUMBER, "+12125550102")
    )

    assert "Listed: do not call." in agencys
    assert "On none." in rivals
    assert "secret" not in agencys + rivals


def test_says_that_the_person_was_erased_and_the_number_stays_listed(browse, vera, acme, alice):
    make_draft(acme)
    lead = LeadFactory.create(client=acme, phone_number=NUMBER, first_name="Zaphod")
    erase_lead(lead=lead, reason="Zaphod asked", actor=alice, now=NOW)

    page = browse(vera).get(f"/app/may-we-call/?number=%2B{NUMBER[1:]}").text

    assert "was erased at their wish" in page
    assert "Client: Erased person: erased at their wish; the number stays listed" in page
    assert "in none of your lists" not in page
    assert "Zaphod" not in page


def test_prints_the_answer_on_one_page(browse, mia, vera, acme):
    make_draft(acme)
    address = f"/app/may-we-call/pdf/?number=%2B{NUMBER[1:]}"

    answer = browse(mia).get(address)

    assert answer["Content-Type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF")
    assert b"/Count 1" in answer.content or answer.content.count(b"/Type /Page\n") <= 1
    assert browse(vera).get(address).status_code == 403


# Erasure


@pytest.fixture
def known(acme) -> Lead:
    """A person of whom everything is known: consent, note, enrolment, attempt, call, follow-up."""
    lead = LeadFactory.create(
        client=acme, phone_number=NUMBER, first_name="Ada", email="ada@x.test", tags=["vip"]
    )
    ConsentFactory.create(lead=lead)
    LeadNote.objects.create(client=acme, lead=lead, text="Ada is nice", created_at=NOW)
    campaign = make_draft(acme)
    enrol_lead(campaign=campaign, lead=lead, dynamic_vars={"pet": "Rex"}, now=NOW)
    enrolment = Enrolment.objects.get()
    call = Call.objects.create(
        client=acme,
        provider_call_id="call_1",
        lead_id=lead.pk,
        to_number=NUMBER,
        status="ended",
        ended_at=NOW - timedelta(hours=1),
        billed_seconds=60,
        created_at=NOW,
    )
    CallDetail.objects.create(call=call, transcript="Ada said Rex")
    Attempt.objects.create(
        client=acme,
        enrolment=enrolment,
        number=1,
        campaign_id=campaign.pk,
        batch_call_id=uuid7(),
        version_id=uuid7(),
        lead_id=lead.pk,
        phone_number=NUMBER,
        status="ended",
        request={"to_number": NUMBER},
        error=f"Retell: {NUMBER} can't be called.",
        created_at=NOW,
    )
    PersonPace.objects.create(phone_number=NUMBER, attempt_id=uuid7(), changed_at=NOW)
    FollowUp.objects.create(
        client=acme, lead=lead, due_at=NOW, note="Ada again", key="k", created_at=NOW
    )
    return lead


def test_erases_a_person_everywhere_but_for_a_hash_that_nobody_dials(known, acme, rival, alice):
    assert erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)
    assert not erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)

    tables = (
        *(Lead, Consent, LeadNote, Enrolment, Attempt, Call, CallDetail, FollowUp, Suppression),
        *(PersonPace, LeadStatusChange),
    )
    for model in tables:
        for row in model.objects.all().values():
            for word in (NUMBER, "Ada", "ada@x.test", "Rex", "vip"):
                assert word not in str(row), (model, word)
    assert Call.objects.get().billed_seconds == 60
    asked: dict[str, Any] = {"campaign_id": None, "phone_numbers": [NUMBER, "+12125550199"]}
    assert suppressed_numbers(client_id=acme.pk, **asked) == {NUMBER: "client"}
    assert suppressed_numbers(client_id=rival.pk, **asked) == {}
    assert Suppression.objects.get().is_erased
    assert Enrolment.objects.get().status == "suppressed"
    assert AuditLog.objects.filter(action="lead.erased").count() == 1


def test_erases_the_further_numbers_of_a_person_too(known, acme, alice):
    Lead.objects.filter(pk=known.pk).update(other_numbers=["+12125550177", "+12125550178"])
    SuppressionFactory.create(client=acme, phone_number="+12125550178")
    known.refresh_from_db()

    erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)

    left = str(Lead.objects.values().get()) + str(list(Suppression.objects.values()))
    assert "555017" not in left
    for number in (NUMBER, *known.other_numbers):
        found = suppressed_numbers(client_id=acme.pk, campaign_id=None, phone_numbers=[number])
        assert found == {number: "client"}


def test_imports_an_erased_number_to_nothing(known, imported, alice):
    erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)

    lead_import = imported(f"Phone,Name\n{NUMBER},Ada\n+12125550142,Bob\n")

    assert lead_import.counts["suppressed_client"] == 1
    assert not Lead.objects.filter(phone_number=NUMBER).exists()


def test_waits_for_the_end_of_a_call(known, alice):
    Enrolment.objects.update(status="in_call")
    with pytest.raises(CallInProgress):
        erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)
    Enrolment.objects.update(status="done")
    Call.objects.update(ended_at=NOW - timedelta(minutes=1))
    with pytest.raises(CallInProgress):
        erase_lead(lead=known, reason="Asked", actor=alice, now=NOW)

    known.refresh_from_db()
    assert known.first_name == "Ada"
    assert Consent.objects.exists()


def test_asks_twice_before_it_erases(known, browse, mia, vera, charlie):
    address = f"/app/leads/{known.pk}/erase/"

    assert browse(mia).post(address, {"reason": "Asked"}).status_code == 422
    assert browse(vera).post(address, {"reason": "Asked", "is_sure": "on"}).status_code == 403
    assert browse(charlie).post(address, {"reason": "Asked", "is_sure": "on"}).status_code == 404
    assert browse(mia).post(address, {"reason": "Asked", "is_sure": "on"}).status_code == 302

    assert Lead.objects.get().status == "erased"
    assert browse(mia).get("/app/leads/").text.count("erased:") == 0
    assert "An erased person" in browse(mia).get("/app/do-not-call/").text


@pytest.mark.parametrize("face", ["client", "agency"])
def test_shows_entries_alike_on_both_faces(browse, mia, root, acme, face):
    client = acme if face == "client" else None
    asked = SuppressionFactory.create(
        client=client, level=face, phone_number=NUMBER, source="call", reason="user_requested_dnc"
    )
    erased = SuppressionFactory.create(client=client, level=face, phone_number="#0123456789abcde")
    path = "/app/do-not-call/" if client else "/agency/do-not-call/"
    browser = browse(mia if client else root)

    page = browser.get(path).text

    assert "Asked on a call" in page
    assert "user_requested_dnc" not in page  # a code of the voice platform's
    assert "0123456789" not in page
    for entry in (asked, erased):
        assert f"{path}{entry.pk}/lift/" in page
    lift = browser.get(f"{path}{erased.pk}/lift/").text
    assert "An erased person" in lift
    assert "0123456789" not in lift


def test_takes_every_number_of_a_line_however_long_it_is(take_over):
    long_note = "x" * 1990 + ",212 555 0109," + "y" * 3000 + ",212-555-0108"

    operation = take_over(pasted=f"{NUMBER},{long_note}\n+12125550102\n")

    assert operation.changed_count == 4
    numbers = set(Suppression.objects.values_list("phone_number", flat=True))
    assert numbers == {NUMBER, "+12125550109", "+12125550108", "+12125550102"}


def test_shows_nobody_the_code_of_a_call_that_asked_for_it(browse, mia, acme):
    """Retell's code is kept for the record; people read that somebody asked on a call."""
    lead = LeadFactory.create(client=acme)
    suppress(
        level="client",
        client_id=acme.pk,
        campaign_id=None,
        phone_number=lead.phone_number,
        source="call",
        reason="user_requested_dnc",
        actor=TESTS,
        now=NOW,
    )
    entry = Suppression.objects.get()
    browser = browse(mia)

    for page in (
        f"/app/may-we-call/?number={quote(lead.phone_number)}",
        f"/app/leads/{lead.pk}/",
        f"/app/do-not-call/{entry.pk}/lift/",
        "/app/do-not-call/",
    ):
        shown = browser.get(page).text
        assert "Asked on a call" in shown, page
        assert "user_requested_dnc" not in shown, page
    assert entry.reason == "user_requested_dnc"


# People with several numbers


def test_imports_nobody_who_is_listed_under_another_number(imported, acme, verdicts, browse, mia):
    SuppressionFactory.create(client=acme, phone_number="+12125550188")
    LeadFactory.create(client=acme, phone_number=NUMBER, other_numbers=["+12125550188"])
    rows = (
        "phone,work phone,name",
        "+12125550142,+1 212 555 0188,Ada",  # in the file
        f"{NUMBER},,Bob",  # known from before
        "+12125550143,+1 212 555 0189,Eve",
    )

    lead_import = imported("\n".join(rows) + "\n")

    assert lead_import.counts["suppressed_client"] == 2
    assert set(verdicts(lead_import).values()) == {"suppressed_client"}
    assert set(Lead.objects.values_list("phone_number", flat=True)) == {NUMBER, "+12125550143"}
    page = browse(mia).get(f"/app/imports/{lead_import.pk}/rows/suppressed_client/").text
    assert (
        page.count("Another number of this person is on a do-not-call list: +1 212-555-0188.") == 2
    )


def test_keeps_a_lead_marked_who_is_still_listed_under_another_number(acme, alice):
    lead = LeadFactory.create(
        client=acme, phone_number=NUMBER, other_numbers=["+12125550188"], status="suppressed"
    )
    mine, other = (
        SuppressionFactory.create(client=acme, phone_number=number)
        for number in (NUMBER, "+12125550188")
    )

    lift_suppression(suppression=mine, reason="Mistake", actor=alice, now=NOW)
    lead.refresh_from_db()
    assert lead.status == "suppressed"

    lift_suppression(suppression=other, reason="Mistake", actor=alice, now=NOW)
    lead.refresh_from_db()
    assert lead.status == "new"


def test_frees_who_was_listed_by_the_agency_under_another_number(acme, alice):
    lead = LeadFactory.create(
        client=acme, phone_number=NUMBER, other_numbers=["+12125550188"], status="suppressed"
    )
    entry = SuppressionFactory.create(client=None, level="agency", phone_number="+12125550188")

    lift_suppression(suppression=entry, reason="Mistake", actor=alice, now=NOW)

    lead.refresh_from_db()
    assert lead.status == "new"


def test_takes_a_list_over_for_one_campaign_alone_and_back(
    take_over, browse, mia, acme, rival, run_jobs, django_capture_on_commit_callbacks
):
    lead = LeadFactory.create(client=acme, phone_number=NUMBER)
    ours, other = make_draft(acme), make_draft(acme)

    operation = take_over(pasted=f"{NUMBER}\n+12125550102\n", campaign_id=str(ours.pk))

    entries = Suppression.objects.values_list("level", "client_id", "campaign_id")
    assert set(entries) == {("campaign", acme.pk, ours.pk)}
    for campaign, listed in ((ours, {NUMBER: "campaign"}), (other, {}), (None, {})):
        asked_for = campaign.pk if campaign else None
        found = suppressed_numbers(client_id=acme.pk, campaign_id=asked_for, phone_numbers=[NUMBER])
        assert found == listed
    lead.refresh_from_db()
    assert lead.status == "new"
    assert ours.name in browse(mia).get(f"/app/leads/changes/{operation.pk}/").text
    told = AuditLog.objects.get(action="suppressions.imported").details
    assert told["campaign_id"] == str(ours.pk)

    with django_capture_on_commit_callbacks(execute=True):
        browse(mia).post(f"/app/leads/changes/{operation.pk}/undo/")
    run_jobs()
    assert not Suppression.objects.exists()


def test_takes_no_list_over_for_another_clients_campaign(browse, mia, rival):
    asked = {"country": "US", "reason": "x", "pasted": NUMBER}

    answer = browse(mia).post(
        "/app/do-not-call/import/", asked | {"campaign_id": str(make_draft(rival).pk)}
    )

    assert answer.status_code == 422
    assert not LeadOperation.objects.exists()


@pytest.mark.parametrize("end", ["cancelled", "failed", "left"])
def test_deletes_the_file_of_a_list_that_came_to_no_end(
    browse, mia, acme, django_capture_on_commit_callbacks, end
):
    data = {"country": "US", "reason": "x", "pasted": NUMBER}
    browse(mia).post("/app/do-not-call/import/", data)
    operation = LeadOperation.objects.get()
    with files.open_stored(operation.stored_name) as stream:
        assert NUMBER.encode() in stream.read()

    with django_capture_on_commit_callbacks(execute=True):
        if end == "cancelled":
            browse(mia).post(f"/app/leads/changes/{operation.pk}/cancel/")
        elif end == "failed":
            give_up(operation, now=NOW)
        else:  # by an earlier version
            LeadOperation.objects.update(status="failed", finished_at=NOW)
            assert purge_exports(now=NOW + timedelta(days=8)) == 1

    with pytest.raises(FileNotFoundError):
        files.open_stored(operation.stored_name)
    operation.refresh_from_db()
    assert (operation.stored_name, operation.is_working) == ("", False)
