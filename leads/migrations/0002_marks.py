"""Finds the leads of a rare tag or zone by an index: which combinations there are, and which lead has which."""

from __future__ import annotations

import django.db.models.deletion
from django.db import migrations, models

from convomono.lib.ids import uuid7
from leads.models.people import key_of, marks_of

AT_ONCE = 500


def note_marks(apps, schema_editor):
    leads, sets = (apps.get_model("leads", name).objects for name in ("Lead", "MarkSet"))
    known = set()
    keys = list(leads.order_by("pk").values_list("pk", flat=True))
    for start in range(0, len(keys), AT_ONCE):
        by_key = {}
        some = leads.filter(pk__in=keys[start : start + AT_ONCE])
        columns = ("pk", "client_id", "tags", "time_zone", "zone_candidates")
        for pk, client_id, tags, zone, candidates in some.values_list(*columns):
            marks = marks_of(tags, [zone] if zone else candidates)
            if marks:
                by_key.setdefault((client_id, key_of(marks), marks), []).append(pk)
        for (client_id, key, marks), pks in by_key.items():
            leads.filter(pk__in=pks).update(marks_key=key)
            if (client_id, key) not in known:
                sets.create(id=uuid7(), client_id=client_id, key=key, marks=marks)
                known.add((client_id, key))


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial"), ("leads", "0001_initial")]

    operations = [
        migrations.AddField(
            "lead", "marks_key", models.CharField(blank=True, max_length=16)
        ),
        migrations.CreateModel(
            "MarkSet",
            [
                (
                    "id",
                    models.UUIDField(
                        db_column="_id",
                        default=uuid7,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("key", models.CharField(max_length=16)),
                ("marks", models.CharField(max_length=2400)),
                (
                    "client",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="accounts.client",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            "markset", models.UniqueConstraint(fields=("client", "key"), name="mark_set_once")
        ),
        migrations.RunPython(note_marks, migrations.RunPython.noop),
        migrations.AddIndex(
            "lead", models.Index(fields=["client", "marks_key", "id"], name="lead_by_marks")
        ),
    ]
