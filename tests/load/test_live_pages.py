"""500 open pages and a campaign of 1,000 calls: every page has the last state, and few renderings were made."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import Client as Browser

from campaigns.models import BatchCall
from convomono.lib import live
from reporting import consumers
from tests.factories.billing import open_wallet
from tests.factories.campaigns import enrol, launch, make_number, make_ready, run_batch
from tests.reporting.test_sockets import Socket

pytestmark = [
    pytest.mark.load,
    pytest.mark.django_db(transaction=True),
]
PAGES = 500
CHANGES = 1_000
PATIENCE = 120.0


@pytest.fixture
def running(acme: Any) -> BatchCall:
    open_wallet(acme, seconds=60_000)
    make_number(acme)
    campaign = make_ready(acme)
    enrol(campaign, 4)
    return run_batch(launch(campaign, seconds=3000))


async def test_keeps_500_pages_up_to_date_through_1000_changes(
    running: BatchCall, vera: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rendered: list[str] = []
    render = consumers._Database.render

    async def counted(self: Any, part: Any) -> dict[str, str]:
        rendered.append(type(part).__name__)
        return await render(self, part)

    monkeypatch.setattr(consumers._Database, "render", counted)
    browser = Browser()
    await sync_to_async(browser.force_login)(vera)
    name = settings.SESSION_COOKIE_NAME
    cookie = f"{name}={browser.cookies[name].value}"
    path = f"/ws/app/campaigns/{running.campaign_id}/"
    pages = [Socket(path, cookie=cookie) for _ in range(PAGES)]
    await asyncio.gather(*(page.open() for page in pages))
    await asyncio.gather(*(page.hears("campaign-why", seconds=PATIENCE) for page in pages))
    assert consumers._hub().watchers == PAGES
    rendered.clear()

    def change(number: int) -> None:
        BatchCall.objects.filter(pk=running.pk).update(done_count=number)
        live.changed(batch_call_id=running.pk)

    for number in range(1, CHANGES + 1):
        await sync_to_async(change)(number)
    await asyncio.gather(*(page.hears("1,000", seconds=PATIENCE) for page in pages))

    # Once in a gap at most, whatever the number of pages and of changes.
    assert rendered.count("CampaignPart") < CHANGES / 4
    for page in pages:
        await page.close()
    assert consumers._hub().watchers == 0
