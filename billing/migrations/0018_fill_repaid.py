"""Says of payments that were paid back as a whole how much that was."""

from __future__ import annotations

from django.db import migrations
from django.db.models import F


def fill_repaid(apps, schema_editor):
    payments = apps.get_model("billing", "Payment").objects.filter(status="refunded")
    payments.filter(repaid_seconds=0).update(
        repaid_seconds=F("seconds"), repaid_micros=F("amount_micros")
    )


class Migration(migrations.Migration):
    """Safe to run again."""

    dependencies = [("billing", "0017_repayments")]

    operations = [migrations.RunPython(fill_repaid, migrations.RunPython.noop, elidable=True)]
