"""Seals the lines that are there, in their order."""

from __future__ import annotations

from django.db import migrations, models

from billing.chain import seal
from billing.triggers import migrate, revert

CHUNK = 500


def seal_lines(apps, schema_editor):
    lines = apps.get_model("billing", "Transaction").objects
    for wallet in apps.get_model("billing", "Wallet").objects.all():
        before = ""
        mine = lines.filter(wallet=wallet).exclude(seq=None).order_by("seq")
        for line in mine.iterator(chunk_size=CHUNK):
            before = seal(line, before=before)
            lines.filter(pk=line.pk).update(seal=before)


class Migration(migrations.Migration):
    """The triggers make way for it and come back; sealing again gives the same seals."""

    dependencies = [("billing", "0002_fixed_lines")]

    operations = [
        migrations.RunPython(revert, migrate),
        migrations.AddField(
            model_name="transaction",
            name="seal",
            field=models.CharField(blank=True, editable=False, max_length=64, default=""),
            preserve_default=False,
        ),
        migrations.RunPython(seal_lines, migrations.RunPython.noop),
        migrations.RunPython(migrate, revert),
    ]
