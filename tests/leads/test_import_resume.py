"""An import that is killed, doubled or cancelled ends as one that ran through."""

from __future__ import annotations

import random
import sqlite3
import threading
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from convomono.lib.files import local_file
from convomono.lib.jobs import queue_lengths
from convomono.lib.redis import redis_connection
from leads import jobs
from leads.imports import verdict_file
from leads.imports.commit import commit_rows
from leads.imports.dry_run import check_rows
from leads.imports.verdict_file import Progress
from leads.imports.work import Pace
from leads.models import Consent, Lead, LeadImport, LeadImportChange
from leads.services.imports import cancel_import, check_import, undo_import
from tests.factories.accounts import NOW
from tests.factories.leads import (
    LeadFactory,
    SuppressionFactory,
    ask_check,
    ask_commit,
    upload,
)
from tests.mongo import fewer

ROWS = 450  # three chunks


class Killed(BaseException):
    """What a worker gets in the middle of something."""


def killer(after: int) -> Pace:
    """Be killed at the pause after so many writes."""
    left = [after]

    def pause(_seconds: float) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    return Pace(real_now=lambda: NOW, pause=pause)


CALM = Pace(real_now=lambda: NOW, pause=lambda _seconds: None)


def content(seed: int = 1) -> str:
    rng = random.Random(seed)  # noqa: S311  # a file, no secret
    lines = ["first_name,phone,nickname"]
    for n in range(ROWS):
        number = f"{201 + rng.randrange(300)}55501{n % 100:02}" if rng.random() > 0.1 else "12"
        lines.append(f"P{n},{number},N{n}")
    return "\n".join(lines)


def fresh(lead_import: LeadImport) -> LeadImport:
    return LeadImport.objects.get(pk=lead_import.pk)


def run_killed(lead_import: LeadImport, step, offsets: list[int]) -> int:
    """Run the step, killed after each number of writes, then to its end; return the kills."""
    kills = 0
    for after in offsets:
        try:
            step(lead_import=fresh(lead_import), pace=killer(after), now=NOW)
        except Killed:
            kills += 1
    step(lead_import=fresh(lead_import), pace=CALM, now=NOW)
    return kills


def world(target, told: dict[int, str]) -> tuple[object, ...]:
    """Everything an import leaves behind, over natural keys."""
    leads = sorted(Lead.objects.values_list("phone_number", "first_name", "consent_status"))
    consents = sorted(Consent.objects.values_list("lead__phone_number", "source"))
    enrolled = sorted(
        (number, row.dynamic_vars["nickname"]) for number, row in target.enrolled.items()
    )
    return leads, consents, told, enrolled


def prepare(alice, acme, target) -> LeadImport:
    target.variables = ["nickname"]
    if not Lead.objects.exists():
        known = content().splitlines()[1].split(",")[1]
        LeadFactory.create(client=acme, phone_number=f"+1{known}", consent_status="none")
    lead_import = upload(alice, content(), campaign_id=target.campaign_id)
    ask_check(lead_import)
    return lead_import


def wipe(target) -> None:
    target.enrolled.clear()
    for model in (LeadImportChange, Consent, Lead, LeadImport):
        model.objects.all().delete()


@pytest.mark.parametrize("seed", range(fewer(5, 2)))
def test_ends_the_same_however_often_it_is_killed(alice, acme, target, seed, verdicts):
    whole = prepare(alice, acme, target)
    check_rows(lead_import=fresh(whole), pace=CALM, now=NOW)
    ask_commit(whole, alice)
    commit_rows(lead_import=fresh(whole), pace=CALM, now=NOW)
    expected, counts = world(target, verdicts(fresh(whole))), fresh(whole).counts
    assert sum(counts.values()) - counts.get("tz_uncertain", 0) == ROWS
    wipe(target)

    rng = random.Random(seed)  # noqa: S311  # a file, no secret
    killed = prepare(alice, acme, target)
    kills = run_killed(killed, check_rows, [rng.randrange(3) for _ in range(2)])
    ask_commit(killed, alice)
    kills += run_killed(killed, commit_rows, [rng.randrange(3) for _ in range(10)])

    assert kills >= 5
    assert world(target, verdicts(fresh(killed))) == expected
    assert fresh(killed).counts == counts
    assert fresh(killed).status == "committed"


