"""Imports whose transactions have no time for all that is ready: what is left comes with the next, and nothing else changes."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from campaigns.models import Enrolment
from campaigns.services.enrolment import enrol_lead
from convomono.lib.lane import run_bulk
from leads.imports import commit, undo
from leads.imports.commit import commit_rows
from leads.imports.dry_run import check_rows
from leads.imports.undo import undo_rows
from leads.imports.work import Pace
from leads.models import Consent, Lead, LeadImport, LeadImportChange, LeadNote
from leads.services.imports import undo_import
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import LeadFactory, ask_check, ask_commit, upload

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from accounts.models import Client, User

ROWS = 450
FILE = "first name,phone\n" + "".join(
    f"P{n},{'12' if n % 9 == 4 else f'{201 + n // 100}55501{n % 100:02}'}\n" for n in range(ROWS)
)
GOOD = ROWS - 50
CALM = Pace(real_now=lambda: NOW, pause=lambda _seconds: None)


class Killed(BaseException):
    """What a worker gets in the middle of something."""


def dice(seed: int) -> Callable[[], bool]:
    """Tell at random whether a transaction's time is up."""
    rng = random.Random(seed)  # noqa: S311  # no secret
    return lambda: rng.random() < 0.5


def fresh(lead_import: LeadImport) -> LeadImport:
    return LeadImport.objects.get(pk=lead_import.pk)


def ready(
    alice: User, content: str = FILE, *, campaign_id: UUID | None = None, **options: Any
) -> LeadImport:
    """Return an import that is about to be committed."""
    lead_import = upload(alice, content, campaign_id=campaign_id)
    ask_check(lead_import, **options)
    check_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)
    ask_commit(lead_import, alice)
    return fresh(lead_import)


def written_in(lead_import: LeadImport, act: Callable[[int], None]) -> list[int]:
    """Commit the import; return how far it was before each transaction, which `act` is told the number of."""
    offsets: list[int] = []

    def pause(_seconds: float) -> None:
        offsets.append(fresh(lead_import).rows_done)
        act(len(offsets))

    commit_rows(lead_import=lead_import, pace=Pace(lambda: NOW, pause), now=NOW)
    return offsets


def is_whole(lead_import: LeadImport) -> bool:
    """Tell whether each good row is a lead with its consent, and the counts say so."""
    done, numbers = fresh(lead_import), Lead.objects.values_list("phone_number", flat=True)
    counts = {name: n for name, n in done.counts.items() if name != "tz_uncertain"}
    return (
        (done.status, done.rows_done) == ("committed", ROWS)
        and counts == {"new": GOOD, "phone_too_short": 50}
        and len(set(numbers)) == len(numbers) == GOOD
        and Consent.objects.filter(lead_import=lead_import).count() == GOOD
    )


def test_writes_all_that_is_ready_where_nobody_waits(alice: User) -> None:
    lead_import = ready(alice)

    offsets = written_in(lead_import, lambda _number: None)

    assert len(offsets) == GOOD // (commit.WRITTEN_ROWS // 2)
    assert is_whole(lead_import)


def test_writes_a_part_at_a_time_where_time_is_short(
    alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "is_slice_over", lambda: True)
    lead_import = ready(alice)

    offsets = written_in(lead_import, lambda _number: None)

    assert len(set(offsets)) == len(offsets) == GOOD // (commit.WRITTEN_ROWS // 2 // commit.PARTS)
    assert is_whole(lead_import)


