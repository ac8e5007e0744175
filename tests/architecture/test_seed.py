"""Every table and field that the product was asked for, by its asked name, and where it is kept."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.core.exceptions import FieldDoesNotExist

from accounts.models import Client, User
from audit.models import AuditLog
from billing.models import Transaction
from campaigns.models import BatchCall, Campaign, Enrolment
from leads.models import Lead
from reporting.models import Report
from telephony.models import Call, CallDetail, PhoneNumber, VoiceAgent
from webhooks.models import WebhookEvent

GLOSSARY = Path(__file__).resolve().parents[2] / "docs" / "glossary.md"
# The asked name: the model that has it and its name there. Without a third word it is the same name.
ASKED = {
    "campaigns": (
        (Campaign, "campaignId", "pk"),
        (Campaign, "clientId", "client_id"),
        (Campaign, "name"),
        (Campaign, "script_raw"),
        (Campaign, "kb_files_meta"),
        (Campaign, "voice_id"),
        (Campaign, "settings"),
        (Campaign, "status"),
        (VoiceAgent, "agent_id", "provider_agent_id"),
        (Campaign, "knowledge_base_id"),
        (Campaign, "published_version"),
    ),
    "leads": (
        (Lead, "leadId", "pk"),
        (Enrolment, "campaignId", "campaign_id"),
        (Lead, "clientId", "client_id"),
        (Lead, "phone_number"),
        (Enrolment, "dynamic_vars"),
        (Lead, "status"),
        (Lead, "last_attempted_at"),
        (Lead, "last_call_id"),
    ),
    "phone_numbers": (
        (PhoneNumber, "phone_number"),
        (PhoneNumber, "provider"),
        (PhoneNumber, "assigned_client_id"),
        (PhoneNumber, "type"),
        (PhoneNumber, "imported"),
        (PhoneNumber, "is_active"),
    ),
    "batch_calls": (
        (BatchCall, "batch_id", "pk"),
        (BatchCall, "campaign_id"),
        (BatchCall, "client_id"),
        (BatchCall, "tasks_count"),
        (BatchCall, "scheduled_ts", "scheduled_at"),
        (BatchCall, "status"),
    ),
    "calls": (
        (Call, "call_id", "provider_call_id"),
        (Call, "campaign_id"),
        (Call, "lead_id"),
        (Call, "agent_id"),
        (Call, "from", "from_number"),
        (Call, "to", "to_number"),
        (Call, "start_ts", "started_at"),
        (Call, "end_ts", "ended_at"),
        (Call, "duration_seconds"),
        (CallDetail, "call_cost"),
        (Call, "retell_cost", "retell_cost_micros"),
        (Call, "client_cost", "client_cost_micros"),
        (CallDetail, "transcript"),
        (CallDetail, "call_analysis"),
        (Call, "status"),
    ),
    "transactions": (
        (Transaction, "tx_id", "pk"),
        (Transaction, "client_id"),
        (Transaction, "campaign_id"),
        (Transaction, "call_id"),
        (Transaction, "type"),
        (Transaction, "minutes"),
        (Transaction, "amount_usd"),
        (Transaction, "reference_id"),
        (Transaction, "status"),
        (Transaction, "created_at"),
    ),
    "webhook_events": (
        (WebhookEvent, "event_id", "pk"),
        (WebhookEvent, "event_type"),
        (WebhookEvent, "payload"),
        (WebhookEvent, "processed"),
        (WebhookEvent, "created_at"),
    ),
    "reports": (
        (Report, "report_id", "pk"),
        (Report, "campaign_id"),
        (Report, "client_id"),
        (Report, "metrics"),
        (Report, "generated_at"),
    ),
    "audit_logs": (
        (AuditLog, "log_id", "pk"),
        (AuditLog, "user_id"),
        (AuditLog, "user_type"),
        (AuditLog, "action"),
        (AuditLog, "resource"),
        (AuditLog, "details"),
        (AuditLog, "created_at"),
    ),
    "clients": (
        (Client, "credits_total_minutes"),
        (Client, "credits_reserved_minutes"),
        (Client, "credits_consumed_minutes"),
        (Client, "billing_rate"),
    ),
    "admins": ((User, "manage_campaigns"), (User, "manage_phone_numbers")),
}
EACH = [(table, *asked) for table, fields in ASKED.items() for asked in fields]


@pytest.mark.parametrize(
    ("model", "name"), [(model, rest[-1]) for _table, model, *rest in EACH], ids=str
)
def test_keeps_what_was_asked_for(model, name):
    if name == "pk":
        return
    try:
        model._meta.get_field(name)
    except FieldDoesNotExist:
        assert hasattr(model, name)


def test_knows_the_asked_kinds_of_transactions():
    assert {"purchase", "reserve", "consume", "refund"} <= set(Transaction.Type.values)


@pytest.mark.parametrize("table", ASKED)
def test_says_where_each_name_is(table):
    """The glossary's second table: whoever knows the asked names finds ours."""
    row = re.search(rf"^\| `{table}` \|(.*)$", GLOSSARY.read_text(), re.MULTILINE)
    assert row is not None, table
    told = set(re.findall(r"`(\w+)`", row[1]))
    for model, asked, *ours in ASKED[table]:
        assert asked in told
        if ours and ours[0] != "pk":
            assert ours[0] in told, f"{model.__name__}.{ours[0]}"
