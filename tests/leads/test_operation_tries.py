"""A change to many leads that gets no further ends with a sentence, and what it did can be undone."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, cast

import pytest

from convomono.lib import clock
from convomono.lib.redis import redis_connection
from leads.imports.work import Pace
from leads.jobs import TRIES, resume_operations
from leads.models import Lead, LeadOperation
from leads.operations import export, kinds, work
from leads.services.operations import may_undo, start_operation, undo_operation
from tests.factories.leads import LeadFactory

if TYPE_CHECKING:
    from leads.models import OperationParams

PACE = Pace(real_now=clock.real_now, pause=lambda _seconds: None)


@pytest.fixture
def begun(acme, alice):
    """Begin a change to all of acme's leads, without its job."""

    def begin(kind: str, **params: str) -> LeadOperation:
        everybody = cast("OperationParams", {**params, "filters": {}})
        return start_operation(
            client=acme, kind=kind, params=everybody, total=90, actor=alice,
            now=clock.now(), real_now=clock.real_now(),
        )  # fmt: skip

    return begin


class Broken(Exception):
    """Something that no try mends."""


def broken(*_args: object, **_fields: object) -> None:
    raise Broken


def try_again_and_again(operation, run_jobs) -> list[int]:
    """Let a minute pass and the worker try, until nothing is taken up any more."""
    taken = []
    for _minute in range(TRIES + 2):
        LeadOperation.objects.update(progressed_at=clock.real_now() - timedelta(minutes=2))
        taken.append(resume_operations())
        try:
            run_jobs()
        except Broken:
            # RQ forgets a job that failed within a minute.
            redis_connection().delete(f"rq:job:work_on_operation-{operation.pk}")
    return taken


def test_gives_an_export_up_that_fails_each_time(begun, acme, run_jobs, monkeypatch, browse, mia):
    LeadFactory.create_batch(3, client=acme)
    operation = begun("export", format="xlsx")
    monkeypatch.setattr(export, "_write_book", lambda leads, _target: broken(list(leads)))

    taken = try_again_and_again(operation, run_jobs)

    operation.refresh_from_db()
    assert taken == [1] * TRIES + [0, 0]
    assert operation.status == "failed"
    assert "Export again" in browse(mia).get(f"/app/leads/changes/{operation.pk}/").text
    assert not may_undo(operation, now=clock.now())


def test_gives_a_change_up_and_lets_what_it_did_be_undone(
    begun, acme, alice, run_jobs, monkeypatch, browse, mia
):
    LeadFactory.create_batch(50, client=acme)
    operation = begun("tag", tag="vip")
    write, slices = kinds.Tag.write, []

    def only_once(self, leads, rows):
        slices.append(1)
        if len(slices) > 1:
            broken()
        write(self, leads, rows)

    monkeypatch.setattr(kinds.Tag, "write", only_once)
    try_again_and_again(operation, run_jobs)
    operation.refresh_from_db()
    page = browse(mia).get(f"/app/leads/changes/{operation.pk}/").text
    assert (operation.status, operation.changed_count) == ("failed", work.SLICE)
    assert "again and again" in page and "Undo 40 changes" in page

    undo_operation(operation=operation, actor=alice, now=clock.now(), real_now=clock.real_now())
    operation.refresh_from_db()
    work.undo_operation(operation=operation, pace=PACE, now=clock.now())

    operation.refresh_from_db()
    assert (operation.status, operation.undone_count, operation.error) == ("undone", 40, "")
    assert not Lead.objects.filter(search_text__contains="#vip ").exists()


def test_goes_on_with_an_undo_that_failed_half_way(begun, acme, alice, monkeypatch, run_jobs):
    LeadFactory.create_batch(90, client=acme)
    operation = begun("tag", tag="vip")
    work.run_operation(operation=operation, pace=PACE, now=clock.now())
    operation.refresh_from_db()
    undo_operation(operation=operation, actor=alice, now=clock.now(), real_now=clock.real_now())
    undo, slices = kinds.Tag.undo, []

    def only_once(self, rows):
        slices.append(1)
        if len(slices) > 1:
            broken()
        return undo(self, rows)

    with monkeypatch.context() as patched:
        patched.setattr(kinds.Tag, "undo", only_once)
        try_again_and_again(operation, run_jobs)
    operation.refresh_from_db()
    assert (operation.status, operation.undone_count) == ("failed", work.SLICE)

    undo_operation(operation=operation, actor=alice, now=clock.now(), real_now=clock.real_now())
    operation.refresh_from_db()
    work.undo_operation(operation=operation, pace=PACE, now=clock.now())

    operation.refresh_from_db()
    assert (operation.status, operation.undone_count, operation.kept_count) == ("undone", 90, 0)


def test_begins_to_count_anew_with_each_slice(begun, acme):
    LeadFactory.create_batch(3, client=acme)
    operation = begun("tag", tag="vip")
    LeadOperation.objects.update(tries_count=TRIES)

    work.run_operation(operation=operation, pace=PACE, now=clock.now())

    operation.refresh_from_db()
    assert (operation.status, operation.tries_count) == ("done", 0)
