"""Words in one box."""

from __future__ import annotations

from convomono.lib.words import words_between_commas


def test_tells_words_apart_by_commas_and_lines_and_takes_each_once():
    assert words_between_commas(" a b, c\nd,\r\n,c ,") == ["a b", "c", "d"]
    assert words_between_commas(" , \n") == []
