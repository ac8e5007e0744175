"""What the tests of the leads room share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from convomono.lib.ids import uuid7
from leads import doors
from leads.imports import dry_run, targets, verdict_file, work
from tests.factories.leads import FakeDoor, FakeTarget, ask_check, ask_commit, upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from leads.models import LeadImport


@pytest.fixture
def target(acme, monkeypatch) -> FakeTarget:
    """A campaign of acme's, and the only one there is."""
    fake = FakeTarget(campaign_id=uuid7(), client_id=acme.pk)
    monkeypatch.setattr(targets, "_factories", [fake.find])
    monkeypatch.setattr(doors, "_doors", [FakeDoor(fake)])
    return fake


@pytest.fixture(autouse=True)
def no_pause(monkeypatch) -> None:
    """Let imports go on without their pause: nothing else writes."""
    monkeypatch.setattr(work, "PAUSE_SECONDS", 0)
    monkeypatch.setattr(dry_run, "CHUNK_ROWS", 200)
    monkeypatch.setattr(dry_run, "TELL_SECONDS", 0)


@pytest.fixture
def verdicts() -> Callable[[LeadImport], dict[int, str]]:
    """Tell what the dry run said of each row that is not plainly new."""

    def told(lead_import: LeadImport) -> dict[int, str]:
        with verdict_file.read(lead_import.verdicts_name) as ledger:
            found = ledger.between(0, 10**9) if ledger else {}
        return {number: one for number, one in found.items() if one != "new"}

    return told


@pytest.fixture
def imported(alice, run_jobs, django_capture_on_commit_callbacks) -> Callable[..., LeadImport]:
    """Upload, check and commit a file, jobs included: `imported(content, existing="skip")`."""

    def run(content, *, commit=True, campaign_id=None, user=alice, **options) -> LeadImport:
        extra = {"consent": options.pop("consent")} if "consent" in options else {}
        lead_import = upload(user, content, campaign_id=campaign_id, **extra)
        with django_capture_on_commit_callbacks(execute=True):
            ask_check(lead_import, **options)
        run_jobs()
        if commit:
            with django_capture_on_commit_callbacks(execute=True):
                ask_commit(lead_import, user)
            run_jobs()
        lead_import.refresh_from_db()
        return lead_import

    return run
