"""Let SQLite itself refuse to change or delete a line of the ledger."""

from __future__ import annotations

from django.db import migrations

from billing.triggers import migrate, revert


class Migration(migrations.Migration):
    dependencies = [("billing", "0001_initial")]
    operations = [migrations.RunPython(migrate, revert)]
