"""Writes the marks of time zones in letters that no search for digits meets."""

from __future__ import annotations

from zlib import crc32

from django.db import migrations, models

CHUNK = 200


def change_marks(apps, schema_editor):
    Lead = apps.get_model("leads", "Lead")
    last = None
    while True:
        rows = Lead.objects.filter(search_text__contains="~").order_by("pk")
        rows = list((rows.filter(pk__gt=last) if last else rows)[:CHUNK])
        if not rows:
            return
        for lead in rows:
            for zone in [lead.time_zone] if lead.time_zone else lead.zone_candidates:
                number = crc32(zone.encode())
                letters = "".join(chr(0xE000 + byte) for byte in number.to_bytes(4))
                lead.search_text = lead.search_text.replace(f"~{number:08x} ", f"~{letters} ")
        Lead.objects.bulk_update(rows, ["search_text"])
        last = rows[-1].pk


class Migration(migrations.Migration):
    """In batches, and safe to run again."""

    dependencies = [("leads", "0011_import_tries_and_scored_weights")]

    operations = [
        migrations.AlterField(
            model_name="lead",
            name="search_text",
            field=models.CharField(blank=True, max_length=2400),
        ),
        migrations.RunPython(change_marks, migrations.RunPython.noop, elidable=True),
    ]
