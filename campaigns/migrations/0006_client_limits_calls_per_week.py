"""Lets a client limit the calls to a person within seven days."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0005_top_up_was_refused")]

    operations = [
        migrations.AddField(
            "clientlimits", "calls_per_week", models.PositiveIntegerField(default=0)
        ),
    ]