@pytest.mark.parametrize("existing", ["fill", "skip"])
def test_leaves_no_half_chunk_when_it_is_killed_inside_one(
    alice, acme, target, monkeypatch, existing
):
    """Leads, consent, enrolment and counts of a chunk are there together or not at all."""
    lead_import = upload(alice, content(), campaign_id=target.campaign_id)
    ask_check(lead_import, existing=existing)
    check_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)
    ask_commit(lead_import, alice)

    def die(**_kwargs):
        raise Killed

    checked = fresh(lead_import)
    with monkeypatch.context() as patch:
        patch.setattr(target, "enrol", die)
        with pytest.raises(Killed):
            commit_rows(lead_import=checked, pace=CALM, now=NOW)
    half = fresh(lead_import)
    assert (half.rows_done, half.counts, Lead.objects.count()) == (0, {}, 0)
    commit_rows(lead_import=half, pace=CALM, now=NOW)

    done = fresh(lead_import)
    assert len(target.enrolled) == Lead.objects.count() == done.counts["new"]
    assert "dup_campaign" not in done.counts


def test_leaves_the_dry_run_to_the_worker_that_is_ahead(alice, acme, target):
    lead_import = prepare(alice, acme, target)
    behind = fresh(lead_import)
    with pytest.raises(Killed):
        check_rows(lead_import=fresh(lead_import), pace=killer(0), now=NOW)
    with verdict_file.written(fresh(lead_import).verdicts_name) as ledger:
        ahead = ledger.progress()

        assert ahead.rows == 200
        assert not ledger.save([], Progress(rows=200), start=0)  # as the one behind would

    check_rows(lead_import=behind, pace=CALM, now=NOW)

    assert fresh(lead_import).status == "checked"
    assert fresh(lead_import).rows_done == ROWS


def test_leaves_the_commit_to_the_worker_that_is_ahead(alice, acme, target):
    lead_import = prepare(alice, acme, target)
    check_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)
    ask_commit(fresh(lead_import), alice)
    behind = fresh(lead_import)
    with pytest.raises(Killed):
        commit_rows(lead_import=fresh(lead_import), pace=killer(2), now=NOW)
    there = LeadImport.objects.values("status", "rows_done", "counts").get(pk=lead_import.pk)
    assert there["rows_done"] > 0

    commit_rows(lead_import=behind, pace=CALM, now=NOW)

    assert there == LeadImport.objects.values(*there).get(pk=lead_import.pk)


def test_forgets_the_verdicts_of_an_earlier_dry_run(
    alice, acme, run_jobs, django_capture_on_commit_callbacks, verdicts
):
    lead_import = upload(alice, "phone,country\n2125550101,US\n2125550102,Narnia\n")
    for fields in ({"phone_number": 1}, {"phone_number": 0, "country": 1}):
        with django_capture_on_commit_callbacks(execute=True):
            check_import(
                lead_import=fresh(lead_import),
                mapping={"fields": fields, "variables": {}},
                options=lead_import.options,
                now=NOW,
                real_now=NOW,
            )
        run_jobs()

    assert fresh(lead_import).counts == {"new": 1, "phone_unknown_country": 1}
    assert verdicts(fresh(lead_import)) == {3: "phone_unknown_country"}


def test_stops_when_cancelled_and_keeps_what_it_imported(alice, acme, target):
    lead_import = prepare(alice, acme, target)
    check_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)
    ask_commit(lead_import, alice)
    with pytest.raises(Killed):
        commit_rows(lead_import=fresh(lead_import), pace=killer(3), now=NOW)
    cancel_import(lead_import=fresh(lead_import), actor=alice, now=NOW)

    commit_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)

    done = fresh(lead_import)
    assert done.status == "cancelled"
    assert 0 < Lead.objects.count() < ROWS


