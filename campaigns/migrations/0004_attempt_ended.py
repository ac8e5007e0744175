"""Finds the calls that ended within the last hour without reading the day's."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0003_minutes_and_who_stands_apart")]

    operations = [
        migrations.AddIndex("attempt", models.Index(fields=["-ended_at"], name="attempt_ended")),
    ]
