"""Cells of our CSV files: text is never a formula, a number stays a number."""

from __future__ import annotations

from decimal import Decimal

import pytest

from convomono.lib.csvio import csv_lines, safe_cell


@pytest.mark.parametrize(
    ("value", "cell"),
    [
        (-5, "-5"),
        (Decimal("-5.00"), "-5.00"),
        (-0.5, "-0.5"),
        (None, ""),
        ("Ada", "Ada"),
        ("-5", "'-5"),
        ("+12125550100", "'+12125550100"),
        ("=1+1", "'=1+1"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\t=1", "'\t=1"),
    ],
)
def test_guards_text_and_leaves_numbers_alone(value, cell):
    assert safe_cell(value) == cell


def test_writes_lines_that_a_spreadsheet_adds_up():
    rows: list[list[object]] = [["minutes", "reason"], [Decimal("-5.00"), "-5 by mistake"]]

    assert list(csv_lines(rows)) == ["\ufeff", "minutes,reason\r\n", "-5.00,'-5 by mistake\r\n"]
