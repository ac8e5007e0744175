"""Lets a rule on outcomes look at what a call's analysis says, and tell whether it was edited meanwhile."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0006_client_limits_calls_per_week")]

    operations = [
        migrations.AddField("automationrule", "conditions", models.JSONField(default=dict)),
        migrations.AddField("automationrule", "edits_count", models.PositiveIntegerField(default=0)),
    ]
