"""Puts the key at the end of the index that the line is read by: leads that are due at one instant need no sorting."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0007_rules_on_answers")]

    operations = [
        migrations.RemoveIndex("enrolment", "enrolment_due_first"),
        migrations.AddIndex(
            "enrolment",
            models.Index(
                fields=["batch_call", "status", "next_attempt_at", "-priority", "id"],
                name="enrolment_due_first",
            ),
        ),
    ]
