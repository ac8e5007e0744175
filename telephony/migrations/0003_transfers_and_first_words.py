"""Keeps of each call when the agent spoke first, and what became of a transfer."""

from __future__ import annotations

from itertools import batched

from django.db import migrations, models

from telephony.first_words import agent_first_word_ms
from telephony.transfers import REASONS

CHUNK = 500


def read_first_words(apps, schema_editor):
    calls = apps.get_model("telephony", "Call").objects
    details = apps.get_model("telephony", "CallDetail").objects
    keys = details.order_by("pk").values_list("pk", flat=True)
    for some in batched(list(keys), CHUNK):
        for call_id, turns in details.filter(pk__in=some).values_list("call_id", "transcript_object"):
            first = agent_first_word_ms(turns) if isinstance(turns, list) else None
            if first is not None:
                calls.filter(pk=call_id).update(agent_first_word_ms=first)


def read_transfers(apps, schema_editor):
    calls = apps.get_model("telephony", "Call").objects
    for reason, status in REASONS.items():
        calls.filter(disconnection_reason=reason).update(transfer_status=status)


class Migration(migrations.Migration):
    dependencies = [("telephony", "0002_product_costs")]

    operations = [
        migrations.AddField(
            "call", "agent_first_word_ms", models.PositiveIntegerField(blank=True, null=True)
        ),
        migrations.AddField(
            "call",
            "transfer_status",
            models.CharField(
                blank=True,
                choices=[
                    ("started", "Begun"),
                    ("cancelled", "Nobody took it"),
                    ("bridged", "Handed over"),
                ],
                default="",
                max_length=9,
            ),
        ),
        migrations.AddField(
            "call",
            "transfer_destination",
            models.CharField(blank=True, default="", max_length=200),
        ),
        migrations.RunPython(read_first_words, migrations.RunPython.noop),
        migrations.RunPython(read_transfers, migrations.RunPython.noop),
    ]
