from django.db import migrations

CHUNK = 200


def name_families(apps, schema_editor):
    """Let each knowledge base that is there be the first version of its own family."""
    bases = apps.get_model("campaigns", "KnowledgeBase")
    while keys := list(bases.objects.filter(family_id=None).values_list("pk", flat=True)[:CHUNK]):
        for key in keys:
            bases.objects.filter(pk=key, family_id=None).update(family_id=key)


class Migration(migrations.Migration):
    dependencies = [("campaigns", "0005_knowledge_versions")]

    operations = [migrations.RunPython(name_families, migrations.RunPython.noop)]
