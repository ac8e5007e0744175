"""A file becomes leads: verdicts, counts, options, and doing it twice."""

from __future__ import annotations

import io

import openpyxl
import pytest

from accounts.models import Notification
from leads import jobs
from leads.imports.error_file import error_lines
from leads.models import Consent, Lead
from leads.services.imports import ImportMovedOn
from tests.factories.leads import LeadFactory, SuppressionFactory, all_marks_known, ask_commit

FILE = """First name,Last name,Mobile,City
Ada,Byron,(212) 555-0101,Boston
Grace,Murray,+1 212 555 0102,Austin
Ada,Again,212-555-0101,Boston
No,Phone,,Reno
Too,Short,12345,Reno
Bad,Area,+1 999 200 2671,Reno
Sheet,Damage,4.15551E+09,Reno
"""


def test_gives_each_row_one_verdict_and_touches_no_lead_in_the_dry_run(imported, verdicts):
    lead_import = imported(FILE, commit=False)

    assert lead_import.status == "checked"
    assert lead_import.counts == {
        "new": 2,
        "dup_file": 1,
        "phone_missing": 1,
        "phone_too_short": 1,
        "phone_not_assignable": 1,
        "phone_damaged": 1,
    }
    assert verdicts(lead_import) == {
        4: "dup_file",
        5: "phone_missing",
        6: "phone_too_short",
        7: "phone_not_assignable",
        8: "phone_damaged",
    }
    assert lead_import.rows_total == 7
    assert not Lead.objects.exists()


def test_imports_the_good_rows_with_their_consent(imported, acme, alice):
    lead_import = imported(FILE)

    assert lead_import.status == "committed"
    assert lead_import.counts["new"] == 2
    ada = Lead.objects.get(client=acme, phone_number="+12125550101")
    assert (ada.first_name, ada.last_name, ada.consent_status) == ("Ada", "Byron", "given")
    assert ada.zones == ["America/New_York"]
    consent = Consent.objects.get(lead=ada)
    assert (consent.source, consent.recorded_by_email) == ("Web form", alice.email)


def test_keeps_the_last_row_of_a_number_when_asked(imported):
    imported(FILE, duplicates="last")

    assert Lead.objects.get(phone_number="+12125550101").last_name == "Again"


@pytest.mark.parametrize(
    ("existing", "verdict", "first", "company"),
    [
        ("fill", "update", "Known", "Byron Ltd"),
        ("overwrite", "update", "Ada", "Byron Ltd"),
        ("skip", "dup_client", "Known", ""),
    ],
)
def test_treats_a_known_lead_as_asked(imported, acme, existing, verdict, first, company):
    lead = LeadFactory.create(client=acme, phone_number="+12125550101", first_name="Known")

    done = imported("first name,company,phone\nAda,Byron Ltd,212 555 0101\n", existing=existing)

    lead.refresh_from_db()
    assert done.counts == {verdict: 1}
    assert (lead.first_name, lead.company) == (first, company)
    assert (company.casefold() in lead.search_text) or not company


def test_leaves_another_clients_lead_with_the_same_number_alone(imported, rival):
    other = LeadFactory.create(client=rival, phone_number="+12125550101", first_name="Theirs")

    assert imported(FILE).counts["new"] == 2

    other.refresh_from_db()
    assert other.first_name == "Theirs"


def test_never_enrols_who_must_not_be_called(imported, acme, rival, target):
    SuppressionFactory.create(client=acme, phone_number="+12125550101")
    SuppressionFactory.create(client=None, level="agency", phone_number="+12125550102")
    SuppressionFactory.create(client=rival, phone_number="+12125550103")
    SuppressionFactory.create(
        client=acme, level="campaign", campaign_id=target.campaign_id, phone_number="+12125550104"
    )

    done = imported(
        "phone\n" + "".join(f"212555010{n}\n" for n in range(1, 5)), campaign_id=target.campaign_id
    )

    assert done.counts == {
        "suppressed_client": 1,
        "suppressed_agency": 1,
        "suppressed_campaign": 1,
        "new": 1,
    }
    assert list(target.enrolled) == ["+12125550103"]
    assert Lead.objects.count() == 1


def test_fills_the_script_and_refuses_rows_that_leave_it_empty(imported, target):
    target.variables = ["first_name", "city", "offer"]

    done = imported(
        "First name,City,phone\nAda,Boston,2125550101\nGrace,,2125550102\n",
        campaign_id=target.campaign_id,
        defaults={"offer": "10 % off"},
    )

    assert done.counts == {"new": 1, "variable_missing": 1}
    # The name is the lead's own, as it stands when the call is made.
    assert target.enrolled["+12125550101"].dynamic_vars == {
        "city": "Boston",
        "offer": "10 % off",
    }
    assert ",3,city,variable_missing," in "".join(error_lines(lead_import=done))


def test_skips_who_is_in_the_campaign_already(imported, target):
    imported("phone\n2125550101\n", campaign_id=target.campaign_id)

    again = imported("phone\n2125550101\n2125550102\n", campaign_id=target.campaign_id)

    assert again.counts == {"dup_campaign": 1, "new": 1}
    assert len(target.enrolled) == 2


