from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ("campaigns", "0012_held_new_leads"),
    ]

    operations = [
        migrations.AddField(
            model_name="campaignversion",
            name="variable_rules",
            field=models.JSONField(blank=True, null=True),
        ),
    ]
