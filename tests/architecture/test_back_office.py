"""The back office shows every table: each list and row opens in few queries, and no secret is in it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection, models
from django.test.utils import CaptureQueriesContext

from accounts.models import Client, User
from convomono.lib.back_office import ReadOnlyAdmin
from convomono.lib.ids import uuid7
from tests.architecture.source import ROOMS
from tests.factories.accounts import NOW, ClientFactory, UserFactory

# A spreadsheet or a change to many leads has up to a million of them, told by their owner's index: its
# page on the portal counts, filters and pages through them, and a list over all clients could not.
IN_NO_ADMIN = {
    *("leads.LeadImportRow", "leads.LeadImportChange", "leads.LeadOperationRow"),
    "leads.MarkSet",  # an index, and nothing besides
}

NEVER_SHOWN = {
    "accounts.ApiKey": ["secret_hash"],
    "campaigns.LaunchRequest": ["fingerprint", "live_key"],
    "leads.AgencyListing": ["stored_name"],
    "leads.Erasure": ["number_hash"],
    "leads.LeadImport": ["stored_name"],
    "leads.LeadOperation": ["stored_name"],
    "leads.LeadRequest": ["body_hash"],
    "webhooks.Endpoint": ["secret", "previous_secret"],
}


class Rows:
    """Makes the least row of any model, with every parent there may be: one of each model a number."""

    def __init__(self):
        self.made = {}

    def __call__(self, model, number):
        made = self.made.setdefault((model, number), None)
        if made is None:
            made = self.made[model, number] = self._make(model, number)
        return made

    def _make(self, model, number):
        if model is Client:
            return ClientFactory.create(name=f"Client {number}")
        if model is User:
            return UserFactory.create(email=f"person{number}@there.test")
        row = model(
            **{f.name: self._value(f, number) for f in model._meta.local_fields if wants(f)}
        )
        model._base_manager.bulk_create([row])  # past what refuses a change, which this is not
        return row

    def _value(self, field, number):
        if field.is_relation:
            return self(field.related_model, number)
        if field.choices and not field.unique:
            return field.choices[0][0]
        plain = {
            models.DateTimeField: NOW - timedelta(hours=number),
            models.DateField: NOW.date() - timedelta(days=number),
            models.UUIDField: uuid7(),
            models.BooleanField: False,
            models.IntegerField: number if field.unique else 0,
        }
        for kind, value in plain.items():  # in this order: a DateTimeField is a DateField
            if isinstance(field, kind):
                return value
        if field.name.endswith("number"):
            return f"+1212555{number:04}"
        return f"{field.name}-{number}"[-(field.max_length or 99) :]


def wants(field):
    """Tell whether a row needs a value of ours; a parent that may be empty counts, a grandparent of itself not."""
    if field.primary_key and not field.is_relation:
        return False
    if field.is_relation:
        return field.related_model is not field.model
    return field.unique or (not field.has_default() and not field.null) or is_hidden(field)


def is_hidden(field):
    return field.name in NEVER_SHOWN.get(field.model._meta.label, ())


def ours(room):
    return list(apps.get_app_config(room).get_models())


def shown(room):
    """Return the tables of a room that are only read in the back office; others have tests of their own."""
    every = admin.site._registry
    return [model for model in ours(room) if isinstance(every.get(model), ReadOnlyAdmin)]


def inlines():
    return [inline for one in admin.site._registry.values() for inline in one.inlines]


def test_has_every_model():
    beside = {inline.model for inline in inlines()}
    missing = {
        model._meta.label
        for room in ROOMS
        for model in ours(room)
        if model not in admin.site._registry and model not in beside
    }

    assert missing == IN_NO_ADMIN


def test_can_search_every_table_and_orders_it():
    lacking = [
        model._meta.label
        for room in ROOMS
        for model in shown(room)
        if not admin.site._registry[model].ordering
    ]

    assert set(lacking) <= {"campaigns.DispatcherLease"}  # it has one row


def test_heads_every_table_by_a_word_that_there_is(browse, root):
    titles = {str(model._meta.verbose_name_plural) for model in admin.site._registry}
    titles |= {
        str(one.verbose_name_plural or one.model._meta.verbose_name_plural) for one in inlines()
    }

    assert [title for title in titles if re.search(r"ss$|[^aeiou]ys$", title)] == []
    index = browse(root).get("/admin/").text.lower()
    for word in ("billing", "campaigns", "leads", "webhooks", "client limits", "invoice series"):
        assert word in index


def check_pages_of(room, browser):
    rows = Rows()
    for model in shown(room):
        address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
        row = rows(model, 1)
        browser.get(address)  # what is asked for once in a process
        with CaptureQueriesContext(connection) as few:
            assert browser.get(address).status_code == 200, address
        for number in range(2, 5):
            rows(model, number)
        with CaptureQueriesContext(connection) as many:
            page = browser.get(address)
        assert page.context["cl"].result_count == 4, address
        assert len(many) <= len(few), (address, [one["sql"] for one in many])

        detail = browser.get(f"{address}{row.pk}/change/")
        assert detail.status_code == 200, address
        for name in NEVER_SHOWN.get(model._meta.label, ()):
            value = str(getattr(row, name))
            assert value and value not in page.text + detail.text, (address, name)
        assert browser.get(address, {"q": "x"}).status_code == 200, address
        assert browser.post(f"{address}{row.pk}/delete/", {"post": "yes"}).status_code == 403
        assert browser.get(f"{address}add/").status_code == 403


# One test a room, not a table of rooms: on MongoDB's test server only some cases of a table are tried.


def test_shows_the_tables_of_accounts(browse, root):
    check_pages_of("accounts", browse(root))


def test_shows_the_tables_of_leads(browse, root):
    check_pages_of("leads", browse(root))


def test_shows_the_tables_of_telephony(browse, root):
    check_pages_of("telephony", browse(root))


def test_shows_the_tables_of_billing(browse, root):
    check_pages_of("billing", browse(root))


def test_shows_the_tables_of_campaigns(browse, root):
    check_pages_of("campaigns", browse(root))


def test_shows_the_tables_of_reporting(browse, root):
    check_pages_of("reporting", browse(root))


def test_shows_the_tables_of_webhooks(browse, root):
    check_pages_of("webhooks", browse(root))


@pytest.mark.parametrize(
    ("right", "opens"),
    [
        ("manage_campaigns", "campaigns/experiment leads/leadoperation telephony/recording"),
        ("manage_phone_numbers", "telephony/numberday telephony/numberlease"),
        ("manage_billing", "billing/invoice billing/difference"),
        ("view_finance", "billing/statement billing/creditrequest"),
        ("", ""),
    ],
)
def test_opens_to_whoever_looks_after_it(browse, bob, right, opens):
    every = (
        "accounts/apikey accounts/actingsession billing/invoice billing/difference "
        "billing/statement billing/creditrequest campaigns/experiment leads/leadoperation "
        "telephony/recording telephony/numberday telephony/numberlease webhooks/endpoint"
    )
    if right:
        setattr(bob, right, True)
        bob.save()
    browser = browse(bob)

    answers = {name: browser.get(f"/admin/{name}/").status_code for name in every.split()}

    for name in opens.split():
        assert answers.pop(name) == 200, name
    if right not in {"manage_billing", "view_finance"}:
        assert answers.pop("billing/invoice") == 403
    for name in ("accounts/apikey", "accounts/actingsession", "webhooks/endpoint"):
        assert answers[name] == 403, name
