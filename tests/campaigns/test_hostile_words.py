"""Words that somebody else chose, of leads, calls and files: shown as text, never as markup or a formula."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from campaigns.models import Campaign
from leads.models import Lead, LeadImport, Suppression
from reporting.exports import call_rows
from telephony.models import Call, CallDetail
from tests.campaigns.test_live_pages import make_call
from tests.factories.campaigns import enrol, launch, make_ready, run_batch
from tests.leads.test_import_pages import CONSENT, url as import_url

EVIL = "\"><script>alert('x')</script>"
STRANGE = [
    "not a turn",
    None,
    {"role": ["user"], "content": "x"},
    {"role": "user", "content": {"a": EVIL}, "words": [{"start": "soon"}]},
    {"role": "user", "content": EVIL, "words": {"start": 1}},
]


@pytest.fixture
def call(equipped) -> Call:
    campaign = make_ready(equipped)
    Campaign.objects.update(name=EVIL, goal=EVIL)
    enrolment = enrol(campaign)[0]
    run = run_batch(launch(campaign, seconds=600))
    Lead.objects.update(
        first_name=EVIL, last_name=EVIL, company=EVIL[:40], tags=[EVIL], last_outcome=EVIL[:20]
    )
    row: Call = make_call(run, enrolment, disconnection_reason=EVIL, user_sentiment=EVIL[:16])
    CallDetail.objects.create(
        call=row,
        call_summary=EVIL,
        transcript=EVIL,
        transcript_object=STRANGE,
        call_analysis={"custom_analysis_data": {EVIL: EVIL}},
        recording_url="javascript:alert(1)",
    )
    return row


@pytest.mark.parametrize(
    "path",
    [
        "/app/",
        "/app/campaigns/",
        "/app/campaigns/{campaign}/",
        "/app/campaigns/{campaign}/leads/",
        "/app/campaigns/{campaign}/edit/goal/",
        "/app/campaigns/{campaign}/edit/script/",
        "/app/campaigns/{campaign}/edit/knowledge/",
        "/app/campaigns/{campaign}/launch/",
        "/app/campaigns/{campaign}/report/",
        "/app/calls/",
        "/app/calls/{call}/",
        "/app/leads/",
        "/app/leads/{lead}/",
    ],
)
def test_stays_text_on_every_page(browse, alice, call, path):
    url = path.format(campaign=call.campaign_id, call=call.pk, lead=call.lead_id)

    answer = browse(alice).get(url)

    assert answer.status_code == 200
    page = answer.content.decode()
    assert "<script>alert" not in page
    assert 'href="javascript:' not in page
    assert 'src="javascript:' not in page


def test_stays_text_in_the_name_of_a_file(browse, mia):
    name = f"../../etc/{EVIL}.csv"
    content = f"Phone,x{EVIL}\n+12125550142,x{EVIL}\n".encode()
    browser = browse(mia)

    browser.post("/app/imports/new/", {"file": SimpleUploadedFile(name, content), **CONSENT})

    row = LeadImport.objects.get()
    assert ".." not in row.stored_name
    for page in (import_url("detail", row), "/app/imports/"):
        assert "<script>alert" not in browser.get(page).content.decode()


def test_is_no_formula_in_a_file(call):
    Call.objects.update(disconnection_reason="=HYPERLINK(1)", user_sentiment="@SUM(1)")
    calls = list(call_rows(Campaign.objects.get(), ZoneInfo("UTC")))

    assert "'=HYPERLINK(1)" in calls[0]
    assert "'@SUM(1)" in calls[0]


def test_takes_the_callers_number_off_after_a_call_to_us(browse, mia, call):
    Call.objects.update(direction="inbound", from_number="+12015550177", to_number="+12125550199")

    browse(mia).post(f"/app/calls/{call.pk}/suppress/")

    assert Suppression.objects.get().phone_number == "+12015550177"
