"""Recordings: copied once while Retell's link holds, heard by a link that expires."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.core import signing
from django.core.cache import cache

from convomono.lib import clock, files, outbound
from convomono.lib.ids import uuid7
from convomono.lib.jobs import enqueue
from convomono.lib.outbound import Answer, AnswerRefused, Unreachable
from telephony import fetching, jobs, recordings
from telephony.fetching import BACKOFF, LEASE, claim_due
from telephony.models import Call, CallDetail, Recording
from telephony.recordings import copy_recording, note_recordings, purge_recordings
from telephony.services import apply_event
from telephony.services.books import CallBook
from tests.factories.telephony import CallFactory
from tests.factories.webhooks import delivery
from webhooks.payloads import call_event

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime
    from uuid import UUID

    from accounts.models import Client

SOUND = bytes(range(256)) * 10
URL = "https://recordings.example.com/call.wav"


@pytest.fixture
def call(acme: Client, now: datetime) -> Call:
    call = CallFactory.create(client=acme, status="ended", duration_ms=9000, created_at=now)
    CallDetail.objects.create(call=call, recording_url=URL)
    return call


@pytest.fixture(autouse=True)
def never_walked() -> None:
    """Forget how far an earlier test looked back."""
    cache.delete(jobs._WALK)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The answers that come, one after the other; then the sound."""
    answers: list[Any] = []

    def fetch(url: str, **_more: Any) -> Answer:
        assert url == URL
        answer = answers.pop(0) if answers else 200
        if isinstance(answer, Exception):
            raise answer
        return Answer(status=answer, url=url, headers={"content-type": "audio/wav"}, body=SOUND)

    monkeypatch.setattr(outbound, "fetch", fetch)
    return answers


