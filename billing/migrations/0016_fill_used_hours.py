"""Adds up what clients used in the latest days, for what is counted from now on."""

from __future__ import annotations

from datetime import UTC, timedelta

from django.db import migrations
from django.db.models import Sum
from django.db.models.functions import TruncHour
from django.utils import timezone

DAYS = timedelta(days=8)


def fill_hours(apps, schema_editor):
    UsedHour = apps.get_model("billing", "UsedHour")
    lines = apps.get_model("billing", "Transaction").objects.filter(
        type="consume", created_at__gte=timezone.now() - DAYS
    )
    per_hour = lines.annotate(hour=TruncHour("created_at", tzinfo=UTC)).order_by()
    for row in per_hour.values("client_id", "hour").annotate(total=Sum("seconds")):
        UsedHour.objects.update_or_create(
            client_id=row["client_id"], hour_at=row["hour"], defaults={"seconds": row["total"]}
        )


class Migration(migrations.Migration):
    """Safe to run again. What older code bills meanwhile is missing from a forecast for a day."""

    dependencies = [("billing", "0015_used_hours")]

    operations = [migrations.RunPython(fill_hours, migrations.RunPython.noop, elidable=True)]