def test_stops_a_running_commit_when_somebody_cancels(alice, acme, target):
    lead_import = prepare(alice, acme, target)
    check_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)
    ask_commit(lead_import, alice)
    steps = []

    def cancel_at_the_second(_seconds: float) -> None:
        steps.append(1)
        if len(steps) == 2:
            cancel_import(lead_import=fresh(lead_import), actor=alice, now=NOW)

    pace = Pace(real_now=lambda: NOW, pause=cancel_at_the_second)
    commit_rows(lead_import=fresh(lead_import), pace=pace, now=NOW)

    done = fresh(lead_import)
    assert done.status == "cancelled"
    assert 0 < done.rows_done < ROWS
    assert sum(n for name, n in done.counts.items() if name != "tz_uncertain") == done.rows_done


def test_says_what_happened_when_the_campaign_is_gone(alice, acme, target):
    lead_import = prepare(alice, acme, target)
    target.campaign_id = None

    check_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)

    assert fresh(lead_import).status == "failed"
    assert "campaign" in fresh(lead_import).error


def test_picks_up_what_a_killed_worker_left(
    alice, acme, run_jobs, django_capture_on_commit_callbacks
):
    lead_import = upload(alice, content())
    ask_check(lead_import)  # its job is lost: nobody ran the callbacks
    real_now = datetime.now(UTC)  # noqa: TID251  # as the edge reads it

    assert jobs.resume_stale(real_now=real_now) == 0
    with django_capture_on_commit_callbacks(execute=True):
        assert jobs.resume_stale(real_now=real_now + timedelta(seconds=61)) == 1
    run_jobs()

    assert fresh(lead_import).status == "checked"


def test_does_nothing_for_an_import_that_is_gone_or_over(imported):
    done = imported("phone\n2125550101\n")

    jobs.check_import(import_id=done.pk)
    jobs.commit_import(import_id=done.pk, later="argument")
    jobs.commit_import(import_id=done.client_id)

    assert fresh(done).counts == {"new": 1}


@pytest.mark.django_db(transaction=True)
def test_imports_once_from_two_workers_at_once(acme, alice, target):
    lead_import = prepare(alice, acme, target)
    check_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)
    ask_commit(lead_import, alice)
    SuppressionFactory.create(client=acme, phone_number="+12025550101")
    errors: list[BaseException] = []

    def work() -> None:
        try:
            commit_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)
        except BaseException as exc:  # noqa: BLE001  # the test fails with it
            errors.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    if fresh(lead_import).status == "committing":  # both stepped aside for the other
        commit_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)

    done = fresh(lead_import)
    assert not errors
    assert sum(n for name, n in done.counts.items() if name != "tz_uncertain") == ROWS
    assert done.counts["new"] + 1 == Lead.objects.count()
    assert Consent.objects.count() == Lead.objects.count()
    assert len(target.enrolled) == Lead.objects.count()


def test_leaves_the_verdicts_of_a_worker_that_is_at_it(alice, acme, target, monkeypatch):
    monkeypatch.setattr(verdict_file, "LOCK_SECONDS", 0.01)
    lead_import = prepare(alice, acme, target)
    with verdict_file.written(lead_import.verdicts_name) as ledger:
        ledger.save((), Progress(rows=200), start=0)
        ledger.connection.execute("BEGIN EXCLUSIVE")

        with (
            pytest.raises(sqlite3.OperationalError),
            verdict_file.written(lead_import.verdicts_name),
        ):
            pass
        ledger.connection.rollback()

        assert ledger.progress().rows == 200
    with verdict_file.read(lead_import.verdicts_name) as ledger:
        assert ledger is not None
        assert ledger.progress().rows == 200


def test_begins_anew_when_the_verdicts_are_broken(alice, acme, target):
    lead_import = prepare(alice, acme, target)
    with local_file(lead_import.verdicts_name, is_written=True) as path:
        path.write_bytes(b"no database" * 100)

    check_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)

    assert fresh(lead_import).status == "checked"


