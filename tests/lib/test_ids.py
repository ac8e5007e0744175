"""Keys: what is made without the checks of a UUID's own call is a UUID like any other."""

from __future__ import annotations

from copy import copy
from uuid import UUID

from hypothesis import given, strategies as st

from convomono.lib.ids import key_from, uuid7


@given(number=st.integers(0, 2**128 - 1))
def test_is_the_key_that_its_bits_mean(number: int) -> None:
    key, plain = key_from(number), UUID(int=number)

    assert (key, hash(key), key.hex, key.is_safe) == (
        plain,
        hash(plain),
        plain.hex,
        plain.is_safe,
    )
    assert copy(key) == plain


def test_is_of_version_7_and_no_two_are_alike() -> None:
    keys = [uuid7() for _n in range(1000)]

    assert {(key.version, key.variant) for key in keys} == {(7, "specified in RFC 4122")}
    assert len(set(keys)) == len(keys)
