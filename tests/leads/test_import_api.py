"""Imports by program: the same pipeline, verdicts and refusals as on the pages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from audit.models import AuditLog
from leads.api import views
from leads.imports.targets import AskedVariable
from leads.models import Consent, Lead, LeadImport
from tests.factories.leads import LeadFactory

if TYPE_CHECKING:
    from collections.abc import Callable

    from django.test import Client as Browser

    from accounts.models import User
    from tests.factories.leads import FakeTarget

URL = "/api/v1/client/imports/"
CSV = "Who,Number,offer\nAda,212 555 0101,A\nBob,nope,B\n"
CONSENT = {
    "consent_kind": "written",
    "consent_source": "Web form",
    "consent_given_at": "2026-11-01T10:00:00Z",
}


@pytest.fixture
def send(browse, mia, run_jobs, django_capture_on_commit_callbacks):
    """Post JSON as mia, and run the jobs that follow."""
    browser = browse(mia)

    def post(url, data=None, **more):
        with django_capture_on_commit_callbacks(execute=True):
            answer = browser.post(url, data or {}, content_type="application/json", **more)
        run_jobs()
        return answer

    post.get = browser.get  # type: ignore[attr-defined]  # the same browser, for looking
    return post


def test_checks_every_row_and_touches_nothing(send):
    answer = send(URL, {"csv": CSV, "dry_run": True, **CONSENT})

    assert answer.status_code == 202
    row = send.get(f"{URL}{answer.json()['import_id']}/").json()
    assert row["status"] == "checked"
    assert row["counts"] == {"new": 1, "phone_damaged": 1}
    assert row["mapping"]["fields"] == {"phone_number": 1}
    assert not Lead.objects.exists()
    rows = send.get(f"{URL}{row['import_id']}/rows/").json()["results"]
    assert [(one["row"], one["verdict"], one["cells"][0]) for one in rows] == [
        (3, "phone_damaged", "Bob")
    ]


def test_imports_in_one_go_without_a_dry_run(send, target):
    target.variables = ["offer"]

    answer = send(
        URL,
        {
            "csv": CSV,
            "dry_run": False,
            "campaign_id": str(target.campaign_id),
            "mapping": {"Who": "first_name"},
            "tags": "api, spring",
            **CONSENT,
        },
    )

    done = LeadImport.objects.get(pk=answer.json()["import_id"])
    assert (done.status, done.counts) == ("committed", {"new": 1, "phone_damaged": 1})
    lead = Lead.objects.get()
    assert (lead.first_name, lead.tags) == ("Ada", ["api", "spring"])
    assert target.enrolled["+12125550101"].dynamic_vars == {"offer": "A"}


def test_takes_a_file_and_the_steps_one_by_one(browse, mia, send):
    file = SimpleUploadedFile("leads.csv", CSV.encode())
    browser = browse(mia)
    first = browser.post(URL, {"file": file, **CONSENT})
    assert first.status_code == 202
    url = f"{URL}{first.json()['import_id']}/"
    from leads import jobs

    jobs.check_import(import_id=first.json()["import_id"])
    assert send(f"{url}commit/").status_code == 202
    assert Lead.objects.count() == 1
    again = send(f"{url}commit/")
    assert (again.status_code, again.json()["code"]) == (409, "import_moved_on")
    assert send(f"{url}undo/").status_code == 202
    assert not Lead.objects.exists()
    assert send(f"{url}cancel/").status_code == 409


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"csv": "phone\n"}, "file"),
        ({"csv": "a,b\n1,2\n"}, "mapping"),
        ({"mapping": {"Who": "shoe_size"}}, "mapping"),
        ({"consent_kind": ""}, "consent_kind"),
        ({"consent_source": ""}, "consent_source"),
        ({"campaign_id": "01997d3c-0000-7000-8000-000000000000"}, "campaign_id"),
        ({"country": "XX"}, "country"),
    ],
)
def test_says_what_is_wrong(send, change, field):
    answer = send(URL, {"csv": CSV, **CONSENT, **change})

    assert answer.status_code == 400
    assert field in answer.json()["fields"]


def test_hides_imports_from_strangers_and_lets_viewers_read(browse, charlie, vera, send):
    url = f"{URL}{send(URL, {'csv': CSV, **CONSENT}).json()['import_id']}/"

    assert browse(charlie).get(url).status_code == 404
    assert browse(charlie).get(f"{url}rows/").status_code == 404
    assert browse(vera).get(url).status_code == 200
    assert browse(vera).post(URL, {"csv": CSV, **CONSENT}).status_code == 403


def test_stops_a_file_above_the_cap_while_it_is_read(browse, mia, settings):
    settings.LEAD_UPLOAD_MAX_BYTES = 100
    file = SimpleUploadedFile("leads.csv", b"Phone\n" + b"2125550101\n" * 50)
    answer = browse(mia).post(URL, {"file": file, **CONSENT})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")
    assert not LeadImport.objects.exists()


def test_takes_no_consent_from_the_future(send):
    answer = send(URL, {"csv": CSV, **CONSENT, "consent_given_at": "2099-01-01T00:00:00Z"})
    assert answer.status_code == 400
    assert "future" in str(answer.json()["fields"]["consent_given_at"])


def test_gives_viewers_no_rows_to_take_away(send, browse, vera):
    made = send(URL, {"csv": CSV, "dry_run": True, **CONSENT}).json()
    address = f"{URL}{made['import_id']}/rows/"
    assert send.get(address).status_code == 200
    assert browse(vera).get(address).status_code == 403


def test_lists_the_rows_behind_a_warning(send, monkeypatch):
    monkeypatch.setattr(views, "ROWS_AT_ONCE", 2)
    numbers = "".join(f"P{n},850 555 010{n},\n" for n in range(1, 4))
    made = send(
        URL, {"csv": f"Name,Phone,Time zone\n{numbers}Bob,2125550102,Narnia\n", **CONSENT}
    ).json()
    address = f"{URL}{made['import_id']}/rows/"

    def listed(query):
        rows = send.get(f"{address}?{query}").json()["results"]
        return [(one["row"], one["verdict"], one["cells"][0]) for one in rows]

    assert send.get(f"{URL}{made['import_id']}/").json()["counts"] == {
        "new": 4, "tz_uncertain": 3, "tz_unread": 1,
    }  # fmt: skip
    assert listed("warning=tz_uncertain") == [(2, "new", "P1"), (3, "new", "P2")]
    assert listed("warning=tz_uncertain&after=3") == [(4, "new", "P3")]
    assert listed("warning=tz_unread") == [(5, "new", "Bob")]
    assert listed("warning=old_scrub") == []
    audited = AuditLog.objects.filter(action="leads.rows_downloaded").values_list(
        "details", flat=True
    )
    assert {"warning": "tz_uncertain"} in list(audited)


def test_lists_the_rows_of_one_campaign_that_a_warning_is_about(send, acme, target):
    leads = [LeadFactory.create(client=acme, phone_number=f"+1212555010{n}") for n in (1, 2)]
    target.elsewhere = {leads[0].pk: "Winter: 2 & more", leads[1].pk: "Autumn"}
    content = "Name,Phone\nAda,2125550101\nBob,2125550102\n"
    said = {"csv": content, "campaign_id": str(target.campaign_id), **CONSENT}
    made = send(URL, said).json()

    for name, people in (("Winter: 2 & more", ["Ada"]), ("Autumn", ["Bob"])):
        query = {"warning": f"active_elsewhere:{name}"}
        rows = send.get(f"{URL}{made['import_id']}/rows/", query).json()["results"]
        assert [one["cells"][0] for one in rows] == people


@pytest.mark.parametrize(
    ("query", "field"),
    [("warning=x", "warning"), ("warning=new", "warning"), ("warning=tz_unread&verdict=new", "warning"),
     ("verdict=tz_unread", "verdict")],
)  # fmt: skip
def test_refuses_a_warning_that_is_none(send, browse, vera, charlie, query, field):
    made = send(URL, {"csv": CSV, **CONSENT}).json()
    address = f"{URL}{made['import_id']}/rows/?{query}"

    answer = send.get(address)

    assert answer.status_code == 400
    assert field in answer.json()["fields"]
    assert browse(vera).get(address).status_code == 403
    assert browse(charlie).get(address).status_code == 404


def test_keeps_kind_and_wording_where_each_row_says_who_agreed(send):
    content = "Phone,Consent date\n2125550101,2026-05-01\n2125550102,\n"
    said = {**CONSENT, "consent_by_row": True, "csv": content, "dry_run": False}

    both = send(URL, said)
    answer = send(URL, {name: one for name, one in said.items() if name != "consent_given_at"})

    assert both.json()["fields"] == {"consent_given_at": ["Each row says its own."]}
    assert answer.status_code == 202
    consent = Consent.objects.get()
    assert (consent.kind, consent.source) == ("written", CONSENT["consent_source"])
    assert consent.given_at.date().isoformat() == "2026-05-01"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"csv": "a,b\n1,2\n"}, "mapping"),
        ({"consent_kind": "columns"}, "mapping"),
        ({"defaults": {"nobody": "x"}}, "defaults"),
    ],
)
def test_keeps_no_file_of_an_upload_it_refuses(send, change, field):
    answer = send(URL, {"csv": CSV, **CONSENT, **change})

    assert answer.status_code == 400
    assert field in answer.json()["fields"]
    row = LeadImport.objects.get()
    assert (row.status, row.stored_name, row.detected["samples"]) == ("cancelled", "", [])


def test_takes_columns_for_what_they_were_in_an_earlier_import(send, imported):
    imported("Wer,Kontakt\nAda,2125550109\n")
    csv = "Something,Kontakt\n2125550199,2125550102\n"

    row = send(URL, {"csv": csv, "dry_run": True, **CONSENT}).json()

    assert row["mapping"]["fields"]["phone_number"] == 1


def test_takes_defaults_and_leaves_out_lines_as_the_page_does(send, target):
    target.variables = ["offer", "gift"]
    target.asked = {"gift": AskedVariable(problem=lambda text: "" if text == "mug" else "No.")}
    csv = "Number,Country,offer\n212 555 0101,US,\n020 7946 0018,UK,A\n"
    body: dict[str, Any] = {
        "csv": csv,
        "campaign_id": str(target.campaign_id),
        "refused_lines": ["landline"],
    }
    body |= {"dry_run": False, **CONSENT}

    unfit = send(URL, {**body, "defaults": {"gift": "gold"}})
    answer = send(URL, {**body, "defaults": {"offer": "ten", "gift": "mug"}})

    assert (unfit.status_code, unfit.json()["fields"]) == (400, {"defaults": ["No."]})
    done = LeadImport.objects.get(pk=answer.json()["import_id"])
    assert done.counts == {"new": 1, "line_type_refused": 1}
    assert target.enrolled["+12125550101"].dynamic_vars == {"offer": "ten", "gift": "mug"}
    started = AuditLog.objects.get(action="leads.import_started")
    assert (started.resource_id, started.user_email) == (done.pk, "mia@acme.test")


def test_records_who_took_rows_away(send):
    made = send(URL, {"csv": CSV, "dry_run": True, **CONSENT}).json()

    send.get(f"{URL}{made['import_id']}/rows/?verdict=phone_damaged")

    entry = AuditLog.objects.get(action="leads.rows_downloaded")
    assert entry.details == {"verdict": "phone_damaged"}


@pytest.mark.parametrize("field", ["mapping", "defaults"])
@pytest.mark.parametrize("text", ['{"a": ', "[" * 100_000, '{"a":' * 100 + "1" + "}" * 100])
def test_says_of_a_forms_field_that_it_is_no_json(
    browse: Callable[[User], Browser], mia: User, field: str, text: str
) -> None:
    answer = browse(mia).post(URL, {"csv": CSV, **CONSENT, field: text})

    assert answer.status_code == 400
    assert answer.json()["fields"] == {field: ["This is no JSON."]}


@pytest.mark.parametrize(
    ("mapping", "names"),
    [
        ({"Mobil": "phone_number"}, "'Mobil'"),
        ({"7": "first_name"}, "'7'"),
        ({"Who": "{{plan}}"}, "'plan'"),
        ({"Who": "first_name", "offer": "first_name"}, "'first_name'"),
    ],
)
@pytest.mark.parametrize("in_campaign", [False, True])
def test_names_the_column_or_variable_that_nothing_has(
    send: Any, target: FakeTarget, mapping: dict[str, str], names: str, in_campaign: bool
) -> None:
    target.variables = ["offer"]
    campaign = {"campaign_id": str(target.campaign_id)} if in_campaign else {}

    answer = send(URL, {"csv": CSV, "mapping": mapping, **campaign, **CONSENT})

    assert answer.status_code == 400
    assert names in str(answer.json()["fields"]["mapping"])
    assert LeadImport.objects.get().status == "cancelled"


def test_ignores_a_column_that_is_said_to_mean_nothing(send: Any) -> None:
    answer = send(URL, {"csv": "Name,Number\nAda,2125550101\n", "mapping": {"0": ""}, **CONSENT})

    assert answer.json()["mapping"]["fields"] == {"phone_number": 1}


def test_tells_nothing_of_the_proof_of_consent(
    browse: Callable[[User], Browser], vera: User, send: Any
) -> None:
    made = send(URL, {"csv": CSV, **CONSENT}).json()
    row = LeadImport.objects.get()
    row.options |= {"consent_proof": "proofs/1.pdf", "consent_proof_name": "Ada.pdf"}
    row.save()

    shown = browse(vera).get(f"{URL}{made['import_id']}/")

    assert shown.json()["options"]["country"] == "US"
    assert "proof" not in shown.text
