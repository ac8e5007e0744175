"""Takes copies of leads' own fields out of the lines that go on, so that a corrected name is said."""

from django.db import migrations

SLICE = 200
GOING_ON = ("queued", "dialling", "in_call")


def fields_of(lead):
    return {
        "first_name": lead.first_name,
        "last_name": lead.last_name,
        "full_name": f"{lead.first_name} {lead.last_name}".strip(),
        "company": lead.company,
        "email": lead.email,
        "phone_number": lead.phone_number,
    }


def drop_copies(apps, schema_editor):
    enrolments = apps.get_model("campaigns", "Enrolment").objects
    leads = apps.get_model("leads", "Lead").objects
    rows = enrolments.filter(status__in=GOING_ON).only("pk", "lead_id", "dynamic_vars")
    last = None
    while part := list((rows.filter(pk__gt=last) if last else rows).order_by("pk")[:SLICE]):
        last = part[-1].pk
        known = leads.in_bulk([row.lead_id for row in part])
        for row in part:
            own = fields_of(known[row.lead_id]) if row.lead_id in known else {}
            # What differs may be a column of the campaign's own file, and stays.
            given = {name: one for name, one in row.dynamic_vars.items() if own.get(name) != one}
            if given != row.dynamic_vars:
                enrolments.filter(pk=row.pk).update(dynamic_vars=given)


class Migration(migrations.Migration):
    dependencies = [
        ("campaigns", "0026_follow_ups_by_lead"),
        ("leads", "0015_notes_by_lead"),
    ]

    operations = [migrations.RunPython(drop_copies, migrations.RunPython.noop)]
