"""The indexes of leads ascend: what comes last is appended, where descending pages stayed half empty."""

from __future__ import annotations

from django.db import migrations, models

FIELDS = {
    "lead_scan": [
        *("client", "created_at", "id", "status", "consent_status"),
        *("last_outcome", "attempts_count", "score", "search_text"),
    ],
    "lead_by_score": ["client", "score", "created_at", "id"],
    "lead_by_last_call": ["client", "last_attempted_at", "id"],
    "lead_by_attempts": ["client", "attempts_count", "id"],
    "lead_by_status": ["client", "status", "created_at", "id"],
    "lead_by_consent": ["client", "consent_status", "created_at", "id", "status"],
    "lead_by_outcome": ["client", "last_outcome", "created_at", "id"],
}


class Migration(migrations.Migration):
    dependencies = [("leads", "0004_whose_consent")]

    operations = [
        operation
        for name, fields in FIELDS.items()
        for operation in (
            migrations.RemoveIndex("lead", name),
            migrations.AddIndex("lead", models.Index(fields=fields, name=name)),
        )
    ]
