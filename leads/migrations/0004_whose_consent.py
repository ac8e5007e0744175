"""A consent names whom it was given to, and the address that it came from."""

from __future__ import annotations

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("leads", "0003_exact_tags")]

    operations = [
        migrations.AddField("consent", "seller", models.CharField(blank=True, max_length=200)),
        migrations.AddField("consent", "given_from", models.CharField(blank=True, max_length=45)),
    ]