class TestCopying:
    def test_keeps_the_sound_once(self, call: Call, fetched: list[Any], now: datetime):
        assert [copy_recording(call_id=call.pk, now=now) for _ in range(2)] == [True, True]
        row = Recording.objects.get()
        assert (row.status, row.size_bytes, row.client_id) == ("stored", len(SOUND), call.client_id)
        with files.open_stored(row.stored_name) as sound:
            assert sound.read() == SOUND

    def test_leaves_one_file_when_two_fetch_it(
        self, call: Call, fetched: list[Any], now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        deleted: list[str] = []
        monkeypatch.setattr(files, "delete_stored", deleted.append)
        slow = Recording.objects.create(call=call, client=call.client, created_at=now)
        copy_recording(call_id=call.pk, now=now)
        answer = outbound.fetch(URL)  # type: ignore[call-arg]
        recordings._keep(slow, answer, now)
        assert len(deleted) == 1
        assert Recording.objects.get().stored_name not in deleted

    @pytest.mark.parametrize("problem", [404, Unreachable("Nobody."), AnswerRefused("Too long.")])
    def test_tries_five_times(self, call: Call, fetched: list[Any], now: datetime, problem: Any):
        fetched += [problem] * 5
        for tries in range(1, 6):
            assert not copy_recording(call_id=call.pk, now=now)
            assert Recording.objects.get().attempts == tries
        assert Recording.objects.get().status == "failed"
        assert not copy_recording(call_id=call.pk, now=now)
        assert due(now + timedelta(days=9)) == []

    def test_goes_on_after_trouble_when_it_is_time(
        self, call: Call, fetched: list[Any], now: datetime
    ):
        fetched.append(Unreachable("Nobody."))
        copy_recording(call_id=call.pk, now=now)
        assert due(now + BACKOFF[0] - timedelta(seconds=1)) == []
        assert due(now + BACKOFF[0]) == [call.pk]
        assert copy_recording(call_id=call.pk, now=now + BACKOFF[0])
        assert due(now + timedelta(days=9)) == []

    def test_has_nothing_to_do_without_a_recording(self, acme: Client, now: datetime):
        assert not copy_recording(call_id=CallFactory.create(client=acme).pk, now=now)
        assert not Recording.objects.exists()


class TestNoting:
    """Which recordings have to be copied is known with their links, whatever stands still."""

    @pytest.mark.parametrize("way", ["together", "alone"])
    def test_comes_with_the_news_of_the_link(self, acme: Client, now, settings, way: str):
        settings.RECORDINGS_COPY = True
        calls = [CallFactory.create(client=acme, created_at=now) for _ in range(3)]
        bodies = [
            delivery("call_ended", call_id=call.provider_call_id, recording_url=url)
            for call, url in zip(calls, [URL, "", URL], strict=True)
        ]
        events = [call_event(body) for body in bodies]
        for _ in range(2):
            if way == "alone":
                for event in events:
                    apply_event(event=event, now=now)
            else:
                book = CallBook(events)
                for event in events:
                    book.tell(event, now=now)
                book.write(now=now)
        noted = set(Recording.objects.values_list("call_id", "client_id", "status"))
        assert noted == {(calls[at].pk, acme.pk, "pending") for at in (0, 2)}

    def test_is_left_where_copies_are_not_wanted(self, acme: Client, now, settings):
        settings.RECORDINGS_COPY = False
        call = CallFactory.create(client=acme, created_at=now)
        body = delivery("call_ended", call_id=call.provider_call_id, recording_url=URL)
        apply_event(event=call_event(body), now=now)
        assert not Recording.objects.exists()

    def test_walks_through_the_last_day_and_no_further(
        self, call: Call, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        """What is in front without a recording hides nothing behind it."""
        monkeypatch.setattr(recordings, "BATCH", 2)
        monkeypatch.setattr(recordings, "_MOST_PAGES", 2)
        other = {"client": call.client, "status": "ended", "duration_ms": 1}
        for hours in range(1, 7):
            CallFactory.create(**other, created_at=now + timedelta(hours=hours))
        last = CallFactory.create(**other, created_at=now + timedelta(hours=6))
        CallDetail.objects.create(call=last, recording_url=URL)
        at = now + timedelta(hours=24)  # the first call is a day old by then
        noted, middle = note_recordings(now=at)
        assert (noted, middle is None) == (0, False)
        noted, end = note_recordings(now=at, after=middle)
        assert noted == 1
        assert end is not None
        assert end[0] == last.created_at
        assert note_recordings(now=at, after=end) == (0, None)
        assert Recording.objects.get().call_id == last.pk


class TestClaiming:
    def test_gives_each_call_to_one_and_again_when_a_worker_died(self, call: Call, now: datetime):
        note_recordings(now=now)
        assert due(now) == [call.pk]
        assert due(now + LEASE - timedelta(seconds=1)) == []
        assert due(now + LEASE) == [call.pk]

    def test_claims_the_oldest_as_far_as_there_is_room(
        self, call: Call, now: datetime, monkeypatch: pytest.MonkeyPatch
    ):
        older = CallFactory.create(client=call.client, created_at=now)
        Recording.objects.create(
            call=older, client=call.client, created_at=now - timedelta(hours=1)
        )
        note_recordings(now=now)
        assert claim_due(Recording, now=now, most=-3) == []
        assert claim_due(Recording, now=now, most=1) == [older.pk]


def due(now: datetime) -> list[UUID]:
    return claim_due(Recording, now=now, most=10)


@pytest.mark.django_db(transaction=True)
class TestJobs:
    def test_fill_no_line_that_is_full(
        self,
        call: Call,
        settings: Any,
        monkeypatch: pytest.MonkeyPatch,
        run_jobs: Callable[[], int],
    ):
        settings.RECORDINGS_COPY = True
        Call.objects.update(created_at=clock.now())
        monkeypatch.setattr(fetching, "MOST_IN_LINE", 1)
        enqueue(jobs.copy_recording, queue="copies", call_id=str(uuid7()))
        assert jobs.copy_recordings() == 0
        assert run_jobs() == 1
        assert jobs.copy_recordings() == 1

    def test_copy_where_it_is_wanted(
        self, call: Call, fetched: list[Any], settings: Any, run_jobs: Callable[[], int]
    ):
        Call.objects.update(created_at=clock.now())
        assert jobs.copy_recordings(of_a_later_version=1) == 0
        settings.RECORDINGS_COPY = True
        assert jobs.copy_recordings() == 1
        assert jobs.copy_recordings() == 0  # it stands in line
        assert run_jobs() == 1
        assert Recording.objects.get().status == "stored"
        assert jobs.copy_recordings() == 0

    @pytest.mark.parametrize("is_on", [True, False])
    def test_delete_old_copies_even_if_no_more_are_taken(
        self, call: Call, fetched: list[Any], settings: Any, now: datetime, *, is_on: bool
    ):
        copy_recording(call_id=call.pk, now=now)
        settings.RECORDINGS_COPY, settings.RECORDINGS_DAYS = is_on, 0
        assert jobs.purge_recordings() == 1

    def test_look_back_once_each_time_copying_is_switched_on(
        self, call: Call, settings: Any, monkeypatch: pytest.MonkeyPatch
    ):
        Call.objects.update(created_at=clock.now())
        begun: list[Any] = []
        walk = recordings.note_recordings
        monkeypatch.setattr(recordings, "_MOST_PAGES", 1)

        def watched(**asked: Any) -> Any:
            begun.append(asked["after"])
            return walk(**asked)

        monkeypatch.setattr(recordings, "note_recordings", watched)
        for is_on in (True, True, True, False, True):
            settings.RECORDINGS_COPY = is_on
            jobs.copy_recordings()
        assert [after is None for after in begun] == [True, False, True]
        assert begun[1][1] == call.pk


def test_purges_until_its_time_is_up(call: Call, fetched: list[Any], now: datetime, monkeypatch):
    monkeypatch.setattr(recordings, "BATCH", 1)
    for _ in range(2):
        more = CallFactory.create(client=call.client, status="ended", created_at=now)
        CallDetail.objects.create(call=more, recording_url=URL)
        copy_recording(call_id=more.pk, now=now)
    later = now + timedelta(days=1)
    assert purge_recordings(before=later, seconds=0) == 0
    assert purge_recordings(before=later, seconds=9) == 2


def test_purges_file_and_row(call: Call, fetched: list[Any], now: datetime):
    copy_recording(call_id=call.pk, now=now)
    name = Recording.objects.get().stored_name
    assert purge_recordings(before=now) == 0
    assert purge_recordings(before=now + timedelta(days=1)) == 1
    assert not Recording.objects.exists()
    with pytest.raises(FileNotFoundError):
        files.open_stored(name)


class TestListening:
    @pytest.fixture
    def sound_url(self, call: Call, fetched: list[Any], browse, vera, now: datetime) -> str:
        copy_recording(call_id=call.pk, now=now)
        page: str = browse(vera).get(f"/app/calls/{call.pk}/recording/").content.decode()
        return page.split('src="/app/recordings/')[1].split('"', maxsplit=1)[0]

    def test_plays_from_the_calls_page(self, call: Call, browse, vera):
        page = browse(vera).get(f"/app/calls/{call.pk}/").content.decode()
        assert f"/app/calls/{call.pk}/recording/" in page

    def test_answers_whoever_has_the_link_until_it_expires(
        self, sound_url: str, browse, monkeypatch: pytest.MonkeyPatch
    ):
        answer = browse().get(f"/app/recordings/{sound_url}")
        assert b"".join(answer.streaming_content) == SOUND
        assert answer["Content-Type"] == "audio/wav"
        assert answer["Cache-Control"] == "private, no-store"
        later = clock.real_now().timestamp() + 901
        monkeypatch.setattr("django.core.signing.time.time", lambda: later)
        assert browse().get(f"/app/recordings/{sound_url}").status_code == 404

    @pytest.mark.parametrize(
        ("asked", "status", "span"),
        [
            ("bytes=0-9", 206, (0, 10)),
            ("bytes=100-", 206, (100, 2560)),
            ("bytes=2559-99999", 206, (2559, 2560)),
            ("bytes=2560-", 416, None),
            ("bytes=9-1", 416, None),
            ("bytes=0-1,5-6", 200, (0, 2560)),
            ("lines=1-2", 200, (0, 2560)),
        ],
    )
    def test_answers_the_part_that_a_player_asks_for(
        self, sound_url: str, browse, asked: str, status: int, span: tuple[int, int] | None
    ):
        answer = browse().get(f"/app/recordings/{sound_url}", headers={"Range": asked})
        assert answer.status_code == status
        if span is None:
            assert answer["Content-Range"] == "bytes */2560"
            return
        assert b"".join(answer.streaming_content) == SOUND[slice(*span)]
        if status == 206:
            assert answer["Content-Range"] == f"bytes {span[0]}-{span[1] - 1}/2560"

    def test_opens_for_no_forged_link(self, sound_url: str, browse):
        forged = ("x", sound_url[:-2] + "/", signing.dumps("1", salt="else") + "/")
        for token in forged:
            assert browse().get(f"/app/recordings/{token}").status_code in {301, 404}

    def test_is_gone_when_the_file_is(self, sound_url: str, browse):
        files.delete_stored(Recording.objects.get().stored_name)
        assert browse().get(f"/app/recordings/{sound_url}").status_code == 404

    def test_is_nobody_elses(self, call: Call, browse, charlie):
        assert browse(charlie).get(f"/app/calls/{call.pk}/recording/").status_code == 404

    def test_leads_to_retell_without_a_copy(self, call: Call, browse, vera):
        where = f"/app/calls/{call.pk}/recording/"
        assert URL in browse(vera).get(where).content.decode()
        CallDetail.objects.update(recording_url="javascript:alert(1)")
        page = browse(vera).get(where, headers={"HX-Request": "true"}).content.decode()
        assert "javascript" not in page
        assert "<html" not in page
        assert "no recording" in page

    def test_waits_for_a_copy_that_is_being_taken(self, call: Call, browse, vera, settings: Any):
        settings.RECORDINGS_COPY = True
        where = f"/app/calls/{call.pk}/recording/"
        Call.objects.update(created_at=clock.now())
        page = browse(vera).get(where).content.decode()
        assert "is being copied" in page
        assert 'hx-trigger="every 5s"' in page
        Recording.objects.create(
            call=call, client=call.client, status="failed", created_at=clock.now()
        )
        page = browse(vera).get(where).content.decode()
        assert "is being copied" not in page
        assert URL in page
