"""Puts the end of a lease before the status in its index, so that nobody goes by the status through a whole line."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0009_missed_disclosures")]

    operations = [
        migrations.RemoveIndex("enrolment", "enrolment_lost"),
        migrations.AddIndex(
            "enrolment",
            models.Index(fields=["lease_until", "status"], name="enrolment_lost"),
        ),
    ]
