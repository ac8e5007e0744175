"""Changes are told once per transaction, or once for many of them."""

from __future__ import annotations

import json
from functools import partial

import pytest

from convomono.lib import live
from convomono.lib.db import run_atomic
from convomono.lib.ids import uuid7


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    messages: list[list[str]] = []
    monkeypatch.setattr(live, "publish", lambda _channel, text: messages.append(json.loads(text)))
    return messages


@pytest.mark.django_db(transaction=True)
def test_gathers_what_many_transactions_tell(told: list[list[str]]) -> None:
    one, other = uuid7(), uuid7()
    with live.gathered():
        for campaign_id in (one, other, one):
            run_atomic(partial(live.changed, campaign_id=campaign_id))
        live.changed(client_id=one)
        assert not told

    assert told == [sorted([f"campaign:{one}", f"campaign:{other}", f"client:{one}"])]
    with live.gathered():
        pass
    run_atomic(lambda: live.changed(campaign_id=one))
    assert told[1:] == [[f"campaign:{one}"]]


@pytest.mark.django_db(transaction=True)
def test_tells_what_was_committed_before_something_failed(told: list[list[str]]) -> None:
    one = uuid7()

    def fail() -> None:
        live.changed(campaign_id=uuid7())
        raise ValueError

    with pytest.raises(ValueError), live.gathered():  # noqa: PT011, PT012 - ours
        run_atomic(lambda: live.changed(campaign_id=one))
        run_atomic(fail)

    assert told == [[f"campaign:{one}"]]
