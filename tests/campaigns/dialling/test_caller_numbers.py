"""Which number a campaign calls from: its own choice among the client's, never another's, caps shared."""

from __future__ import annotations

from campaigns.dialling import waiting
from campaigns.dialling.numbers import number_pool
from tests.factories.campaigns import NOW, make_number

ONE, TWO = "+12125550198", "+12125550197"


def test_calls_from_the_chosen_numbers_alone(acme, rival):
    make_number(acme, ONE)
    make_number(acme, TWO)
    make_number(rival, "+12125550196")

    pool = number_pool(client_id=acme.pk, now=NOW, only=(TWO, "+12125550196"))

    assert [pool.choose(), pool.choose(preferred=ONE)] == [TWO, TWO]


def test_says_that_there_is_none_when_the_chosen_ones_are_gone(acme):
    make_number(acme, ONE)

    assert number_pool(client_id=acme.pk, now=NOW, only=(TWO,)).code == waiting.NO_NUMBER


def test_shares_a_numbers_cap_between_campaigns(acme):
    make_number(acme, ONE, daily_cap=2)
    left: dict[str, int] = {}
    first = number_pool(client_id=acme.pk, now=NOW, left=left)
    second = number_pool(client_id=acme.pk, now=NOW, only=(ONE,), left=left)

    assert [first.choose(), second.choose(), first.choose(), second.choose()] == [
        ONE,
        ONE,
        None,
        None,
    ]
    assert first.code == second.code == waiting.NUMBERS_CAPPED
