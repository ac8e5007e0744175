"""Writes the marks of a lead's time zones into what the search box looks in."""

from __future__ import annotations

from zlib import crc32

from django.db import migrations

CHUNK = 200


def add_marks(apps, schema_editor):
    Lead = apps.get_model("leads", "Lead")
    last = None
    while True:
        rows = Lead.objects.order_by("pk")
        rows = list((rows.filter(pk__gt=last) if last else rows)[:CHUNK])
        if not rows:
            return
        for lead in rows:
            zones = [lead.time_zone] if lead.time_zone else lead.zone_candidates
            marks = [f"~{crc32(zone.encode()):08x} " for zone in zones]
            new = "".join(mark for mark in marks if mark not in lead.search_text)
            lead.search_text = f"{lead.search_text.rstrip()} {new}"[:1200]
        Lead.objects.bulk_update(rows, ["search_text"])
        last = rows[-1].pk


class Migration(migrations.Migration):
    """In batches, and safe to run again."""

    dependencies = [("leads", "0002_lead_table_and_score")]

    operations = [migrations.RunPython(add_marks, migrations.RunPython.noop, elidable=True)]
