"""After an erasure no table of the product holds a word of the person, whichever service wrote it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import tablib  # type: ignore[import-untyped]  # has none
from django.apps import apps
from django.db import connection

from accounts.models import Notification
from audit.models import AuditLog
from campaigns.services.enrolment import enrol_lead
from campaigns.services.follow_ups import change_follow_up, create_follow_up, remind
from convomono.lib.ids import uuid7
from leads.models import Lead
from leads.resources import LeadResource
from leads.services import LeadFields, PersonErased, create_lead, suppress
from leads.services.consents import record_consent
from leads.services.erasure import erase_lead
from leads.services.notes import add_note
from leads.services.people import change_lead
from tests.factories.accounts import NOW
from tests.factories.campaigns import make_draft
from tests.factories.leads import CONSENT
from tests.leads.test_lead_pages import LEAD

WORDS = ("Zaphod", "Beeblebrox", "7365001", "zb@x.test", "Magrathea")
FIELDS = LeadFields(
    first_name="Zaphod", last_name="Beeblebrox", email="zb@x.test", company="Magrathea"
)


def found(words: tuple[str, ...]) -> list[tuple[str, dict[str, Any]]]:
    """Return each row of any table that holds one of these words, with the columns that do."""
    held = []
    tables = connection.introspection.table_names()
    for model in (one for one in apps.get_models() if one._meta.db_table in tables):
        for row in model._base_manager.values():
            told = {name: value for name, value in row.items() if any(w in repr(value) for w in words)}  # fmt: skip
            if told:
                held.append((model._meta.label, told))
    return held


@pytest.fixture
def zaphod(acme, alice, run_jobs, django_capture_on_commit_callbacks) -> Lead:
    """A person whom every service has written of."""
    with django_capture_on_commit_callbacks(execute=True):
        lead = create_lead(
            client=acme, phone_number="212-736-5001", country="US", fields=FIELDS, consent=CONSENT,
            actor=alice, now=NOW,
        )  # fmt: skip
        change_lead(lead=lead, fields=FIELDS, tags=["vip"], actor=alice, now=NOW)
        enrol_lead(campaign=make_draft(acme), lead=lead, dynamic_vars={}, now=NOW)
        add_note(lead=lead, text="Zaphod likes tea", actor=alice, now=NOW)
        record_consent(
            lead=lead, statement=CONSENT, proof=None, proof_name="", actor=alice, now=NOW
        )
        for hours in (0, 3):
            told: dict[str, Any] = {"note": "Call Zaphod back", "assignee": alice, "actor": alice}
            at = NOW + timedelta(hours=hours)
            row = create_follow_up(lead=lead, due_at=at, key=uuid7(), now=NOW, **told)
            remind(now=at + timedelta(minutes=1))
            change_follow_up(follow_up=row, due_at=at + timedelta(hours=1), now=at, **told)
            remind(now=at + timedelta(hours=1, minutes=1))
    run_jobs()
    return lead


def test_leaves_no_word_of_a_person_in_any_table(
    zaphod, acme, alice, run_jobs, django_capture_on_commit_callbacks
):
    suppress(
        level="client", client_id=acme.pk, campaign_id=None, phone_number=zaphod.phone_number,
        source="person", reason="", actor=alice, now=NOW,
    )  # fmt: skip
    assert {"leads.Lead", "accounts.Notification"} <= {name for name, _told in found(WORDS)}

    with django_capture_on_commit_callbacks(execute=True):
        assert erase_lead(lead=zaphod, reason="asked", actor=alice, now=NOW + timedelta(hours=9))
    run_jobs()

    assert found(WORDS) == []
    # What happened is still on record, of somebody without a name.
    assert AuditLog.objects.filter(resource_id=zaphod.pk).count() > 5


def test_keeps_what_was_told_of_others(zaphod, acme, alice):
    other = create_lead(
        client=acme, phone_number="212-736-5002", country="US", fields=LeadFields(first_name="Ford"),
        consent=CONSENT, actor=alice, now=NOW,
    )  # fmt: skip
    create_follow_up(
        lead=other, due_at=NOW, note="", assignee=None, key=uuid7(), actor=alice, now=NOW
    )
    remind(now=NOW + timedelta(minutes=1))

    erase_lead(lead=zaphod, reason="asked", actor=alice, now=NOW + timedelta(hours=9))

    rows = Notification.objects.filter(key__startswith="follow_up.due:")
    assert list(rows.values_list("title", flat=True)) == ["Follow-up due: Ford"]


def test_lets_nobody_add_an_erased_person_again(zaphod, acme, alice, browse, mia):
    erase_lead(lead=zaphod, reason="asked", actor=alice, now=NOW)

    with pytest.raises(PersonErased):
        create_lead(
            client=acme, phone_number="+1 212 736 5001", country="US", fields=FIELDS, consent=None,
            actor=alice, now=NOW,
        )  # fmt: skip
    page = browse(mia).post("/app/leads/new/", LEAD | {"phone_number": "212 736 5001"})
    answer = browse(mia).post(
        "/api/v1/client/leads/",
        {"phone_number": "212 736 5001", "country": "US"},
        content_type="application/json",
    )
    result = LeadResource().import_data(
        tablib.Dataset((acme.name, "212-736-5001"), headers=("client", "phone_number")),
        dry_run=False,
    )

    assert (page.status_code, answer.status_code) == (422, 409)
    assert "was erased because they asked for it" in page.text
    assert answer.json()["code"] == "person_erased"
    assert [list(row.error_dict) for row in result.invalid_rows] == [["phone_number"]]
    assert Lead.objects.get().status == "erased"
