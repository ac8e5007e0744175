"""Tells of each statement what was reserved and owed beside what was available; papers get digests."""

from __future__ import annotations

from django.db import migrations, models
from django.db.models import Sum

ACCOUNTS = ("available", "reserved", "debt")


def moved(lines):
    found = lines.order_by().aggregate(*(Sum(f"{name}_delta") for name in ACCOUNTS))
    return {name: found[f"{name}_delta__sum"] or 0 for name in ACCOUNTS}


def tell_credit(apps, schema_editor):
    """Their CSVs and digests stay as they are."""
    transactions = apps.get_model("billing", "Transaction").objects
    statements = apps.get_model("billing", "Statement").objects
    for statement in statements.filter(status="done").order_by("month"):
        mine = transactions.filter(client_id=statement.client_id)
        within = mine.filter(seq__gte=statement.first_seq, seq__lte=statement.last_seq)
        opening = moved(mine.filter(seq__lt=statement.first_seq))
        month = moved(within)
        for name in ("reserved", "debt"):
            setattr(statement, f"opening_{name}_seconds", opening[name])
            setattr(statement, f"closing_{name}_seconds", opening[name] + month[name])
        for kind, sums in statement.totals.items():
            if ":" not in kind:  # calls that cost nothing have no line
                found = moved(within.filter(type=kind))
                sums.update({f"{name}_seconds": found[name] for name in ACCOUNTS})
        statement.save()


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_reservation_charges")]

    operations = [
        *(
            migrations.AddField("statement", name, models.BigIntegerField(default=0))
            for name in (
                "opening_reserved_seconds",
                "closing_reserved_seconds",
                "opening_debt_seconds",
                "closing_debt_seconds",
            )
        ),
        migrations.AddField("statement", "lists_free_calls", models.BooleanField(default=False)),
        *(
            migrations.AddField(
                model_name=name,
                name="pdf_digest",
                field=models.CharField(blank=True, db_index=True, max_length=64, default=""),
                preserve_default=False,
            )
            for name in ("invoice", "statement")
        ),
        migrations.RunPython(tell_credit, migrations.RunPython.noop),
    ]