@pytest.mark.parametrize("seed", range(3))
def test_ends_the_same_when_it_is_killed_with_parts_waiting(
    alice: User, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    monkeypatch.setattr(commit, "is_slice_over", dice(seed))
    lead_import = ready(alice)

    def die(number: int) -> None:
        if number == 3:
            raise Killed

    for _kill in range(2):
        with pytest.raises(Killed):
            written_in(fresh(lead_import), die)
    written_in(fresh(lead_import), lambda _number: None)

    assert is_whole(lead_import)


def test_looks_again_when_somebody_adds_a_lead_that_waits(
    alice: User, acme: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commit, "is_slice_over", lambda: True)
    lead_import = ready(alice)

    def add(number: int) -> None:
        if number == 2:  # the second of the parts that were made ready together is next
            LeadFactory.create(client=acme, phone_number="+12015550160", first_name="")

    written_in(lead_import, add)

    assert Lead.objects.get(phone_number="+12015550160").first_name == "P60"
    done = fresh(lead_import)
    assert (done.counts["new"], done.counts["update"]) == (GOOD - 1, 1)
    assert Consent.objects.count() == GOOD


def interfering(monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> None:
    """Do something once when a batch to be taken back has been read and isn't yet."""
    left = [act]

    def interrupted(*args: Any, **how: Any) -> Any:
        if left:
            left.pop()()
        return run_bulk(*args, **how)

    monkeypatch.setattr(undo, "run_bulk", interrupted)


def taken_back(lead_import: LeadImport, alice: User) -> dict[str, Any]:
    undo_import(lead_import=lead_import, actor=alice, now=NOW, real_now=NOW)
    undo_rows(lead_import=fresh(lead_import), pace=CALM, now=NOW)
    done = fresh(lead_import)
    assert done.status == "undone"
    return {name: n for name, n in done.undo_counts.items() if name != "phase"}


def call(lead: Lead) -> None:
    Lead.objects.filter(pk=lead.pk).update(attempts_count=1, last_attempted_at=NOW)


def note(lead: Lead) -> None:
    LeadNote.objects.create(client=lead.client, lead=lead, text="Asks for Ada.", created_at=NOW)


def enrol(lead: Lead) -> None:
    campaign = make_draft(lead.client, name="Later")
    assert enrol_lead(campaign=campaign, lead=lead, dynamic_vars={}, now=NOW)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("act", "reason"), [(call, "dialled"), (note, "changed"), (enrol, "enrolled")]
)
def test_keeps_a_lead_that_somebody_turns_to_while_it_is_looked_at(
    imported, alice, monkeypatch, act, reason
):
    done = imported(FILE)
    lead = Lead.objects.order_by("pk")[5]
    interfering(monkeypatch, lambda: act(lead))

    counts = taken_back(done, alice)

    assert counts == {"removed": GOOD - 1, reason: 1}
    assert Lead.objects.get() == lead
    assert Consent.objects.get().lead_id == lead.pk
    assert LeadImportChange.objects.get().left_reason == reason
    assert Enrolment.objects.exists() is (act is enrol)


@pytest.mark.django_db(transaction=True)
def test_names_no_lead_that_is_deleted_while_it_is_looked_at(imported, alice, acme, monkeypatch):
    people = [
        LeadFactory.create(client=acme, phone_number=f"+120155501{n:02}", first_name="Old")
        for n in range(3)
    ]
    done = imported(FILE, existing="overwrite")
    monkeypatch.setattr(undo, "is_slice_over", lambda: True)
    look = undo._Changed.look

    def looking(*args: Any) -> Any:
        seen = look(*args)
        LeadImportChange.objects.filter(lead=people[1]).delete()
        Consent.objects.filter(lead=people[1]).delete()
        Lead.objects.filter(pk=people[1].pk).delete()
        return seen

    monkeypatch.setattr(undo._Changed, "look", looking)

    assert taken_back(done, alice) == {"removed": GOOD - 3, "restored": 2}
    assert list(Lead.objects.values_list("first_name", flat=True)) == ["Old", "Old"]


def test_takes_a_lead_that_stays_out_of_the_imports_campaign(imported, alice, target):
    done = imported(FILE, campaign_id=target.campaign_id)
    lead = Lead.objects.order_by("pk")[5]
    note(lead)

    assert taken_back(done, alice) == {"removed": GOOD - 1, "changed": 1}
    assert Lead.objects.get() == lead
    assert not target.enrolled


def test_leaves_an_undo_to_the_worker_that_is_ahead(imported, alice):
    done = imported(FILE)
    undo_import(lead_import=done, actor=alice, now=NOW, real_now=NOW)
    behind, left = fresh(done), [2]

    def pause(_seconds: float) -> None:
        left[0] -= 1
        if left[0] < 0:
            raise Killed

    with pytest.raises(Killed):
        undo_rows(lead_import=fresh(done), pace=Pace(lambda: NOW, pause), now=NOW)
    there, leads = fresh(done).undo_counts, Lead.objects.count()
    assert there["removed"] == GOOD - leads == 2 * undo.BATCH

    undo_rows(lead_import=behind, pace=CALM, now=NOW)

    assert fresh(done).undo_counts == there
    assert Lead.objects.count() == leads


@pytest.mark.parametrize("is_over", [True, False])
def test_gives_as_many_their_values_back_as_there_is_time_for(
    imported, alice, acme, monkeypatch, is_over
):
    for n in range(25):
        if n % 9 != 4:
            number = f"+120155501{n:02}"
            LeadFactory.create(client=acme, phone_number=number, first_name="Old")
    done = imported(FILE, existing="overwrite")
    known = Lead.objects.filter(lead_import=None)
    assert not known.filter(first_name="Old").exists()
    monkeypatch.setattr(undo, "is_slice_over", lambda: is_over)
    steps = []

    def count(*args: Any, **how: Any) -> Any:
        steps.append(known.filter(first_name="Old").count())
        return run_bulk(*args, **how)

    monkeypatch.setattr(undo, "run_bulk", count)

    assert taken_back(done, alice) == {"removed": GOOD - 22, "restored": 22}
    assert known.filter(first_name="Old").count() == 22
    assert sorted(set(steps)) == ([0, 10, 20, 22] if is_over else [0, 22])
