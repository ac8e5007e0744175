from django.db import migrations, models



class Migration(migrations.Migration):
    dependencies = [("campaigns", "0004_campaign_numbers_and_template")]

    operations = [
        migrations.AddField("knowledgebase", "family_id", models.UUIDField(null=True)),
        migrations.AddField("knowledgebase", "number", models.PositiveIntegerField(default=1)),
        migrations.AddField("knowledgebase", "is_shared", models.BooleanField(default=False)),
        migrations.AddField("knowledgebase", "is_current", models.BooleanField(default=True)),
        migrations.AddField("knowledgebase", "auto_refresh", models.BooleanField(default=False)),
        migrations.AddField(
            "knowledgebase", "tester_llm_id", models.CharField(blank=True, max_length=80, default="")
        ),
        migrations.AddField(
            "knowledgebase",
            "tester_agent_id",
            models.CharField(blank=True, max_length=80, default=""),
        ),
        migrations.AddField(
            "knowledgebase",
            "created_by_email",
            models.CharField(blank=True, max_length=254, default=""),
        ),
        migrations.AddField("knowledgebase", "sent_at", models.DateTimeField(blank=True, null=True)),
        migrations.AddField(
            "knowledgebase", "indexed_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            "knowledgebase", "refreshed_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            "knowledgebase", "archived_at", models.DateTimeField(blank=True, null=True)
        ),
        migrations.AddField(
            "knowledgesource", "error", models.CharField(blank=True, max_length=400, default="")
        ),
    ]
