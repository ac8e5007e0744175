"""Keeps what each product of a call cost, in micros."""

from __future__ import annotations

from itertools import batched

from django.db import migrations, models

from telephony.provider_costs import product_costs

CHUNK = 500


def split_costs(apps, schema_editor):
    details = apps.get_model("telephony", "CallDetail").objects
    keys = details.order_by("pk").values_list("pk", flat=True)
    for some in batched(list(keys), CHUNK):
        for pk, cost in list(details.filter(pk__in=some).values_list("pk", "call_cost")):
            if isinstance(cost, dict) and cost:
                details.filter(pk=pk).update(product_costs=product_costs(cost))


class Migration(migrations.Migration):
    dependencies = [("telephony", "0001_initial")]

    operations = [
        migrations.AddField("calldetail", "product_costs", models.JSONField(default=list)),
        migrations.RunPython(split_costs, migrations.RunPython.noop),
    ]
