"""On MongoDB a long table is tried by some of its cases, and everything where it is asked for by name."""

from __future__ import annotations

import pytest

from tests import mongo


@pytest.mark.parametrize(
    ("cases", "kept"),
    [
        ([1], [1]),
        ([1, 2, 3], [1, 2, 3]),
        ([1, 2, 3, 4, 5], [1, 3, 5]),
        (list(range(300)), [0, 150, 299]),
    ],
)
def test_tries_the_first_the_last_and_one_between(cases, kept):
    assert mongo._some_of(cases) == kept  # it has no other door


@pytest.mark.parametrize(
    ("arguments", "is_thorough"),
    [
        ([], False),
        (["-m", "not load"], False),
        (["-m", ""], True),  # as `dev.py test --long` has it
        (["-k", "billing"], True),
        (["tests/billing"], True),
        (["--last-failed"], True),
    ],
)
def test_leaves_no_case_out_where_it_is_asked_for(pytestconfig, arguments, is_thorough):
    option = pytestconfig._parser.parse_known_args(arguments)  # as pytest reads them
    told = type("Told", (), {"option": option})()
    if not arguments:
        option.markexpr = "not browser and not load"  # pyproject.toml says so

    assert mongo._is_thorough(told) is is_thorough  # as above
