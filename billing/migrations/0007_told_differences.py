"""Notes when a difference was found and told of; those of before were told of when their comparison ended."""

from __future__ import annotations

from django.db import migrations, models


def note_times(apps, schema_editor):
    differences = apps.get_model("billing", "Difference").objects
    runs = apps.get_model("billing", "Reconciliation").objects.values_list("pk", "asked_at")
    for run_id, asked_at in list(runs):
        differences.filter(reconciliation_id=run_id).update(found_at=asked_at, told_at=asked_at)


class Migration(migrations.Migration):
    dependencies = [("billing", "0006_foreign_calls")]

    operations = [
        migrations.AddField(
            "difference", "found_at", models.DateTimeField(null=True, blank=True)
        ),
        migrations.AddField("difference", "told_at", models.DateTimeField(null=True, blank=True)),
        migrations.RunPython(note_times, migrations.RunPython.noop),
    ]
