"""Tells a launch of new leads that was refused from one for which nobody waited."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0004_attempt_ended")]

    operations = [
        migrations.AddField("topup", "was_refused", models.BooleanField(default=False)),
    ]
