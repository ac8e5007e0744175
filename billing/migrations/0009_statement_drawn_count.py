"""Keeps how far the PDF of a long statement is while a worker draws it."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0008_grant_decisions")]

    operations = [
        migrations.AddField(
            "statement", "drawn_count", models.PositiveIntegerField(blank=True, null=True)
        ),
    ]
