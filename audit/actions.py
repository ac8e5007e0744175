"""Every action the audit log knows, each with the sentence people read."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

CLIENT_CREATED = "client.created"
CLIENT_CHANGED = "client.changed"
CLIENT_ACTIVATED = "client.activated"
CLIENT_DEACTIVATED = "client.deactivated"
USER_ADDED = "user.added"
USER_CHANGED = "user.changed"
WALLET_OPENED = "wallet.opened"
WALLET_CREDITED = "wallet.credited"
WALLET_RESERVED = "wallet.reserved"
WALLET_ADJUSTED = "wallet.adjusted"
RATE_CHANGED = "rate.changed"
CALL_REFUNDED = "call.refunded"
NUMBER_ADDED = "number.added"
NUMBER_ASSIGNED = "number.assigned"
NUMBER_RELEASED = "number.released"
LEAD_ADDED = "lead.added"
LEADS_UPLOADED = "leads.uploaded"
LEADS_EXPORTED = "leads.exported"
LEADS_IMPORT_STARTED = "leads.import_started"
LEADS_IMPORTED = "leads.imported"
LEADS_IMPORT_CANCELLED = "leads.import_cancelled"
NUMBER_SUPPRESSED = "number.suppressed"
SUPPRESSION_LIFTED = "suppression.lifted"
CAMPAIGN_CREATED = "campaign.created"
CAMPAIGN_CHANGED = "campaign.changed"
CAMPAIGN_PREPARED = "campaign.prepared"
CAMPAIGN_PUBLISHED = "campaign.published"
CAMPAIGN_DUPLICATED = "campaign.duplicated"
CAMPAIGN_ARCHIVED = "campaign.archived"
CAMPAIGN_LAUNCHED = "campaign.launched"
CAMPAIGN_PAUSED = "campaign.paused"
CAMPAIGN_RESUMED = "campaign.resumed"
CAMPAIGN_STOPPED = "campaign.stopped"
LIMITS_CHANGED = "limits.changed"
RULE_REVIEWED = "rule.reviewed"
REPORT_REQUESTED = "report.requested"
WEBHOOK_REPLAYED = "webhook.replayed"

SENTENCES = {
    CLIENT_CREATED: _("Created the client"),
    CLIENT_CHANGED: _("Changed the client"),
    CLIENT_ACTIVATED: _("Activated the client"),
    CLIENT_DEACTIVATED: _("Deactivated the client"),
    USER_ADDED: _("Added a person"),
    USER_CHANGED: _("Changed a person's rights"),
    WALLET_OPENED: _("Opened the wallet"),
    WALLET_CREDITED: _("Sold minutes"),
    WALLET_RESERVED: _("Reserved minutes for a launch"),
    WALLET_ADJUSTED: _("Adjusted the balance"),
    RATE_CHANGED: _("Changed the price"),
    CALL_REFUNDED: _("Refunded a call"),
    NUMBER_ADDED: _("Added a phone number"),
    NUMBER_ASSIGNED: _("Assigned a phone number"),
    NUMBER_RELEASED: _("Released a phone number"),
    LEAD_ADDED: _("Added a lead"),
    LEADS_UPLOADED: _("Uploaded a file of leads"),
    LEADS_EXPORTED: _("Exported leads"),
    LEADS_IMPORT_STARTED: _("Started an import"),
    LEADS_IMPORTED: _("Imported leads"),
    LEADS_IMPORT_CANCELLED: _("Cancelled an import"),
    NUMBER_SUPPRESSED: _("Put a number on the do-not-call list"),
    SUPPRESSION_LIFTED: _("Took a number off the do-not-call list"),
    CAMPAIGN_CREATED: _("Created the campaign"),
    CAMPAIGN_CHANGED: _("Changed the campaign"),
    CAMPAIGN_PREPARED: _("Asked for the campaign's agent"),
    CAMPAIGN_PUBLISHED: _("Published a version"),
    CAMPAIGN_DUPLICATED: _("Duplicated the campaign"),
    CAMPAIGN_ARCHIVED: _("Archived the campaign"),
    CAMPAIGN_LAUNCHED: _("Launched the campaign"),
    CAMPAIGN_PAUSED: _("Paused the campaign"),
    CAMPAIGN_RESUMED: _("Resumed the campaign"),
    CAMPAIGN_STOPPED: _("Stopped the campaign"),
    LIMITS_CHANGED: _("Changed the account's own calling limits"),
    RULE_REVIEWED: _("Marked a calling rule as reviewed"),
    REPORT_REQUESTED: _("Asked for a report"),
    WEBHOOK_REPLAYED: _("Replayed a webhook event"),
}
