"""A tag's mark is found in no other tag and in no name: "vip" neither in "vip gold" nor in "Suite #vip"."""

from __future__ import annotations

from django.db import migrations

from convomono.lib.ids import uuid7
from leads.models.people import key_of, marks_of

AT_ONCE = 500
COLUMNS = ("pk", "client_id", "tags", "time_zone", "zone_candidates", "search_text")


def note_exactly(apps, schema_editor):
    leads, sets = (apps.get_model("leads", name).objects for name in ("Lead", "MarkSet"))
    known, last = set(), None
    while True:
        rows = leads.order_by("pk") if last is None else leads.order_by("pk").filter(pk__gt=last)
        some = list(rows.values_list(*COLUMNS)[:AT_ONCE])
        if not some:
            return
        last = some[-1][0]
        for pk, client_id, tags, zone, candidates, text in some:
            zones = [zone] if zone else candidates
            before = "".join(f"#{tag} ".casefold() for tag in tags) + marks_of([], zones)
            marks = marks_of(tags, zones)
            exact = marks + text.removeprefix(before).replace("#", "")
            if exact == text or not text.startswith(before):
                continue
            key = key_of(marks)
            leads.filter(pk=pk).update(search_text=exact, marks_key=key)
            if (client_id, key) not in known:
                known.add((client_id, key))
                if not sets.filter(client_id=client_id, key=key).exists():
                    sets.create(id=uuid7(), client_id=client_id, key=key, marks=marks)


class Migration(migrations.Migration):
    dependencies = [("leads", "0002_marks")]

    operations = [migrations.RunPython(note_exactly, migrations.RunPython.noop)]
