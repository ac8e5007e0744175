from django.db import migrations


class Migration(migrations.Migration):
    """Bring two branches together; changes nothing."""

    dependencies = [
        ("campaigns", "0009_dial_gates_and_line"),
        ("campaigns", "0009_experiments"),
    ]

    operations = []
