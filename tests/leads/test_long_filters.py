"""Filters at their longest: a change to all leads of one, and a view of it, keep it or are refused."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest
from django.http import QueryDict

from convomono.lib.ids import uuid7
from leads.forms.table import LeadFilters
from leads.lead_table import COLUMNS
from leads.models import LeadOperation, SavedView
from tests.factories.leads import LeadFactory

LONGEST = {
    "q": "\U00020bb7" * 100,
    "tag": "\U00020bb7" * 40,
    "status": "suppressed",
    "outcome": "number_trouble",
    "consent": "revoked",
    "attempts": "3",
    "score_from": "100",
    "zone": "America/Argentina/ComodRivadavia",
    "campaign": str(uuid7()),
    "lead_import": str(uuid7()),
    "added_from": "2026-11-01",
    "added_to": "2026-11-30",
    "called_from": "2026-11-01",
    "called_to": "2026-11-30",
    "sort": "last_call",
    "columns": list(COLUMNS),
}


def test_keeps_the_longest_filter_of_the_list(browse, mia, acme):
    LeadFactory.create_batch(2, client=acme)
    filters = LeadFilters(QueryDict(urlencode(LONGEST, doseq=True)), client=acme)
    assert not filters.errors

    answer = browse(mia).post(
        "/app/leads/change/", {"kind": "delete", "scope": "all", "query": filters.query()}
    )

    assert answer.status_code == 302  # nobody matches
    saved = browse(mia).post("/app/leads/views/", {"name": "Long", "query": filters.query()})
    assert saved.status_code == 302
    kept = SavedView.objects.get().query
    assert len(kept) <= 1000
    assert LeadFilters(QueryDict(kept), client=acme).query() == filters.query()


@pytest.mark.parametrize(
    ("query", "sentence"),
    [("q=" + "x" * 5000, "too long to be kept"), ("q=" + "x" * 101, "be read, so it isn")],
)
def test_changes_nobody_if_the_filter_would_be_left_out(browse, mia, acme, query, sentence):
    LeadFactory.create_batch(2, client=acme)
    data = {"kind": "delete", "scope": "all", "query": query, "confirmed": "1"}

    answer = browse(mia).post("/app/leads/change/", data, follow=True)

    assert sentence in answer.text
    assert not LeadOperation.objects.exists()


def test_keeps_no_view_of_a_filter_that_is_too_long(browse, mia, acme):
    data = {"name": "Long", "query": "q=" + "x" * 5000}

    answer = browse(mia).post("/app/leads/views/", data, follow=True)

    assert "The filter is too long to be kept" in answer.text
    assert not SavedView.objects.exists()
