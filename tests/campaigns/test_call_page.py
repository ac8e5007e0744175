"""The page of one call: what was said and done, what was looked up, what it cost and why it was made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from accounts.models import User
from billing.models import Transaction
from billing.sentences import charge_sentence
from campaigns.queries.call_words import (
    disclosure_sentence,
    latency_sentence,
    transfer_sentence,
)
from campaigns.queries.transcripts import Turn, loose_passages, script_of
from leads.models import Suppression
from telephony.models import Call, CallDetail, CallLookup
from tests.campaigns.test_live_pages import make_call
from tests.factories.campaigns import enrol, launch, make_ready, run_batch
from tests.factories.leads import SuppressionFactory

if TYPE_CHECKING:
    from django.test import Client as Browser

    from accounts.models import Client
    from telephony.lookups import Passage

SAID = [
    {
        "role": "agent",
        "content": "Hello <b>Ada</b>, this is Bright Dental.",
        "words": [
            {"word": word, "start": 0.5 + number, "end": 1.0 + number}
            for number, word in enumerate(
                ["Hello", "<b>Ada</b>,", "this", "is", "Bright", "Dental."]
            )
        ],
        "metadata": {"response_id": 1},
    },
    {"role": "user", "content": "When do you open?", "words": [{"word": "When", "start": 8.25}]},
    {"role": "transfer_target", "content": "Front desk."},
    "noise",
]
DONE = [
    {
        "after": 2,
        "kind": "function",
        "name": "transfer_call",
        "given": '{"destination":"+14155550199"}',
        "result": "busy",
        "went_well": False,
    },
    {"after": 9, "kind": "key", "name": "9", "given": "", "result": "", "went_well": None},
]


@pytest.fixture
def running(equipped):
    campaign = make_ready(equipped)
    enrol(campaign, 4)
    return run_batch(launch(campaign, seconds=3000))


@pytest.fixture
def call(running):
    call = make_call(running, running.enrolments.first())
    CallDetail.objects.create(
        call=call,
        transcript_object=SAID,
        happenings=DONE,
        latency={"e2e": {"p50": 912.0, "p90": 1604}},
        recording_url="https://recordings.example.com/a.wav",
    )
    CallLookup.objects.create(
        call=call,
        client=call.client,
        campaign_id=call.campaign_id,
        status="stored",
        passages=[
            {"text": "We open at <8>.", "response_id": 1},
            {"text": "Parking is behind the house.", "response_id": 77},
        ],
        created_at=call.created_at,
    )
    return call


def read(browse, who, call):
    return browse(who).get(f"/app/calls/{call.pk}/").content.decode()


def test_shows_what_was_said_done_and_looked_up(browse, vera, call):
    page = read(browse, vera, call)

    assert "Hello &lt;b&gt;Ada&lt;/b&gt;, this is Bright Dental." in page
    assert 'data-words="0.5 1.5 2.5 3.5 4.5 5.5"' in page
    assert f'href="/app/calls/{call.pk}/recording/?t=8.25"' in page
    assert "Transferred the call" in page
    assert "Destination" in page
    assert "Didn't work" in page
    assert "Pressed 9" in page
    assert page.index("We open at &lt;8&gt;.") < page.index("When do you open?")
    assert page.index("Parking is behind the house.") > page.index(
        "Looked up in the knowledge base"
    )


def test_shows_what_became_of_a_transfer(browse, vera, call):
    assert "<dt>Transfer</dt>" not in read(browse, vera, call)
    Call.objects.update(transfer_status="cancelled", transfer_destination="+14155550199")
    assert "Nobody took it: +1 415-555-0199" in read(browse, vera, call)


@pytest.mark.parametrize(
    ("status", "whom", "words"),
    [
        ("", "", ""),
        ("started", "", "Begun"),
        ("bridged", "sip:desk@example.com", "Handed over: sip:desk@example.com"),
    ],
)
def test_says_whom_a_transfer_was_to_if_that_is_known(status, whom, words):
    assert transfer_sentence(Call(transfer_status=status, transfer_destination=whom)) == words


def test_names_the_version_and_why_it_was_allowed(browse, vera, call):
    page = read(browse, vera, call)

    assert f"/app/campaigns/{call.campaign_id}/versions/1/" in page
    assert "Why this call was allowed" in page
    assert "It answered after 0.9 s as a rule, and nine times of ten within 1.6 s." in page


def test_offers_a_follow_up_to_those_who_may(browse, mia, vera, call):
    address = f"/app/leads/{call.lead_id}/follow-up/?call={call.pk}"

    assert address in read(browse, mia, call)
    assert address not in read(browse, vera, call)
    form = browse(mia).get(address).content.decode()
    assert f'href="/app/calls/{call.pk}/"' in form


def test_goes_back_to_the_call_after_a_follow_up(browse, mia, call):
    browser = browse(mia)
    address = f"/app/leads/{call.lead_id}/follow-up/?call={call.pk}"
    key = browser.get(address).context["form"]["key"].value()
    sent = {"due_at": "2027-01-05T10:00", "note": "Send the price list", "key": key}

    assert browser.post(address, sent)["Location"] == f"/app/calls/{call.pk}/"
    # Nothing but an id of ours leads anywhere.
    for odd in ("//evil.test", "https://evil.test"):
        answer = browser.post(address.partition("?")[0] + f"?call={odd}", sent)
        assert answer["Location"] == f"/app/leads/{call.lead_id}/"


def test_asks_as_many_queries_whatever_was_said(browse, vera, call, django_assert_max_num_queries):
    browser = browse(vera)
    read(browse, vera, call)
    CallDetail.objects.update(transcript_object=SAID * 40, happenings=DONE * 40)
    with django_assert_max_num_queries(22):
        browser.get(f"/app/calls/{call.pk}/")


@pytest.mark.parametrize(
    "words", [None, "x", [3], [{"start": "1"}], [{"start": True}], [{"word": "When"}]]
)
def test_takes_words_without_times(words):
    detail = CallDetail(transcript_object=[{"role": "user", "content": "When?", "words": words}])

    assert script_of(detail) == [Turn("user", "When?", None)]


def test_shows_a_loose_passage_once():
    passage: Passage = {"text": "A", "response_id": None}

    assert loose_passages([], [passage, passage]) == ["A"]


class TestWords:
    def line(self, **fields):
        kept = {"seconds": 60, "amount_micros": 300_000, "price_per_minute_micros": 300_000}
        return Transaction(**{**kept, "increment_seconds": 60, "minimum_seconds": 0, **fields})

    def test_say_how_talk_became_the_charge(self):
        call = Call(status="ended", duration_ms=41_200, outcome_class="human")
        call.billed_seconds, call.client_cost_micros = 60, 300_000
        assert charge_sentence(call, self.line()) == (
            "42 s of talk are billed as 1 min 0 s (in begun units of 1 min 0 s) at $0.30 a minute: $0.30."
        )
        exact = self.line(seconds=42, amount_micros=210_000, increment_seconds=1)
        call.billed_seconds, call.client_cost_micros = 42, 210_000
        assert charge_sentence(call, exact) == "42 s of talk at $0.30 a minute come to $0.21."
        assert charge_sentence(call, None) == "Nothing was charged."
        call.billed_seconds, call.client_cost_micros = 0, 0
        assert charge_sentence(call, exact).endswith("come to $0.21. It was corrected since.")

    def test_say_nothing_while_it_goes_on(self):
        assert charge_sentence(Call(status="ongoing"), None) == ""

    @pytest.mark.parametrize("told", [{}, {"e2e": 3}, {"e2e": {}}, {"e2e": {"p50": "1"}}])
    def test_leave_out_pauses_that_nobody_told(self, told):
        assert latency_sentence(told) == ""


@pytest.fixture
def at_work(browse: Any, bob: User, mia: User, acme: Client) -> Browser:
    """Bob's browser: he may work on campaigns, and works as Mia."""
    User.objects.filter(pk=bob.pk).update(manage_campaigns=True)
    bob.refresh_from_db()
    browser: Browser = browse(bob)
    asked = {"acted_for": mia.pk, "reason": "A complaint", "minutes": 30}
    assert browser.post(f"/agency/clients/{acme.pk}/act/", asked).status_code == 302
    return browser


