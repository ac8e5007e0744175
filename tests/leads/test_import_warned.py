"""Counts of warnings open the rows they count: the first thousand of each."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from leads.imports import dry_run
from leads.imports.forgetting import forget_in_import
from leads.imports.verdict_file import written
from leads.imports.warned import rows_with_warning, warning_counts
from tests.factories.leads import LeadFactory

UNCERTAIN = "850 555 01"  # an area of two zones
FILE = (
    f"name,phone,time zone\nAda,{UNCERTAIN}01,\nBob,2125550102,Narnia\nCy,2125550103,\n"
    f"Di,{UNCERTAIN}04,Narnia\n"
)


def rows_address(row, warning: str) -> str:
    return reverse("leads:import-rows", args=[row.pk, warning])


@pytest.mark.parametrize("commit", [False, True])
def test_opens_the_rows_behind_each_count(imported, browse, vera, commit):
    done = imported(FILE, commit=commit)
    browser = browse(vera)

    page = browser.get(reverse("leads:import-detail", args=[done.pk])).text

    assert done.counts == {"new": 4, "tz_uncertain": 2, "tz_unread": 2}
    for warning, names in (("tz_uncertain", {"Ada", "Di"}), ("tz_unread", {"Bob", "Di"})):
        assert f'href="{rows_address(done, warning)}"' in page
        rows = browser.get(rows_address(done, warning)).text
        assert {name for name in ("Ada", "Bob", "Cy", "Di") if f">{name}<" in rows} == names
        assert "New lead" in rows
    assert browser.get(rows_address(done, "nonsense")).status_code == 404


def test_tells_rows_of_one_campaign_from_those_of_another(imported, acme, target, browse, mia):
    leads = [LeadFactory.create(client=acme, phone_number=f"+1212555010{n}") for n in (1, 2)]
    target.elsewhere = {leads[0].pk: "Winter: 2 & more", leads[1].pk: "Autumn"}
    done = imported("name,phone\nAda,2125550101\nBob,2125550102\n", campaign_id=target.campaign_id)
    browser = browse(mia)

    page = browser.get(reverse("leads:import-detail", args=[done.pk])).text
    links = re.findall(r'href="([^"]*active_elsewhere[^"]*)"', page)

    shown = [browser.get(link.replace("&amp;", "&")).text for link in links]
    assert sorted(next(n for n in ("Ada", "Bob") if f">{n}<" in rows) for rows in shown) == [
        "Ada",
        "Bob",
    ]
    assert not any(">Ada<" in rows and ">Bob<" in rows for rows in shown)


def test_keeps_the_first_rows_of_each_warning_and_pages_through_them(imported, monkeypatch):
    monkeypatch.setattr(dry_run, "SHOWN_NEW_ROWS", 60)
    monkeypatch.setattr(dry_run, "CHUNK_ROWS", 50)
    lines = "".join(f"N{n},850 55{n // 10 + 2} 01{n % 10}0\n" for n in range(70))

    done = imported("name,phone\n" + lines, commit=False)

    (count,) = warning_counts(done)
    first = rows_with_warning(lead_import=done, warning="tz_uncertain", campaign="", page="1")
    second = rows_with_warning(lead_import=done, warning="tz_uncertain", campaign="", page="2")
    assert (count.count, first.has_next, second.has_next) == (70, True, False)
    assert [row.row_number for row in (*first.rows, *second.rows)] == list(range(2, 62))


def test_takes_an_erased_person_out_of_them(imported):
    done = imported(FILE)

    assert forget_in_import(done, lambda phone: phone == 18505550101) is True

    page = rows_with_warning(lead_import=done, warning="tz_uncertain", campaign="", page=None)
    assert [row.values[0] for row in page.rows] == ["", "Di"]


def test_shows_no_rows_of_a_check_made_before_they_were_kept(imported):
    done = imported(FILE)
    with written(done.verdicts_name) as ledger:
        ledger.connection.execute("DROP TABLE warned")
        ledger.connection.commit()

    page = rows_with_warning(lead_import=done, warning="tz_uncertain", campaign="", page=None)

    assert page.rows == []
