"""Two different files at once, by two workers: each number becomes one lead, and both receipts add up."""

from __future__ import annotations

import threading
from collections import Counter
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from django.db import connection

from leads.imports.commit import commit_rows
from leads.imports.dry_run import check_rows
from leads.imports.verdicts import Verdict
from leads.imports.work import Pace
from leads.models import Consent, Lead, LeadImport
from tests.factories.accounts import NOW
from tests.factories.leads import ask_check, ask_commit, upload

if TYPE_CHECKING:
    from collections.abc import Callable

ROWS, SHARED = 300, 100
AT_ONCE = 30  # seconds that one waits for the other, at most


def a_file(first: int) -> str:
    numbers = range(first, first + ROWS)
    lines = (f"N{n},+1{201 + n // 100}55501{n % 100:02}" for n in numbers)
    return "name,phone\n" + "\n".join(lines) + "\n"


def at_once(rows: list[LeadImport], step: Callable[..., None]) -> None:
    """Run a step of each import in a thread of its own; none ends before all have begun to write."""
    meeting = threading.Barrier(len(rows))
    errors: list[BaseException] = []

    def work(row: LeadImport) -> None:
        met: list[int] = []

        def pause(_seconds: float) -> None:
            if not met:
                met.append(meeting.wait(AT_ONCE))

        try:
            pace = Pace(real_now=lambda: datetime.now(UTC), pause=pause)  # noqa: TID251  # real time
            step(lead_import=LeadImport.objects.get(pk=row.pk), pace=pace, now=NOW)
            assert met
        except BaseException as exc:  # noqa: BLE001  # the test fails with it
            errors.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=[row]) for row in rows]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(2 * AT_ONCE)
    assert not errors


@pytest.mark.django_db(transaction=True)
def test_imports_two_files_with_the_same_people_in_them(acme, alice):
    rows = [upload(alice, a_file(first)) for first in (0, ROWS - SHARED)]
    for row in rows:
        ask_check(row)
    at_once(rows, check_rows)
    assert list(LeadImport.objects.values_list("status", flat=True)) == ["checked"] * 2
    for row in rows:
        ask_commit(row, alice)
    at_once(rows, commit_rows)

    done = list(LeadImport.objects.order_by("created_at", "pk"))
    counts = [
        Counter({name: n for name, n in row.counts.items() if name in Verdict}) for row in done
    ]
    assert [row.status for row in done] == ["committed"] * 2
    assert [sum(one.values()) for one in counts] == [ROWS] * 2
    assert sum(counts, Counter()) == {"new": 2 * ROWS - SHARED, "update": SHARED}
    assert Lead.objects.filter(client=acme).count() == 2 * ROWS - SHARED
    for row, one in zip(done, counts, strict=True):
        assert Lead.objects.filter(lead_import=row).count() == one["new"]
        assert Consent.objects.filter(lead_import=row).count() == ROWS