@pytest.mark.parametrize("duplicates", ["last", "merge"])
def test_shows_how_far_the_first_of_two_passes_is_and_stops_when_cancelled(
    alice, acme, target, duplicates
):
    lead_import = prepare(alice, acme, target)
    LeadImport.objects.update(options=lead_import.options | {"duplicates": duplicates})
    with pytest.raises(Killed):
        check_rows(lead_import=fresh(lead_import), pace=killer(1), now=NOW)

    assert fresh(lead_import).rows_done == 200  # of 450 rows two chunks once: 400 of 900
    assert fresh(lead_import).counts == {}

    cancel_import(lead_import=fresh(lead_import), actor=alice, now=NOW)
    stale = LeadImport.objects.get(pk=lead_import.pk)
    stale.status = "checking"  # a worker that read it before
    check_rows(lead_import=stale, pace=CALM, now=NOW)
    with verdict_file.read(lead_import.verdicts_name) as ledger:
        assert ledger is not None
        assert ledger.progress().rows == 0


@pytest.mark.parametrize("duplicates", ["last", "merge"])
def test_ends_the_same_when_both_passes_are_killed(alice, acme, target, duplicates, verdicts):
    told = []
    for offsets in ([], [0, 1, 0, 2, 1]):
        lead_import = prepare(alice, acme, target)
        LeadImport.objects.update(options=lead_import.options | {"duplicates": duplicates})
        run_killed(lead_import, check_rows, offsets)
        told.append((fresh(lead_import).counts, verdicts(fresh(lead_import))))
        wipe(target)

    assert told[0] == told[1]
    assert told[0][0]["dup_file"] > 0


def test_lets_an_import_wait_in_line_as_long_as_it_takes(alice, acme, target):
    lead_import = prepare(alice, acme, target)

    since = lead_import.progressed_at
    assert since is not None
    waiting = (queue_lengths() or {})["imports"]
    for minute in range(1, 8):
        jobs.resume_stale(real_now=since + timedelta(minutes=2 * minute))

    assert (fresh(lead_import).status, fresh(lead_import).tries_count) == ("checking", 1)
    assert (queue_lengths() or {})["imports"] == waiting + 1


def test_ends_an_import_that_comes_no_further(alice, acme, target, run_jobs, monkeypatch):
    lead_import = prepare(alice, acme, target)
    later = lead_import.progressed_at
    assert later is not None

    def killed(**_import: object) -> None:
        raise Killed

    monkeypatch.setattr(jobs, "check_rows", killed)
    for _try in range(jobs.TRIES):
        later += timedelta(minutes=5)
        assert jobs.resume_stale(real_now=later) == 1
        assert fresh(lead_import).status == "checking"
        with pytest.raises(Killed):
            run_jobs()
        # RQ forgets the job of a dead worker in time.
        redis_connection().delete(f"rq:job:check_import-{lead_import.pk}")

    jobs.resume_stale(real_now=later + timedelta(minutes=5))

    assert fresh(lead_import).status == "failed"
    assert "again and again" in fresh(lead_import).error


def test_gives_each_step_all_its_tries(alice, acme, target):
    lead_import = upload(alice, content())
    LeadImport.objects.update(tries_count=4)
    ask_check(lead_import)
    assert fresh(lead_import).tries_count == 0
    check_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)

    LeadImport.objects.update(tries_count=4)
    ask_commit(fresh(lead_import), alice)
    assert fresh(lead_import).tries_count == 0
    commit_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)

    LeadImport.objects.update(tries_count=4)
    undo_import(lead_import=fresh(lead_import), actor=alice, now=NOW, real_now=NOW)
    assert fresh(lead_import).tries_count == 0


def test_counts_tries_anew_once_an_import_gets_further(alice, acme, target):
    lead_import = prepare(alice, acme, target)
    LeadImport.objects.update(tries_count=4)

    check_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)

    assert fresh(lead_import).tries_count == 0
