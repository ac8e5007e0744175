"""Counts the conversions of the launches that are there."""

from django.db import migrations

SLICE = 200


def fill(apps, schema_editor):
    batch_calls = apps.get_model("campaigns", "BatchCall").objects
    enrolments = apps.get_model("campaigns", "Enrolment").objects
    last = None
    rows = batch_calls.order_by("pk").values_list("pk", flat=True)
    while keys := list((rows.filter(pk__gt=last) if last else rows)[:SLICE]):
        last = keys[-1]
        for key in keys:
            converted = enrolments.filter(batch_call_id=key, is_converted=True).count()
            if converted:
                batch_calls.filter(pk=key).update(converted_count=converted)


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0019_conversion_counts")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
