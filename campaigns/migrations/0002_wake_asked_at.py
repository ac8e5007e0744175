"""Lets it stand in a row that leads are to be decided on anew, until it is done."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0001_initial")]

    operations = [
        migrations.AddField(
            "callingwindow",
            "wake_asked_at",
            models.DateTimeField(blank=True, db_index=True, null=True),
        ),
        migrations.AddField(
            "clientlimits",
            "wake_asked_at",
            models.DateTimeField(blank=True, db_index=True, null=True),
        ),
    ]
