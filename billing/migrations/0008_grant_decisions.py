"""One decision on a grant to many clients, in place of one for each client."""

from __future__ import annotations

from django.db import migrations, models


def wait(apps, schema_editor):
    """What had not been asked for client by client waits as a whole."""
    runs = apps.get_model("billing", "GrantRun").objects
    runs.filter(status="queued", needs_approval=True).update(status="waiting")


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_told_differences")]

    operations = [
        migrations.AlterField(
            "grantrun",
            "status",
            models.CharField(
                choices=[
                    ("waiting", "Waiting"),
                    ("queued", "Being given"),
                    ("done", "Done"),
                    ("refused", "Refused"),
                ],
                default="queued",
                max_length=8,
            ),
        ),
        migrations.AddField("grantrun", "decided_by_id", models.UUIDField(blank=True, null=True)),
        migrations.AddField(
            model_name="grantrun",
            name="decided_by_email",
            field=models.CharField(blank=True, max_length=254, default=""),
            preserve_default=False,
        ),
        migrations.AddField("grantrun", "decided_at", models.DateTimeField(blank=True, null=True)),
        migrations.RunPython(wait, migrations.RunPython.noop),
    ]
