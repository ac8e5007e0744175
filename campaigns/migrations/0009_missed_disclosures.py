"""Lets a campaign say after how many calls without what must be said first its script is blocked."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0008_whole_line_in_its_index")]

    operations = [
        migrations.AddField(
            "safetypolicy", "missed_disclosures", models.PositiveIntegerField(default=5)
        ),
    ]
