"""Keeps of each call what the agent had to say first, and whether it did."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("telephony", "0004_calls_by_their_numbers")]

    operations = [
        migrations.AddField("call", "must_say", models.JSONField(default=dict)),
        migrations.AddField(
            "call", "disclosure", models.CharField(blank=True, default="", max_length=24)
        ),
    ]
