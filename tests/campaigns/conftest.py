"""What tests of the campaigns room share: a Retell in memory, minutes, a number."""

from __future__ import annotations

import pytest

from campaigns import jobs
from tests.factories.billing import open_wallet
from tests.factories.campaigns import make_number
from tests.fakes import FakeRetell


@pytest.fixture
def retell(monkeypatch) -> FakeRetell:
    """A Retell in memory, in place of the one the jobs would ask."""
    fake = FakeRetell()
    monkeypatch.setattr(jobs, "retell_gateway", lambda: fake)
    return fake


@pytest.fixture
def equipped(acme):
    """acme with 1,000 minutes and a number to call from."""
    open_wallet(acme, seconds=60_000)
    make_number(acme)
    return acme
