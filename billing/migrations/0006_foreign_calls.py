"""Says of a difference that it is no call of ours."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("billing", "0005_statement_credit")]

    operations = [
        migrations.AddField("difference", "is_foreign", models.BooleanField(default=False)),
    ]