def test_keeps_people_without_consent_as_leads_and_never_enrols_them(imported, acme, target):
    LeadFactory.create(client=acme, phone_number="+12125550102", consent_status="given")
    LeadFactory.create(client=acme, phone_number="+12125550103", consent_status="none")

    done = imported(
        "phone\n2125550101\n2125550102\n2125550103\n", campaign_id=target.campaign_id, consent=None
    )

    assert done.counts == {"no_consent": 2, "update": 1}
    assert list(target.enrolled) == ["+12125550102"]
    assert Lead.objects.get(phone_number="+12125550101").consent_status == "none"


def test_never_undoes_a_consent_that_was_taken_back(imported, acme, target):
    lead = LeadFactory.create(client=acme, phone_number="+12125550101", consent_status="revoked")

    done = imported("phone\n2125550101\n", campaign_id=target.campaign_id)

    lead.refresh_from_db()
    assert done.counts == {"no_consent": 1}
    assert lead.consent_status == "revoked"
    assert not target.enrolled


def test_changes_nothing_when_the_same_file_comes_twice(imported, acme):
    imported(FILE)
    before = list(Lead.objects.order_by("pk").values_list("pk", "first_name", "updated_at"))

    again = imported(FILE)

    assert again.counts["update"] == 2
    assert list(Lead.objects.order_by("pk").values_list("pk", "first_name", "updated_at")) == before


def test_commits_once_however_often_it_is_asked(imported, alice):
    lead_import = imported(FILE)

    with pytest.raises(ImportMovedOn):
        ask_commit(lead_import, alice)


def test_writes_an_error_file_that_can_be_uploaded_again(imported):
    broken = 'name,phone\n=cmd|evil,\n"Grace, M",+1 212 555 0102\nBob,\'+12125550103\n'
    lead_import = imported(broken)

    text = "".join(error_lines(lead_import=lead_import))

    assert text.startswith("\ufeffname,phone,_row,_column,_reason_code,_reason,_suggestion\r\n")
    assert "'=cmd|evil,,2,phone,phone_missing," in text
    assert Lead.objects.filter(phone_number="+12125550103").exists()
    mended = text.replace("'=cmd|evil,,", "'=cmd|evil,'+12125550104,")
    again = imported(mended)
    assert again.counts == {"new": 1}
    lead = Lead.objects.get(phone_number="+12125550104")
    assert lead.full_name == "=cmd|evil"


def test_refuses_cells_that_the_agent_would_read_as_variables(imported):
    done = imported("name,phone\n{{system}},2125550101\nAda,2125550102\n")

    assert done.counts == {"row_unreadable": 1, "new": 1}


def test_counts_a_number_that_got_on_the_list_after_the_dry_run(
    imported, acme, alice, run_jobs, django_capture_on_commit_callbacks, verdicts
):
    lead_import = imported(FILE, commit=False)
    SuppressionFactory.create(client=acme, phone_number="+12125550102")

    with django_capture_on_commit_callbacks(execute=True):
        ask_commit(lead_import, alice)
    run_jobs()

    lead_import.refresh_from_db()
    assert (lead_import.counts["new"], lead_import.counts["suppressed_client"]) == (1, 1)
    assert verdicts(lead_import)[3] == "suppressed_client"
    assert not Lead.objects.filter(phone_number="+12125550102").exists()


def test_tags_new_and_known_leads(imported, acme):
    LeadFactory.create(client=acme, phone_number="+12125550101", tags=["old"])

    imported(FILE, tags=["Spring"])

    tags = dict(Lead.objects.values_list("phone_number", "tags"))
    assert tags == {"+12125550101": ["old", "Spring"], "+12125550102": ["Spring"]}
    assert "#spring " in Lead.objects.get(phone_number="+12125550101").search_text
    assert all_marks_known()


def test_keeps_the_last_row_of_a_workbook_too(imported):
    out = io.BytesIO()
    book = openpyxl.Workbook()
    for row in (["name", "phone"], ["Ada", 2125550101], ["Grace", 2125550101]):
        book.active.append(row)
    book.save(out)

    done = imported(out.getvalue(), duplicates="last")

    assert done.counts == {"dup_file": 1, "new": 1}
    assert Lead.objects.get().first_name == "Grace"


def test_tells_the_client_once_and_mails_who_uploaded_it(
    imported, alice, mailoutbox, django_capture_on_commit_callbacks
):
    with django_capture_on_commit_callbacks(execute=True):
        done = imported(FILE)
        jobs.commit_import(import_id=done.pk)

    notification = Notification.objects.get(client=alice.client)
    assert (notification.title, notification.body) == ("leads.csv", "2 new · 0 updated · 5 skipped")
    assert notification.url == f"/app/imports/{done.pk}/"
    [mail] = mailoutbox
    assert (mail.to, mail.subject) == ([alice.email], "Imported: leads.csv")
    assert "2 new" in mail.body
