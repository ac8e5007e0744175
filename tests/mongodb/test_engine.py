"""What our engine adds to django-mongodb-backend: integer keys, joined deletes, refused updates."""

from __future__ import annotations

from typing import Any

import pytest
from bson import Int64
from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.db import NotSupportedError, connection
from django.db.models import Exists, F, OuterRef
from django.utils.timezone import now as real_now

from accounts.models import Client, User
from billing.models import Wallet
from tests.factories.accounts import ClientFactory, UserFactory
from tests.factories.billing import open_wallet

pytestmark = [pytest.mark.django_db, pytest.mark.mongodb_only("the engine of MongoDB itself")]


def collection(name: str) -> Any:
    return connection.get_collection(name)  # type: ignore[attr-defined]  # MongoDB's wrapper has it


def content_type(number, **given):
    return ContentType(app_label=f"app{number}", model="thing", **given)


def test_gives_third_party_rows_growing_integers():
    first = ContentType.objects.create(app_label="one", model="thing")
    rows = ContentType.objects.bulk_create([content_type(2), content_type(3)])

    assert [row.pk for row in rows] == [first.pk + 1, first.pk + 2]
    stored = collection("django_content_type").find_one({"_id": first.pk})
    assert stored["_id"] == first.pk and isinstance(stored["_id"], int)
    ContentType.objects.filter(model="thing").delete()


def test_never_hands_out_a_number_that_a_fixture_brought_along():
    last = ContentType.objects.create(app_label="one", model="thing").pk
    ContentType.objects.bulk_create([content_type(2, pk=last + 50)])

    assert ContentType.objects.create(app_label="three", model="thing").pk > last + 50
    ContentType.objects.filter(model="thing").delete()


def test_counts_each_number_once_when_many_insert_at_a_time():
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as pool:
        rows = list(
            pool.map(
                lambda number: ContentType.objects.create(app_label=f"a{number}", model="thing"),
                range(24),
            )
        )

    assert len({row.pk for row in rows}) == 24
    ContentType.objects.filter(model="thing").delete()


def test_keeps_integers_beyond_what_a_float_holds(acme):
    wallet = open_wallet(acme)
    Wallet.objects.filter(pk=wallet.pk).update(available_seconds=2**60 + 1)

    Wallet.objects.filter(pk=wallet.pk).update(available_seconds=F("available_seconds") + 1)

    assert Wallet.objects.get(pk=wallet.pk).available_seconds == 2**60 + 2
    raw = collection("billing_wallet").find_one({"_id": wallet.pk.hex})
    assert isinstance(raw["available_seconds"], Int64 | int)


def test_stores_our_keys_as_mongodbs_own(acme):
    document = collection("accounts_client").find_one({"_id": acme.pk.hex})

    assert document["name"] == "Acme Dental" and "id" not in document


def test_deletes_by_a_joined_filter(acme, rival):
    UserFactory.create(email="a@acme.test", client=acme, client_role="owner")
    kept = UserFactory.create(email="r@rival.test", client=rival, client_role="owner")

    count, _ = User.objects.filter(client__name="Acme Dental").delete()

    assert count == 1
    assert list(User.objects.all()) == [kept]


@pytest.mark.parametrize("wraps", [Exists, lambda query: ~Exists(query)], ids=["in", "not-in"])
def test_refuses_an_update_with_a_subquery(acme, rival, wraps):
    """Upstream forgets the $lookup: one of the two changes every row, the other none."""
    UserFactory.create(email="a@acme.test", client=acme, client_role="owner")
    rows = Client.objects.filter(wraps(User.objects.filter(client=OuterRef("pk"))))
    assert rows.count() == 1  # reading is right

    with pytest.raises(NotSupportedError, match="select the keys first"):
        rows.update(note="changed")

    assert not Client.objects.filter(note="changed").exists()


def test_repeats_the_guard_of_an_update():
    client = ClientFactory.create(name="Third")
    wallet = open_wallet(client, seconds=100)
    rows = Wallet.objects.filter(pk=wallet.pk, available_seconds__gte=60)

    assert [rows.update(available_seconds=F("available_seconds") - 60) for _ in range(2)] == [1, 0]


def test_needs_no_further_migration():
    call_command("makemigrations", check=True, dry_run=True, verbosity=0)


def test_ran_the_stock_migrations_of_every_app():
    recorded = collection("django_migrations").distinct("app")

    with_migrations = {
        config.label
        for config in apps.get_app_configs()
        if config.models_module and any(True for _ in config.get_models())
    }
    assert with_migrations - {"authtoken"} <= set(recorded)


def test_keeps_third_party_rows_apart_from_ours():
    session = Session.objects.create(session_key="k" * 32, session_data="x", expire_date=real_now())

    assert Session.objects.get(pk=session.pk).session_data == "x"
