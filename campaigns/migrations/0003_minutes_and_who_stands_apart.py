"""Launches know their reservation, and who stands apart from a line is found without reading the line."""

from __future__ import annotations

from datetime import UTC, datetime

from django.db import migrations, models

EVER = datetime(2000, 1, 1, tzinfo=UTC)


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0004_reservation_charges"),
        ("campaigns", "0002_wake_asked_at"),
    ]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[  # a join: the table stays as it is
                migrations.AddField(
                    "batchcall",
                    "reservation",
                    models.ForeignObject(
                        from_fields=["id"],
                        null=True,
                        on_delete=models.deletion.DO_NOTHING,
                        related_name="+",
                        to="billing.reservation",
                        to_fields=["batch_call_id"],
                    ),
                ),
            ]
        ),
        migrations.AddIndex(
            "enrolment",
            models.Index(
                condition=models.Q(("held_at__gt", EVER)),
                fields=["batch_call", "status", "held_at"],
                name="enrolment_held",
            ),
        ),
        migrations.AddIndex(
            "enrolment",
            models.Index(
                condition=models.Q(("removed_at__gt", EVER)),
                fields=["batch_call", "status", "removed_at"],
                name="enrolment_removed",
            ),
        ),
    ]
