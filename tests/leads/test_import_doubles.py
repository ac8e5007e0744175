"""Which row stands for a number that several have, which new rows are shown, and what columns fill the script."""

from __future__ import annotations

import pytest

from campaigns.script import LEAD_VARIABLES
from leads.imports import dry_run
from leads.imports.rows import ASKED_OF_LEAD
from leads.imports.screens import rows_with_verdict
from leads.models import Lead
from tests.factories.leads import LeadFactory

pytestmark = pytest.mark.usefixtures("at_that_time")


@pytest.fixture(params=[1, 2, 200])
def chunk(request, monkeypatch) -> int:
    """Rows are judged by so many at once: what stands together and what doesn't comes out the same."""
    monkeypatch.setattr(dry_run, "CHUNK_ROWS", request.param)
    size: int = request.param
    return size


@pytest.mark.parametrize("duplicates", ["first", "last"])
def test_keeps_the_good_row_of_a_number_before_one_that_lacks_what_the_script_needs(
    imported, verdicts, target, chunk, duplicates
):
    target.variables = ["offer"]
    done = imported(
        "name,phone,offer\nA,2125550101,\nB,2125550102,x\nC,2125550101,y\nD,2125550101,\n",
        campaign_id=target.campaign_id,
        duplicates=duplicates,
    )

    assert verdicts(done) == {2: "dup_file", 5: "dup_file"}
    assert done.counts == {"new": 2, "dup_file": 2}
    assert Lead.objects.get(phone_number="+12125550101").first_name == "C"
    assert target.enrolled["+12125550101"].dynamic_vars == {"offer": "y"}
    refused = rows_with_verdict(lead_import=done, verdict="dup_file", page=None).rows
    assert [row.reason for row in refused] == ["Another row with this number is kept (4)."] * 2


@pytest.mark.parametrize("duplicates", ["first", "last"])
def test_keeps_the_row_of_a_number_that_says_they_agreed(
    imported, verdicts, target, chunk, duplicates
):
    done = imported(
        "name,phone,consent date\nA,2125550101,\nB,2125550101,2026-05-01\nC,2125550101,\n"
        "D,2125550102,2026-05-01\n",
        consent_by_row=True,
        consent=None,
        campaign_id=target.campaign_id,
        duplicates=duplicates,
    )

    assert verdicts(done) == {2: "dup_file", 4: "dup_file"}
    assert done.counts == {"new": 2, "dup_file": 2}
    assert Lead.objects.get(phone_number="+12125550101").first_name == "B"
    assert set(target.enrolled) == {"+12125550101", "+12125550102"}


@pytest.mark.parametrize(("duplicates", "kept"), [("first", 2), ("last", 3)])
def test_says_once_of_a_number_what_none_of_its_rows_has(
    imported, verdicts, target, chunk, duplicates, kept
):
    target.variables = ["offer"]
    done = imported(
        "name,phone,offer\nA,2125550101,\nB,2125550101,\n",
        campaign_id=target.campaign_id,
        duplicates=duplicates,
    )

    assert verdicts(done) == {2: "dup_file", 3: "dup_file"} | {kept: "variable_missing"}
    assert not Lead.objects.exists()


def test_leaves_the_first_row_where_the_list_of_leads_says_they_agreed(
    imported, acme, verdicts, chunk
):
    LeadFactory.create(client=acme, phone_number="+12125550101", consent_status="given")

    done = imported(
        "phone,consent date\n2125550101,\n2125550101,2026-05-01\n",
        consent=None,
        consent_by_row=True,
    )

    assert sorted(verdicts(done).values()) == ["dup_file", "update"]
    assert done.counts == {"update": 1, "dup_file": 1}
    assert sum(done.zones.values()) == 1


def test_keeps_the_first_new_rows_of_a_large_chunk_to_be_looked_at(
    imported, browse, mia, monkeypatch
):
    monkeypatch.setattr(dry_run, "CHUNK_ROWS", 5)
    monkeypatch.setattr(dry_run, "SHOWN_NEW_ROWS", 3)
    monkeypatch.setattr("leads.imports.screens.SHOWN_NEW_ROWS", 3)

    file = "name,phone\n" + "".join(f"P{n},21255501{n:02}\n" for n in range(12))

    done = imported(file, commit=False)

    page = rows_with_verdict(lead_import=done, verdict="new", page=None)
    assert [row.row_number for row in page.rows] == [2, 3, 4]
    url = f"/app/imports/{done.pk}/rows/new/"
    assert "The first 3 are shown." in browse(mia).get(url).text
    few = imported("name,phone\nA,2125550150\nB,nope\n", commit=False)
    assert "are shown" not in browse(mia).get(f"/app/imports/{few.pk}/rows/new/").text


def test_fills_the_script_from_columns_that_are_fields_of_the_lead(imported, target):
    names = ["postal_code", "region", "external_id", "time_zone", "country", "tags", "phone_2"]
    target.variables = ["first_name", *names]
    cells = ["02115", "MA", "K-1", "America/New_York", "USA", "vip", "2125550199"]
    done = imported(
        "first name,phone,zip,state,customer id,time zone,country,tags,phone 2\n"
        f"Ada,2125550101,{','.join(cells)}\n",
        campaign_id=target.campaign_id,
    )

    assert done.counts == {"new": 1}
    said = dict(zip(names, cells, strict=True))
    assert target.enrolled["+12125550101"].dynamic_vars == said


def test_knows_what_a_call_asks_of_the_lead_itself():
    assert frozenset(LEAD_VARIABLES) == ASKED_OF_LEAD
