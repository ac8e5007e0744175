"""The agency's pages about replays, and the worker that does them."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from audit.models import AuditLog
from convomono.lib import clock
from convomono.lib.jobs import enqueue_once, queue_lengths
from telephony.models import Call
from tests.webhooks.conftest import Ringing, deliver
from webhooks import replay_jobs, scratch
from webhooks.doorbell import Doorbell, answer_times
from webhooks.drain import step
from webhooks.models import ReplayRun, WebhookEvent
from webhooks.replay import Comparison
from webhooks.scratch import ScratchFailed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from pathlib import Path

    from accounts.models import User

PAGE = "/agency/webhooks/replays/"


@pytest.fixture
def mender(bob: User) -> User:
    bob.manage_campaigns = True
    bob.save()
    return bob


@pytest.fixture
def applied(ringing: Ringing, now: datetime) -> Ringing:
    for body in ringing.says("user_hangup").values():
        deliver(body, created_at=now)
    step(now=now)
    return ringing


class TestOrdering:
    def test_is_for_those_who_may_change_campaigns(self, browse, bob, alice, mender):
        run = ReplayRun.objects.create(kind="again", asked_by_email="", created_at=clock.now())
        for where in (PAGE, f"{PAGE}{run.pk}/"):
            assert browse(mender).get(where).status_code == 200
            assert browse(alice).get(where).status_code == 403
        bob.manage_campaigns = False
        bob.save()
        assert browse(bob).get(PAGE).status_code == 403

    @pytest.mark.django_db(transaction=True)
    def test_replays_a_call_and_shows_what_came_out(
        self, browse, mender, applied: Ringing, run_jobs: Callable[[], int]
    ):
        WebhookEvent.objects.filter(event_type="call_analyzed").update(status="dead")
        Call.objects.update(user_sentiment="")
        browser = browse(mender)
        typed = {"kind": "again", "provider_call_id": applied.call_id, "is_dry_run": "on"}
        where = browser.post(PAGE, typed).url
        assert "every 2s" in browser.get(where).content.decode()
        assert run_jobs() == 1
        page = browser.get(where).content.decode()
        assert "Finished" in page
        run = ReplayRun.objects.get()
        assert (run.status, run.is_dry_run, run.events_count) == ("finished", True, 3)
        assert run.asked_by_email == mender.email
        assert AuditLog.objects.filter(action="replay.ordered").count() == 1
        assert "every 2s" not in page

    @pytest.mark.django_db(transaction=True)
    def test_never_calls_equal_what_failed_or_did_not_match(
        self, browse, mender, applied: Ringing, run_jobs: Callable[[], int]
    ):
        """A replay that failed completely used to end with a tick."""
        browser = browse(mender)

        def replayed(**typed: Any) -> str:
            where = browser.post(PAGE, {"kind": "again", **typed}).url
            run_jobs()
            return " ".join(browser.get(where).content.decode().split())

        assert "Equal" in replayed(provider_call_id=applied.call_id)
        page = replayed(provider_call_id="call_of_nobody")
        assert "No event matched" in page
        assert "Equal" not in page
        ended = WebhookEvent.objects.get(event_type="call_ended")
        WebhookEvent.objects.update(status="dead", body="{", error="an earlier one")
        page = replayed(provider_call_id=applied.call_id)
        assert "3 events failed" in page
        assert f"/agency/webhooks/{ended.pk}/" in page
        assert "Equal" not in page
        ended.refresh_from_db()
        assert ended.status == "dead"
        assert ended.error.startswith("PayloadUnusable: Not JSON")

    @pytest.mark.django_db(transaction=True)
    def test_takes_our_own_id_of_a_call(
        self, browse, mender, applied: Ringing, run_jobs: Callable[[], int]
    ):
        ours = str(Call.objects.get().pk)
        browse(mender).post(PAGE, {"kind": "again", "provider_call_id": ours})
        run_jobs()
        run = ReplayRun.objects.get()
        assert (run.provider_call_id, run.events_count) == (applied.call_id, 3)

    def test_is_reached_from_an_event_with_its_call(self, browse, mender, applied: Ringing):
        event = WebhookEvent.objects.earliest("created_at")
        browser = browse(mender)
        page = browser.get(f"/agency/webhooks/{event.pk}/").content.decode()
        where = f"{PAGE}?call={applied.call_id}"
        assert where in page
        assert f'value="{applied.call_id}"' in browser.get(where).content.decode()

    def test_asks_which_events(self, browse, mender):
        answer = browse(mender).post(PAGE, {"kind": "again"})
        assert answer.status_code == 422
        assert "Say which events" in answer.content.decode()
        typed = {
            "kind": "again",
            "received_from": "2026-11-23T15:00",
            "received_until": "2026-11-23T14:00",
        }
        assert "later than the beginning" in browse(mender).post(PAGE, typed).content.decode()
        assert not ReplayRun.objects.exists()

    def test_takes_as_many_queries_for_many(self, browse, mender, django_assert_num_queries):
        browser = browse(mender)
        browser.get(PAGE)
        for count in (1, 20):
            for _ in range(count):
                ReplayRun.objects.create(kind="again", asked_by_email="", created_at=clock.now())
            with django_assert_num_queries(3):
                browser.get(PAGE)


class TestWorker:
    def order(self, **columns: Any) -> ReplayRun:
        wanted = {"kind": "everything", "asked_by_email": "b@x.test", "created_at": clock.now()}
        return ReplayRun.objects.create(**(wanted | columns))

    def test_writes_down_what_a_rebuild_came_to(
        self, db: None, monkeypatch: pytest.MonkeyPatch, browse, mender
    ):
        found = Comparison(
            events_count=9, calls_count=3, stored_hash="a" * 64, rebuilt_hash="a" * 64
        )
        monkeypatch.setattr(scratch, "rebuild_in_scratch", lambda **_beat: found)
        run = self.order()
        replay_jobs.run_replay(run_id=str(run.pk), of_a_later_version=1)
        run.refresh_from_db()
        assert (run.status, run.calls_count, run.conclusion) == ("finished", 3, "equal")
        page = browse(mender).get(f"{PAGE}{run.pk}/").content.decode()
        assert "Nothing came out otherwise" in page

    def test_does_a_run_once(self, db: None, monkeypatch: pytest.MonkeyPatch):
        done: list[int] = []

        def rebuilt(**_beat: Any) -> Comparison:
            done.append(1)
            return Comparison()

        monkeypatch.setattr(scratch, "rebuild_in_scratch", rebuilt)
        run = self.order()
        for _ in range(2):
            replay_jobs.run_replay(run_id=str(run.pk))
        assert done == [1]

    def test_says_why_it_failed(self, db: None, monkeypatch: pytest.MonkeyPatch):
        def broken(**_beat: Any) -> Comparison:
            raise ScratchFailed("No space left on device")

        monkeypatch.setattr(scratch, "rebuild_in_scratch", broken)
        run = self.order()
        replay_jobs.run_replay(run_id=str(run.pk))
        run.refresh_from_db()
        assert (run.status, run.error) == ("failed", "No space left on device")

    def test_is_ordered_again_or_given_up(self, db: None):
        real_now = clock.real_now()
        self.order(created_at=real_now - timedelta(minutes=3))
        self.order(created_at=real_now)
        long_ago = real_now - timedelta(hours=5)
        alive = self.order(status="running", started_at=long_ago, worked_at=real_now)
        killed = self.order(
            status="running", started_at=long_ago, worked_at=long_ago, only_key="everything"
        )
        assert replay_jobs.resume_replays(of_a_later_version=1) == 1
        for run in (alive, killed):
            run.refresh_from_db()
        assert (alive.status, killed.status, killed.only_key) == ("running", "failed", None)

    def test_is_ordered_again_once_however_long_it_waits(self, db: None):
        """Whatever else is in line, and whatever became of its first order."""
        other, lost = self.order(kind="again"), self.order()
        enqueue_once(replay_jobs.run_replay, queue="history", run_id=str(other.pk))
        ReplayRun.objects.filter(pk=lost.pk).update(
            created_at=clock.real_now() - timedelta(hours=1)
        )
        assert [replay_jobs.resume_replays() for _look in range(3)] == [1, 0, 0]
        assert (queue_lengths() or {})["history"] == 2

    def test_says_that_it_lives(self, db: None, monkeypatch: pytest.MonkeyPatch):
        run = self.order()

        def rebuilt(*, beat: Callable[[], None]) -> Comparison:
            ReplayRun.objects.update(worked_at=None)
            for _ in range(3):
                beat()
            return Comparison()

        monkeypatch.setattr(scratch, "rebuild_in_scratch", rebuilt)
        monkeypatch.setattr(replay_jobs, "_BEAT_SECONDS", 0.0)
        replay_jobs.run_replay(run_id=str(run.pk))
        run.refresh_from_db()
        assert run.worked_at is not None

    @pytest.mark.django_db(transaction=True)
    def test_has_a_queue_that_calls_never_wait_for(self, browse, mender):
        before = queue_lengths()
        browse(mender).post(PAGE, {"kind": "everything"})
        browse(mender).post(PAGE, {"kind": "again", "provider_call_id": "call_1"})
        ReplayRun.objects.update(created_at=clock.real_now() - timedelta(minutes=3))
        after = queue_lengths()
        assert before is not None
        assert after == {**before, "history": before["history"] + 2}


class TestRebuildingEverything:
    def test_is_done_once_at_a_time(self, browse, mender):
        browser = browse(mender)
        assert browser.post(PAGE, {"kind": "everything"}).status_code == 302
        again = browser.post(PAGE, {"kind": "everything"})
        assert again.status_code == 422
        assert "A rebuild is under way" in again.content.decode()
        assert ReplayRun.objects.count() == AuditLog.objects.count() == 1
        # Events may be applied again meanwhile, and the next rebuild comes after it.
        assert browser.post(PAGE, {"kind": "again", "provider_call_id": "c"}).status_code == 302
        ReplayRun.objects.update(status="running", started_at=clock.real_now() - timedelta(hours=7))
        replay_jobs.resume_replays()
        assert browser.post(PAGE, {"kind": "everything"}).status_code == 302

    def test_leaves_no_copy_of_a_killed_one_behind(self, settings, tmp_path: Path):
        settings.VAR_DIR = tmp_path
        left = tmp_path / "scratch" / "tmpkilled"
        left.mkdir(parents=True)
        (left / "scratch.sqlite3").write_text("everybody's number")
        with scratch._the_only_one():  # somebody rebuilds: it may be theirs
            assert replay_jobs.remove_remains() == 0
            assert left.exists()
            with pytest.raises(scratch.ScratchTaken):
                scratch.rebuild_in_scratch()
        assert replay_jobs.remove_remains(of_a_later_version=1) == 1
        assert not left.exists()

    def test_makes_room_before_it_copies(self, settings, tmp_path: Path):
        settings.VAR_DIR = tmp_path
        left = tmp_path / "scratch" / "tmpkilled"
        left.mkdir(parents=True)
        with scratch._the_only_one(), scratch._folder() as folder:
            assert folder.exists()
            assert not left.exists()


class TestComparingACall:
    def test_shows_that_it_is_equal_or_what_differs(self, browse, mender, applied: Ringing):
        event = WebhookEvent.objects.filter(provider_call_id=applied.call_id)[0]
        where = f"/agency/webhooks/{event.pk}/compare/"
        browser = browse(mender)
        assert where in browser.get(f"/agency/webhooks/{event.pk}/").content.decode()
        assert "Nothing came out otherwise" in browser.post(where).content.decode()
        Call.objects.update(user_sentiment="Angry")
        page = browser.post(where).content.decode()
        assert "call.user_sentiment" in page
        assert Call.objects.get().user_sentiment == "Angry"
        assert browser.get(where).status_code == 405

    def test_needs_a_call(self, browse, mender, db: None):
        event = deliver(b'{"event":"chat_ended","chat":{}}')
        answer = browse(mender).post(f"/agency/webhooks/{event.pk}/compare/")
        assert answer.status_code == 302


def test_answers_are_counted_by_how_long_they_took(db: None):
    bell = Doorbell(ring_bell=lambda _name: None)
    for seconds in (0.0004, 0.001, 0.0011, 0.004, 99.0):
        bell.answered(seconds)
    bell._write_tallies()
    now = clock.real_now()
    assert answer_times(now) == {1: 2, 2: 1, 5: 1, 5000: 1}
    assert answer_times(now + timedelta(hours=1)) == {}