def test_lets_the_agency_list_the_number_of_a_call_for_every_client(
    at_work: Browser, call: Call
) -> None:
    address = f"/agency/calls/{call.pk}/suppress/"
    page = at_work.get(f"/app/calls/{call.pk}/").text
    assert f'action="{address}"' in page

    answers = [at_work.post(address) for _twice in range(2)]

    assert {one["Location"] for one in answers} == {f"/app/calls/{call.pk}/"}
    entry = Suppression.objects.get()
    assert (entry.level, entry.client, entry.phone_number) == ("agency", None, call.person_number)
    assert (entry.call_id, entry.added_by_email) == (call.pk, "bob@convomono.test")
    after = at_work.get(answers[0]["Location"]).text
    assert "Nobody calls this number any more, for any client." in after
    assert "On the do-not-call list" in after
    assert address not in after


def test_offers_the_agencys_list_beside_the_clients_own(
    at_work: Browser, browse: Any, mia: User, call: Call
) -> None:
    SuppressionFactory.create(client=call.client, phone_number=call.person_number)

    page = at_work.get(f"/app/calls/{call.pk}/").text

    assert "On the do-not-call list" in page
    assert f"/agency/calls/{call.pk}/suppress/" in page
    assert "/agency/" not in browse(mia).get(f"/app/calls/{call.pk}/").text
    assert browse(mia).post(f"/agency/calls/{call.pk}/suppress/").status_code == 403


def test_leads_whoever_works_for_no_client_to_the_agencys_list(
    browse: Any, root: User, call: Call
) -> None:
    answer = browse(root).post(f"/agency/calls/{call.pk}/suppress/")

    assert answer["Location"] == "/agency/do-not-call/"
    assert Suppression.objects.get().level == "agency"


ASKED = {"business": "Acme Dental", "languages": ["en-US"], "notices": ["ai"], "rules": []}


@pytest.mark.parametrize(
    ("disclosure", "outcome", "sentence"),
    [
        ("given", "human", "It said who calls, that an AI calls."),
        ("ai", "human", "It left out that an AI calls. It said who calls."),
        ("name ai", "human", "It left out who calls, that an AI calls."),
        ("cut", "human", "The call ended before it did, so it doesn't count."),
        (
            "unread",
            "human",
            "It can't be checked in this language whether it said that an AI calls.",
        ),
        ("", "human", ""),
        ("of a newer version", "human", ""),
        ("ai", "machine", ""),
    ],
)
def test_says_what_the_opening_said_and_left_out(disclosure, outcome, sentence):
    call = Call(disclosure=disclosure, outcome_class=outcome, must_say=ASKED)

    assert disclosure_sentence(call) == sentence


def test_shows_what_the_opening_left_out(browse, vera, call):
    Call.objects.update(disclosure="ai", must_say=ASKED)

    page = read(browse, vera, call)

    assert "It left out that an AI calls. It said who calls." in " ".join(page.split())
