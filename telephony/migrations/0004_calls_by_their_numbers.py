"""Finds the calls from and to a number: whoever is erased leaves those that no lead is known of as well."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("telephony", "0003_transfers_and_first_words")]

    operations = [
        migrations.AddIndex(
            "call", models.Index(fields=["client", "from_number"], name="call_by_caller")
        ),
        migrations.AddIndex(
            "call", models.Index(fields=["client", "to_number"], name="call_by_called")
        ),
    ]
