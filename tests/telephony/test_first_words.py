"""When the agent spoke first: after whose greeting, and what can't be told."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import orjson
import pytest
from django.apps import apps
from hypothesis import given, strategies as st

from telephony.first_words import ABANDONED_AFTER_MS, NEVER_SPOKE_MS, agent_first_word_ms
from telephony.models import Call, CallDetail
from tests.factories.telephony import CallFactory
from tests.factories.webhooks import recorded


def says(role: str, *words: tuple[float, float]) -> dict[str, Any]:
    """Return a turn whose words are heard from and until these seconds."""
    heard = [{"word": "yes", "start": start, "end": end} for start, end in words]
    return {"role": role, "content": "yes " * len(words), "words": heard}


AGENT_UNTIMED = {"role": "agent", "content": "Hello."}
USER_UNTIMED = {"role": "user", "content": "Hello?", "words": [{"word": "Hello?"}]}


@pytest.mark.parametrize(
    ("turns", "first_ms"),
    [
        pytest.param([says("agent", (0.9, 1.2))], 900, id="agent first: from the start"),
        pytest.param([says("agent", (2.5, 3)), says("user", (4, 5))], 2500, id="agent late"),
        pytest.param([says("user", (0.5, 1)), says("agent", (1.75, 2))], 750, id="person first"),
        pytest.param(
            [says("user", (0.5, 0.9), (1.0, 3.0)), says("agent", (3.4, 4))], 400, id="long greeting"
        ),
        pytest.param(
            [says("user", (0.5, 0.9)), says("user", (1.4, 2.2)), says("agent", (2.6, 3))],
            400,
            id="greeting in two turns",
        ),
        pytest.param(
            [says("user", (0.5, 0.9)), says("user", (4.0, 4.4)), says("agent", (4.6, 5))],
            3700,
            id="asked again after a silence",
        ),
        pytest.param(
            [says("user", (0.5, 0.9), (4.0, 4.4)), says("agent", (4.6, 5))],
            3700,
            id="asked again, in one turn",
        ),
        pytest.param(
            [says("user", (0.5, 1.5)), says("agent", (1.2, 2))], 0, id="fell into the greeting"
        ),
        pytest.param(
            [says("user", (0.5, 1), (3, 4)), says("agent", (1.6, 2))],
            600,
            id="what the person says later is no greeting",
        ),
        pytest.param([says("user", (0.5, 1))], NEVER_SPOKE_MS, id="agent silent"),
        pytest.param([USER_UNTIMED], NEVER_SPOKE_MS, id="agent silent, without times"),
        pytest.param(
            [says("user", (0, 1)), {"role": "agent", "content": " ", "words": []}],
            NEVER_SPOKE_MS,
            id="agent said nothing",
        ),
        pytest.param([AGENT_UNTIMED], None, id="no times"),
        pytest.param([AGENT_UNTIMED, says("agent", (9, 10))], None, id="first turn without times"),
        pytest.param([USER_UNTIMED, says("agent", (3, 4))], None, id="greeting without times"),
        pytest.param([], None, id="nothing said"),
        pytest.param([says("transfer_target", (1, 2))], None, id="somebody else alone"),
        pytest.param(["noise", None, {}, {"role": "agent"}], None, id="noise"),
        pytest.param(
            [{"role": "agent", "words": [{"start": True}, {"start": -1}, {"start": 1e12}]}],
            None,
            id="broken times",
        ),
        pytest.param(
            [{"role": "agent", "words": ["x", {"start": "1"}, {"start": 1}]}], 1000, id="one time"
        ),
    ],
)
def test_tells_how_long_the_person_waited(turns, first_ms):
    assert agent_first_word_ms(turns) == first_ms


_PLAIN = st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=3)
_WORD = st.dictionaries(st.sampled_from(["start", "end"]), _PLAIN) | _PLAIN
_TURN = st.fixed_dictionaries(
    {"role": st.sampled_from(["agent", "user"])},
    optional={"content": _PLAIN, "words": st.lists(_WORD, max_size=3) | _PLAIN},
)


@given(st.lists(_TURN | _PLAIN, max_size=4))
def test_takes_anything_and_fits_its_column(turns):
    found = agent_first_word_ms(turns)
    assert found is None or 0 <= found <= NEVER_SPOKE_MS


def test_reads_recorded_calls():
    call = orjson.loads(recorded("call_ended.agent_hangup"))["call"]
    assert agent_first_word_ms(call["transcript_object"]) == 400


@pytest.mark.django_db
def test_the_migration_reads_calls_from_before():
    late = CallFactory.create(disconnection_reason="transfer_cancelled")
    CallDetail.objects.create(call=late, transcript_object=[says("agent", (3, 4))])
    CallFactory.create(disconnection_reason="call_transfer")
    CallFactory.create(disconnection_reason="user_hangup")
    migration = import_module("telephony.migrations.0003_transfers_and_first_words")
    migration.read_first_words(apps, None)
    migration.read_transfers(apps, None)
    found = Call.objects.order_by("created_at", "pk")
    assert set(found.values_list("agent_first_word_ms", "transfer_status")) == {
        (3000, "cancelled"),
        (None, "bridged"),
        (None, ""),
    }
    assert ABANDONED_AFTER_MS < 3000
