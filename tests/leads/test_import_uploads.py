"""How a file comes in: pasted, in parts, read another way; and the template that is handed out."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client as Browser
from django.urls import reverse

from convomono.lib import clock
from convomono.lib.files import delete_stored, open_stored
from convomono.lib.ids import uuid7
from leads import jobs
from leads.models import LeadImport, LeadImportRow
from leads.services.retention import purge_import_files
from leads.views import parts

FILE = "First name,Phone\nAda,212 555 0101\nBob,nope\n"
NEW = "/app/imports/new/"


def part(key: object) -> str:
    return reverse("leads:import-part", args=[key])


def send(browser, key, chunk: bytes, at: int):
    return browser.post(f"{part(key)}?at={at}", chunk, content_type="application/octet-stream")


def test_takes_rows_pasted_from_a_spreadsheet(browse, mia):
    browse(mia).post(NEW, {"pasted": FILE.replace(",", "\t")})

    row = LeadImport.objects.get()
    assert (row.detected["delimiter"], row.detected["header"]) == ("\t", ["First name", "Phone"])
    assert row.file_name == "Pasted rows"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        ({}, "Choose a file, or paste the rows."),
        ({"pasted": FILE, "file": SimpleUploadedFile("a.csv", FILE.encode())}, "keep one of them"),
        ({"pasted": "phone\n"}, "one row only"),
        ({"upload": str(uuid7())}, "The upload is gone."),
    ],
)
def test_says_what_is_missing(browse, mia, data, sentence):
    answer = browse(mia).post(NEW, data)

    assert answer.status_code == 422
    assert sentence in answer.text
    assert not LeadImport.objects.exists()


def test_takes_a_file_in_parts_and_goes_on_where_it_broke(browse, mia):
    browser, key, data = browse(mia), uuid7(), FILE.encode()

    assert browser.get(part(key)).json() == {"size": 0}
    assert send(browser, key, data[:10], 0).json() == {"size": 10}
    assert send(browser, key, b"garbage", 10).json() == {"size": 17}  # then the line broke
    assert send(browser, key, data[20:], 20).status_code == 409  # a gap
    assert send(browser, key, data[10:30], 10).json() == {"size": 30}
    assert browser.get(part(key)).json() == {"size": 30}
    assert send(browser, key, data[30:], 30).json() == {"size": len(data)}
    answer = browser.post(NEW, {"upload": str(key), "upload_name": "people.csv"})

    row = LeadImport.objects.get()
    assert answer["Location"] == reverse("leads:import-detail", args=[row.pk])
    assert (row.file_name, row.size_bytes) == ("people.csv", len(data))
    assert browser.get(part(key)).json() == {"size": 0}  # the parts are gone


def test_forgets_parts_that_nobody_goes_on_with(browse, mia, monkeypatch):
    browser, key = browse(mia), uuid7()
    send(browser, key, FILE.encode(), 0)
    assert jobs.purge_parts() == 0

    real = clock.real_now()
    monkeypatch.setattr(clock, "real_now", lambda: real + timedelta(days=3))

    assert jobs.purge_parts() >= 1  # other tests' too
    assert browser.get(part(key)).json() == {"size": 0}


def test_shows_another_client_nothing_of_an_upload(browse, mia, charlie):
    key = uuid7()
    send(browse(mia), key, FILE.encode(), 0)

    assert browse(charlie).get(part(key)).json() == {"size": 0}
    answer = browse(charlie).post(NEW, {"upload": str(key)})
    assert "The upload is gone." in answer.text


def test_keeps_the_cap_over_all_parts(browse, mia, settings):
    settings.LEAD_UPLOAD_MAX_BYTES = 100
    browser, key = browse(mia), uuid7()

    assert send(browser, key, b"x" * 80, 0).status_code == 200
    assert send(browser, key, b"x" * 30, 80).status_code == 413
    assert send(browser, key, b"x", 10**14).status_code == 413


def test_needs_the_token_for_a_part(mia):
    browser = Browser(enforce_csrf_checks=True)
    browser.force_login(mia)

    assert send(browser, uuid7(), b"x", 0).status_code == 403


def test_hands_out_a_template_with_the_scripts_variables(browse, mia, target):
    target.variables = ["first_name", "offer", "company"]

    text = b"".join(
        browse(mia).get(f"/app/imports/template/?campaign={target.campaign_id}").streaming_content
    ).decode("utf-8-sig")

    assert text.splitlines()[0] == "First name,Last name,Phone,E-mail,State,ZIP,offer,Company"


def test_reads_the_file_another_way_on_the_page(browse, mia):
    browser = browse(mia)
    browser.post(NEW, {"pasted": "a;b,c\n1;2125550101,3\n"})
    row = LeadImport.objects.get()
    address = reverse("leads:import-reading", args=[row.pk])

    browser.post(address, {"encoding": "utf-8", "delimiter": ",", "has_header": "on"})
    row.refresh_from_db()
    assert row.detected["header"] == ["a;b", "c"]
    browser.post(address, {"encoding": "utf-8", "delimiter": ";"})
    row.refresh_from_db()
    assert row.detected["header"] == ["Column 1", "Column 2"]
    refused = browser.post(address, {"encoding": "klingon", "delimiter": ";"})
    assert refused.status_code == 422


def test_gives_a_client_so_much_room_for_unfinished_uploads(browse, mia, charlie, monkeypatch):
    monkeypatch.setattr(parts, "MOST_UPLOADS", 2)
    keys = [uuid7() for _ in range(3)]
    browser = browse(mia)
    for key in keys[:2]:
        assert send(browser, key, b"x" * 10, 0).status_code == 200

    refused = send(browser, keys[2], b"x", 0)

    assert refused.status_code == 413
    assert "Finish them" in refused.json()["detail"]
    assert send(browser, keys[0], b"x" * 10, 10).json() == {"size": 20}  # this one goes on
    assert send(browse(charlie), uuid7(), b"x", 0).status_code == 200


def test_counts_the_bytes_of_unfinished_uploads(browse, mia, settings):
    settings.LEAD_UPLOAD_MAX_BYTES = 100
    browser = browse(mia)
    for _upload in range(parts.MOST_FILES):
        assert send(browser, uuid7(), b"x" * 100, 0).status_code == 200

    assert send(browser, uuid7(), b"x", 0).status_code == 413


def test_reads_a_file_another_way_after_the_check(
    browse, mia, run_jobs, django_capture_on_commit_callbacks
):
    browser = browse(mia)
    browser.post(NEW, {"pasted": "Phone;Name\n2125550101;Ada\nx;Bob\n"})
    row = LeadImport.objects.get()
    check, again = (reverse(f"leads:import-{name}", args=[row.pk]) for name in ("check", "reading"))
    mapped = {"country": "US", "duplicates": "first", "existing": "fill", "consent_kind": "none"}
    with django_capture_on_commit_callbacks(execute=True):
        browser.post(check, {**mapped, "column_0": "field:phone_number"})
    run_jobs()
    LeadImportRow.objects.create(
        client_id=row.client_id, lead_import=row, row_number=3, verdict="new", values=["1", "2"]
    )
    before = LeadImport.objects.get()
    assert before.status == "checked"

    with django_capture_on_commit_callbacks(execute=True):
        browser.post(again, {"encoding": "utf-8", "delimiter": ",", "has_header": "on"})

    row.refresh_from_db()
    assert (row.status, row.detected["header"]) == ("uploaded", ["Phone;Name"])
    assert (row.counts, row.mapping, row.verdicts_name) == ({}, {}, "")
    assert not LeadImportRow.objects.exists()
    assert "Check every row" in browser.get(reverse("leads:import-detail", args=[row.pk])).text
    with pytest.raises(FileNotFoundError):
        open_stored(before.verdicts_name)


def test_says_that_a_file_is_gone_or_the_import_has_moved_on(browse, mia):
    browser = browse(mia)
    browser.post(NEW, {"pasted": FILE})
    row = LeadImport.objects.get()
    delete_stored(row.stored_name)
    address = reverse("leads:import-reading", args=[row.pk])
    fields = {"encoding": "utf-8", "delimiter": ",", "has_header": "on"}

    gone = browser.post(address, fields)
    LeadImport.objects.update(status="committed")
    late = browser.post(address, fields, follow=True)

    assert (gone.status_code, "The file is gone" in gone.text) == (422, True)
    assert "This import has moved on" in late.text


def test_shows_counts_alone_once_the_files_are_gone(browse, mia, imported):
    done = imported(FILE)
    browser, address = browse(mia), reverse("leads:import-detail", args=[done.pk])
    assert "phone_damaged" in browser.get(address).text
    assert "Download 1 row to mend" in browser.get(address).text

    purge_import_files(now=done.finished_at + timedelta(days=31))
    page = browser.get(address).text

    assert "Phone number damaged" in page
    assert "phone_damaged" not in page and "to mend" not in page


def test_keeps_nothing_of_parts_that_are_no_table(browse, mia):
    browser, key = browse(mia), uuid7()
    assert send(browser, key, b"%PDF-1.7 text", 0).status_code == 200

    refused = browser.post(NEW, {"upload": str(key), "upload_name": "scan.pdf"})

    assert refused.status_code == 422
    assert browser.get(part(key)).json() == {"size": 0}
    assert str(key) not in refused.text  # rows may be pasted now


def test_offers_a_sample_that_is_imported_as_it_is(browse, mia, imported, target):
    target.variables = ["first_name", "offer"]
    browser = browse(mia)
    address = f"/app/imports/template/?campaign={target.campaign_id}&sample=1"
    assert address.replace("&", "&amp;") in browser.get(f"{NEW}?campaign={target.campaign_id}").text

    answer = browser.get(address)
    content = b"".join(answer.streaming_content)
    done = imported(content, campaign_id=target.campaign_id)

    assert answer["Content-Disposition"] == 'attachment; filename="leads-sample.csv"'
    assert done.counts == {"new": 10}
    assert all(number[5:].startswith("55501") for number in target.enrolled)  # nobody's phone
    assert {row.dynamic_vars["offer"] for row in target.enrolled.values()} == {"(offer)"}
    assert len(done.zones) > 3
