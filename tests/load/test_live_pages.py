"""500 open pages and a campaign of 1,000 calls: every page has the last state at once, and few renderings were made."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from asgiref.sync import sync_to_async
from django.conf import settings
from django.test import Client as Browser

from campaigns.models import BatchCall
from convomono.lib import live
from reporting import consumers
from reporting.live.parts import CampaignPart
from tests.factories.billing import open_wallet
from tests.factories.campaigns import enrol, launch, make_number, make_ready, run_batch
from tests.reporting.test_sockets import Socket, until_listening

if TYPE_CHECKING:
    from collections.abc import Callable

    from reporting.live.parts import Part

pytestmark = [
    pytest.mark.load,
    pytest.mark.django_db(transaction=True),
]
PAGES = 500
CHANGES = 1_000
PATIENCE = 120.0  # to open them, and for the test to end when one hears nothing
# From a change to the open page, for 95 % of them and for the last. The control is a change and one
# rendering by hand: where that takes long the machine has no better to offer.
NEARLY_ALL_SECONDS, LAST_SECONDS, TIMES_THE_CONTROL = 1.0, 2.0, 5


@pytest.fixture
def running(acme: Any) -> BatchCall:
    open_wallet(acme, seconds=60_000)
    make_number(acme)
    campaign = make_ready(acme)
    enrol(campaign, 4)
    return run_batch(launch(campaign, seconds=3000))


def change(running: BatchCall, number: int) -> None:
    BatchCall.objects.filter(pk=running.pk).update(done_count=number)
    live.changed(batch_call_id=running.pk)


async def delays(pages: list[Socket], running: BatchCall, numbers: range) -> list[float]:
    """Change the campaign once for each number; return how soon each page showed the last, in order."""
    text = f"{numbers[-1]:,}"

    async def hears(page: Socket) -> float:
        await page.hears(text, seconds=PATIENCE)
        return time.monotonic()

    listening = [asyncio.create_task(hears(page)) for page in pages]
    for number in numbers[:-1]:
        await sync_to_async(change)(running, number)
    began = time.monotonic()
    await sync_to_async(change)(running, numbers[-1])
    heard_at = await asyncio.gather(*listening)
    assert min(heard_at) > began
    return sorted(at - began for at in heard_at)


async def by_hand(running: BatchCall, part: Part) -> float:
    """Change the campaign and render its part; return how long it took."""
    began = time.monotonic()
    await sync_to_async(change)(running, 0)
    await consumers._Database().render(part)
    return time.monotonic() - began


async def test_keeps_500_pages_up_to_date_through_1000_changes(
    running: BatchCall,
    vera: Any,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    rendered: list[Part] = []
    render = consumers._Database.render

    async def counted(self: Any, part: Any) -> dict[str, str]:
        rendered.append(part)
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
    await until_listening(pages[0])
    part = next(one for one in rendered if isinstance(one, CampaignPart))
    control = max([await by_hand(running, part) for _ in range(5)])
    rendered.clear()

    took = await delays(pages, running, range(90_000 - CHANGES, 90_000))

    # Once in a gap at most, whatever the number of pages and of changes.
    assert sum(isinstance(one, CampaignPart) for one in rendered) < CHANGES / 4
    nearly_all, last = took[int(PAGES * 0.95)], took[-1]
    record_property("control_s", round(control, 3))
    record_property("p95_s", round(nearly_all, 3))
    record_property("last_s", round(last, 3))
    at_worst = TIMES_THE_CONTROL * control
    assert nearly_all < max(NEARLY_ALL_SECONDS, at_worst)
    assert last < max(LAST_SECONDS, at_worst)
    for page in pages:
        await page.close()
    assert consumers._hub().watchers == 0
