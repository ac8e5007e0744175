"""Adds up what the calls of each launch cost by now."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Sum


def add_up(apps, schema_editor):
    reservations = apps.get_model("billing", "Reservation").objects
    lines = apps.get_model("billing", "Transaction").objects.exclude(reservation_id=None)
    for kind, sign in (("consume", 1), ("refund", -1)):
        sums = lines.filter(type=kind).order_by().values_list("reservation_id")
        told = sums.annotate(seconds=Sum("seconds"), micros=Sum("amount_micros"))
        for reservation_id, seconds, micros in list(told):
            reservations.filter(pk=reservation_id).update(
                charged_seconds=models.F("charged_seconds") + sign * seconds,
                charged_micros=models.F("charged_micros") + sign * micros,
            )


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_sealed_lines")]

    operations = [
        migrations.AddField("reservation", "charged_seconds", models.BigIntegerField(default=0)),
        migrations.AddField("reservation", "charged_micros", models.BigIntegerField(default=0)),
        migrations.RunPython(add_up, migrations.RunPython.noop),
    ]
