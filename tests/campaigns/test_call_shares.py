"""The link to one call: what it shows, to whom, for how long, and that nobody learns more."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.core import signing
from django.core.cache import cache

from audit.models import AuditLog
from campaigns.models import CallShare
from campaigns.services.call_shares import find_share, share_call, token_of
from campaigns.views import shares
from convomono.lib import clock
from telephony.models import CallDetail, Recording
from tests.campaigns.test_call_page import DONE, SAID
from tests.campaigns.test_live_pages import make_call
from tests.factories.campaigns import enrol, launch, make_ready, run_batch


@pytest.fixture(autouse=True)
def _no_counts():
    cache.clear()


@pytest.fixture
def call(equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 1)
    running = run_batch(launch(campaign, seconds=3000))
    call = make_call(running, running.enrolments.get())
    CallDetail.objects.create(
        call=call, transcript_object=SAID, happenings=DONE, call_summary="She buys."
    )
    Recording.objects.create(
        call=call, client=call.client, status="stored", stored_name="x.wav", created_at=clock.now()
    )
    return call


def share(call, actor, shows=("transcript",), days=1, now=None):
    return share_call(call=call, shows=shows, days=days, actor=actor, now=now or clock.real_now())


def address(one):
    return f"/shared/calls/{token_of(one)}/"


class TestOpening:
    def test_shows_what_was_shared_and_nothing_else(self, client, call, mia):
        link = address(share(call, mia))
        answer = client.get(link)
        page = answer.content.decode().replace(link, "")  # made of random letters and digits

        assert answer.status_code == 200
        assert "When do you open?" in page
        assert "Hello &lt;b&gt;Ada&lt;/b&gt;" in page
        lead = call.attempt_id and call
        for secret in (
            lead.to_number,
            "555",
            "She buys.",
            "destination",
            "recording/",
            "$",
            "audio",
            "0.37",
        ):
            assert secret not in page.partition("<body")[2], secret

    def test_shows_the_recording_alone(self, client, call, mia):
        page = client.get(address(share(call, mia, ["recording"]))).content.decode()
        assert "<audio" in page
        assert "When do you open?" not in page

    def test_keeps_out_of_indexes_and_caches(self, client, call, mia):
        good = client.get(address(share(call, mia)))
        for answer in (good, client.get("/shared/calls/forged/")):
            assert "noindex" in answer["X-Robots-Tag"]
            assert answer["Cache-Control"] == "private, no-store"
            assert answer["Referrer-Policy"] == "no-referrer"

    @pytest.mark.parametrize("how", ["wrong", "cut", "other salt", "expired", "revoked", "idle"])
    def test_answers_404_with_a_sentence(self, client, call, mia, how):
        one = share(call, mia)
        link = address(one)
        if how == "wrong":
            link = "/shared/calls/ImZvcmdlZCI:1wQ:x/"
        elif how == "cut":
            link = link[:-5] + "/"
        elif how == "other salt":
            link = f"/shared/calls/{signing.Signer(salt='recording').sign(one.pk.hex)}/"
        elif how == "expired":
            CallShare.objects.update(expires_at=clock.real_now() - timedelta(seconds=1))
        elif how == "revoked":
            CallShare.objects.update(revoked_at=clock.real_now())
        else:
            call.client.status = "inactive"
            call.client.save()
        answer = client.get(link)
        assert answer.status_code == 404
        assert "Ask whoever sent it for another." in answer.content.decode()
        assert CallShare.objects.get().opened_count == 0

    def test_counts_and_audits_the_first_time(self, client, call, mia):
        link = address(share(call, mia))
        for _time in range(3):
            client.get(link)
        assert CallShare.objects.get().opened_count == 3
        assert AuditLog.objects.filter(action="call.share_opened").count() == 1

    def test_is_limited_by_the_minute(self, client, call, mia, monkeypatch):
        monkeypatch.setattr(shares, "PER_MINUTE", 2)
        link = address(share(call, mia))
        assert [client.get(link).status_code for _time in range(3)] == [200, 200, 429]
        assert CallShare.objects.get().opened_count == 2
        assert client.get(link)["Retry-After"] == "60"


class TestMaking:
    def test_makes_a_link_and_takes_it_back(self, browse, client, mia, call):
        browser = browse(mia)
        sent = {"shows": ["transcript", "recording"], "days": "7"}
        page = browser.post(f"/app/calls/{call.pk}/share/", sent, follow=True).content.decode()
        one = CallShare.objects.get()
        assert f"http://testserver{address(one)}" in page
        assert one.expires_at - one.created_at == timedelta(days=7)
        assert client.get(address(one)).status_code == 200
        page = browser.post(f"/app/shares/{one.pk}/revoke/", follow=True).content.decode()
        assert "The link leads nowhere any more." in page
        assert address(one) not in page
        assert client.get(address(one)).status_code == 404
        kept = list(AuditLog.objects.filter(action__startswith="call.share").values_list("action"))
        assert len(kept) == 3  # made, opened, taken back

    @pytest.mark.parametrize(
        "sent",
        [{}, {"shows": ["transcript"]}, {"days": "7"}, {"shows": ["x"], "days": "7"},
         {"shows": ["transcript"], "days": "365"}],
    )  # fmt: skip
    def test_refuses_what_is_no_choice(self, browse, mia, call, sent):
        page = browse(mia).post(f"/app/calls/{call.pk}/share/", sent, follow=True)
        assert "Choose what the link shows, and for how long." in page.content.decode()
        assert not CallShare.objects.exists()

    def test_makes_no_eleventh(self, browse, mia, call):
        for _time in range(10):
            share(call, mia)
        sent = {"shows": ["transcript"], "days": "1"}
        page = browse(mia).post(f"/app/calls/{call.pk}/share/", sent, follow=True)
        assert "take one back first" in page.content.decode()
        assert CallShare.objects.count() == 10

    def test_is_for_managers_of_that_client(self, browse, vera, charlie, call, mia):
        one = share(call, mia)
        for path in (f"/app/calls/{call.pk}/share/", f"/app/shares/{one.pk}/revoke/"):
            assert browse(vera).post(path).status_code == 403
            assert browse(charlie).post(path).status_code == 404
        assert "Share this call" not in browse(vera).get(f"/app/calls/{call.pk}/").content.decode()

    def test_finds_nothing_by_the_id_alone(self, call, mia):
        one = share(call, mia)
        assert find_share(one.pk.hex, real_now=clock.real_now()) is None
        assert find_share(token_of(one), real_now=clock.real_now()) == one
