"""Rows read past the ORM: they are what it would have read, on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from billing.models import CallHold, Reservation
from campaigns.models import Attempt, Enrolment
from convomono.lib.ids import uuid7
from convomono.lib.reading import (
    columns_of,
    is_any_between,
    known_rows,
    read_row,
    rows_where_in,
)
from leads.models import Lead
from reporting.models import DailyStat
from telephony.models import Call, CallDetail
from tests.conftest import NOW
from tests.factories.billing import open_wallet
from tests.factories.campaigns import enrol, launch, make_number, make_ready
from tests.factories.leads import LeadFactory
from tests.factories.telephony import CallFactory
from webhooks.models import Endpoint

if TYPE_CHECKING:
    from django.db.models import Model

    from accounts.models import Client
    from campaigns.models import BatchCall

pytestmark = pytest.mark.django_db
READ_AHEAD = (Call, CallDetail, Attempt, Enrolment, Lead, CallHold)


@pytest.fixture
def batch(acme: Client) -> BatchCall:
    open_wallet(acme, seconds=6000)
    make_number(acme)
    campaign = make_ready(acme)
    enrol(campaign, 2)
    return launch(campaign, seconds=3000)


@pytest.fixture
def of_a_call(batch: BatchCall) -> None:
    """Have a row of each model that is read ahead of its writing, most columns filled."""
    enrolment = batch.enrolments.select_related("lead").order_by("pk")[0]
    Lead.objects.filter(pk=enrolment.lead_id).update(
        other_numbers=["+12015550999"], erased_at=NOW + timedelta(microseconds=1), tags=["Grüße"]
    )
    Enrolment.objects.filter(pk=enrolment.pk).update(callback_at=NOW, lease=uuid7(), held_at=NOW)
    owner: dict[str, Any] = {"client_id": batch.client_id, "created_at": NOW}
    attempt = Attempt.objects.create(
        enrolment=enrolment,
        number=1,
        campaign_id=batch.campaign_id,
        batch_call_id=batch.pk,
        version_id=uuid7(),
        lead_id=enrolment.lead_id,
        phone_number=enrolment.phone_number,
        status="placed",
        was_lost=True,
        decision={"verdict": "allow", "gap": None, "of": [1.5, True]},
        **owner,
    )
    CallHold.objects.create(
        attempt_id=attempt.pk,
        reservation=Reservation.objects.get(batch_call_id=batch.pk),
        seconds=120,
        expires_at=NOW,
        **owner,
    )
    call = CallFactory.create(client=batch.client, counted={"day": "2026-01-05", "calls": 1})
    CallDetail.objects.get_or_create(call_id=call.pk, defaults={"stamps": {"started": 5}})


@pytest.mark.usefixtures("of_a_call")
@pytest.mark.parametrize("model", READ_AHEAD, ids=lambda model: model.__name__)
def test_reads_rows_as_the_orm_does(model: type[Model]) -> None:
    columns = columns_of(model)
    key = model._meta.pk.attname
    expected = {row[0]: row for row in model._base_manager.values_list(key, *columns)}
    assert expected

    rows = known_rows(model, key, list(expected), columns)

    assert {row.pk: (row.pk, *(row.__dict__[name] for name in columns)) for row in rows} == expected
    assert not any(row._state.adding for row in rows)


@pytest.mark.usefixtures("of_a_call")
def test_reads_what_was_left_out_when_it_is_asked_for() -> None:
    (lead,) = known_rows(Lead, "id", [Attempt.objects.get().lead_id], ("id", "client_id"))

    assert set(lead.get_deferred_fields()) == set(columns_of(Lead, without=("id", "client_id")))
    assert lead.tags == ["Grüße"]
    lead.first_name = "Ada"
    lead.save(update_fields=["first_name"])
    assert Lead.objects.get(pk=lead.pk).first_name == "Ada"


@pytest.mark.usefixtures("of_a_call")
def test_knows_a_row_by_its_key_whatever_is_asked_of_it() -> None:
    (detail,) = CallDetail.objects.all()
    (row,) = known_rows(CallDetail, "call_id", [None, detail.call_id], ("stamps",))
    assert (row.pk, row.stamps, row.call_id) == (detail.pk, detail.stamps, detail.call_id)


def test_finds_any_number_of_rows_by_key_and_by_text(batch: BatchCall) -> None:
    wanted = [*(uuid7() for _n in range(1000)), *batch.enrolments.values_list("pk", flat=True)]
    assert len(known_rows(Enrolment, "id", wanted, ("id",))) == 2
    assert known_rows(Enrolment, "id", [], ("id",)) == []

    numbers = list(batch.enrolments.values_list("phone_number", flat=True))
    mine = {"client_id": batch.client_id}
    found = rows_where_in(Lead, "phone_number", numbers, ("phone_number", "client_id"), **mine)
    assert sorted(found) == sorted((number, batch.client_id) for number in numbers)
    assert not list(rows_where_in(Lead, "phone_number", numbers, ("id",), client_id=uuid7()))


def test_reads_one_row_as_the_orm_does(batch: BatchCall) -> None:
    lead = batch.enrolments.select_related("lead").order_by("pk")[0].lead
    columns = ("id", "client_id", "phone_number", "other_numbers", "consent_status", "created_at")
    mine = {"id": lead.pk, "client_id": lead.client_id, "consent_status": lead.consent_status}

    assert read_row(Lead, mine, columns) == tuple(getattr(lead, name) for name in columns)
    assert read_row(Lead, {**mine, "client_id": uuid7()}, columns) is None
    terms = read_row(Reservation, {"batch_call_id": batch.pk}, ("bills_voicemail", "free_seconds"))
    assert terms == (True, 3000)
    assert terms[0] is True


@pytest.mark.parametrize(
    ("least", "below", "is_there"),
    [("+12", "+13", True), ("#", "$", False), ("+1", "+12015550001", False)],
)
def test_tells_whether_a_text_is_between_two(
    acme: Client, least: str, below: str, is_there: bool
) -> None:
    LeadFactory(client=acme, phone_number="+12015550001")

    assert is_any_between(Lead, "phone_number", least, below) is is_there


@pytest.mark.parametrize(("model", "column"), [(DailyStat, "day"), (Endpoint, "secret")])
def test_refuses_to_read_what_it_would_read_otherwise_than_the_orm(
    acme: Client, model: type[Model], column: str
) -> None:
    with pytest.raises(TypeError, match=column):
        read_row(model, {"client_id": acme.pk}, (column,))
