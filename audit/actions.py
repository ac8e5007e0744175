"""Every action the audit log knows, each with the sentence people read."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

CLIENT_CREATED = "client.created"
CLIENT_CHANGED = "client.changed"
CLIENT_ACTIVATED = "client.activated"
CLIENT_DEACTIVATED = "client.deactivated"
USER_ADDED = "user.added"
USER_CHANGED = "user.changed"
SECOND_FACTOR_REMOVED = "user.second_factor_removed"
WALLET_OPENED = "wallet.opened"
WALLET_CREDITED = "wallet.credited"
WALLET_RESERVED = "wallet.reserved"
WALLET_ADJUSTED = "wallet.adjusted"
MINUTES_EXPIRED = "wallet.minutes_expired"
RATE_CHANGED = "rate.changed"
RATE_WITHDRAWN = "rate.withdrawn"
CALL_REFUNDED = "call.refunded"
CALL_CHARGED = "call.charged"
SELLER_SET = "seller.set"
PAYMENT_AWAITED = "payment.awaited"
PAYMENT_FAILED = "payment.failed"
PAYMENT_REFUNDED = "payment.refunded"
GRANT_ASKED = "grant.asked"
PAYMENT_PARTLY_REFUNDED = "payment.partly_refunded"
EXTENSIONS_SET = "wallet.extensions_set"
RECONCILIATION_ASKED = "reconciliation.asked"
DIFFERENCE_RESOLVED = "difference.resolved"
CREDIT_ASKED = "credit.asked"
CREDIT_APPROVED = "credit.approved"
CREDIT_REFUSED = "credit.refused"
NUMBER_ADDED = "number.added"
NUMBER_ASSIGNED = "number.assigned"
NUMBER_RELEASED = "number.released"
NUMBER_GIVEN_BACK = "number.given_back"
NUMBER_LIMITED = "number.limited"
NUMBER_WOKEN = "number.woken"
LEAD_ADDED = "lead.added"
LEADS_UPLOADED = "leads.uploaded"
LEADS_EXPORTED = "leads.exported"
LEADS_IMPORT_STARTED = "leads.import_started"
LEADS_IMPORTED = "leads.imported"
LEADS_IMPORT_CANCELLED = "leads.import_cancelled"
LEADS_IMPORT_UNDO_STARTED = "leads.import_undo_started"
LEADS_IMPORT_UNDONE = "leads.import_undone"
LEADS_ROWS_DOWNLOADED = "leads.rows_downloaded"
CONSENT_PROOF_DOWNLOADED = "consent.proof_downloaded"
LEADS_IMPORT_ROW_MENDED = "leads.import_row_mended"
NUMBER_SUPPRESSED = "number.suppressed"
SUPPRESSION_LIFTED = "suppression.lifted"
LEAD_CHANGED = "lead.changed"
LEAD_ERASED = "lead.erased"
LEAD_NOTED = "lead.noted"
LEADS_OPERATION_STARTED = "leads.operation_started"
LEADS_OPERATION_UNDONE = "leads.operation_undone"
LEADS_OPERATION_CANCELLED = "leads.operation_cancelled"
VIEW_SAVED = "leads.view_saved"
VIEW_DELETED = "leads.view_deleted"
SCORE_WEIGHTS_CHANGED = "leads.weights_changed"
CONSENT_RECORDED = "consent.recorded"
CONSENT_REVOKED = "consent.revoked"
SUPPRESSIONS_IMPORTED = "suppressions.imported"
SUPPRESSIONS_EXPORTED = "suppressions.exported"
SUPPRESSIONS_LISTING_UNDONE = "suppressions.listing_undone"
FOLLOW_UP_CREATED = "follow_up.created"
FOLLOW_UP_CHANGED = "follow_up.changed"
FOLLOW_UP_CLOSED = "follow_up.closed"
FOLLOW_UP_RULE_ADDED = "follow_up.rule_added"
FOLLOW_UP_RULE_REMOVED = "follow_up.rule_removed"
ACTING_STARTED = "acting.started"
ACTING_ENDED = "acting.ended"
CAMPAIGN_CREATED = "campaign.created"
CAMPAIGN_CHANGED = "campaign.changed"
CAMPAIGN_PREPARED = "campaign.prepared"
CAMPAIGN_PUBLISHED = "campaign.published"
CAMPAIGN_RESTORED = "campaign.restored"
VERSION_TAKEN_UP = "campaign.version_taken_up"
CAMPAIGN_DUPLICATED = "campaign.duplicated"
CAMPAIGN_ARCHIVED = "campaign.archived"
CAMPAIGN_LAUNCHED = "campaign.launched"
LAUNCH_RULE_CHANGED = "launch.rule_changed"
LAUNCH_ASKED = "launch.asked"
LAUNCH_APPROVED = "launch.approved"
LAUNCH_DECLINED = "launch.declined"
LAUNCH_WITHDRAWN = "launch.withdrawn"
LAUNCH_OUTDATED = "launch.outdated"
TEMPLATE_CREATED = "template.created"
TEMPLATE_CHANGED = "template.changed"
TEMPLATE_OFFERED = "template.offered"
TEMPLATE_WITHDRAWN = "template.withdrawn"
CAMPAIGN_PAUSED = "campaign.paused"
CAMPAIGN_RESUMED = "campaign.resumed"
CAMPAIGN_STOPPED = "campaign.stopped"
TOP_UP_SET = "campaign.top_up_set"
AUTOMATION_CHANGED = "automation.changed"
AUTOMATION_SWITCHED = "automation.switched"
LIMITS_CHANGED = "limits.changed"
RULE_REVIEWED = "rule.reviewed"
KNOWLEDGE_CREATED = "knowledge.created"
KNOWLEDGE_SOURCE_ADDED = "knowledge.source_added"
KNOWLEDGE_SOURCE_REMOVED = "knowledge.source_removed"
KNOWLEDGE_VERSION_STARTED = "knowledge.version_started"
KNOWLEDGE_INDEXED = "knowledge.indexed"
KNOWLEDGE_USED = "knowledge.used"
KNOWLEDGE_ARCHIVED = "knowledge.archived"
EXPERIMENT_STARTED = "experiment.started"
EXPERIMENT_ENDED = "experiment.ended"
WORKSPACE_REPAIRED = "workspace.repaired"
DIALLING_STOPPED = "dialling.stopped"
DIALLING_RESUMED = "dialling.resumed"
HALTED_RESUMED = "dialling.halted_resumed"
CALL_ENDED = "call.ended_by_person"
CALLS_ENDED = "call.all_ended_by_person"
TRIAL_CALL_ASKED = "trial_call.asked"
QUESTION_KEPT = "knowledge.question_kept"
QUESTION_DROPPED = "knowledge.question_dropped"
QUESTIONS_ASKED = "knowledge.questions_asked"
CALLS_EXPORTED = "calls.exported"
CALL_CORRECTED = "call.corrected"
CALL_CORRECTION_UNDONE = "call.correction_undone"
CALL_SHARED = "call.shared"
CALL_SHARE_REVOKED = "call.share_revoked"
CALL_SHARE_OPENED = "call.share_opened"
LEAD_MOVED_UP = "enrolment.moved_up"
LEAD_MOVED_BACK = "enrolment.moved_back"
LEAD_HELD = "enrolment.held"
LEAD_RELEASED = "enrolment.released"
LEAD_REMOVED = "enrolment.removed"
LEAD_PUT_BACK = "enrolment.put_back"
REPORT_REQUESTED = "report.requested"
WEBHOOK_REPLAYED = "webhook.replayed"
WEBHOOK_SET_ASIDE = "webhook.set_aside"
REPLAY_ORDERED = "replay.ordered"
API_KEY_CREATED = "api_key.created"
API_KEY_ROTATED = "api_key.rotated"
API_KEY_REVOKED = "api_key.revoked"
ENDPOINT_ADDED = "endpoint.added"
ENDPOINT_CHANGED = "endpoint.changed"
ENDPOINT_REMOVED = "endpoint.removed"
ENDPOINT_ROTATED = "endpoint.rotated"
ENDPOINT_TESTED = "endpoint.tested"
DELIVERY_REPLAYED = "delivery.replayed"
DELIVERIES_RESENT = "delivery.resent"

SENTENCES = {
    CLIENT_CREATED: _("Created the client"),
    CLIENT_CHANGED: _("Changed the client"),
    CLIENT_ACTIVATED: _("Activated the client"),
    CLIENT_DEACTIVATED: _("Deactivated the client"),
    USER_ADDED: _("Added a person"),
    USER_CHANGED: _("Changed a person's rights"),
    SECOND_FACTOR_REMOVED: _("Removed a person's second factor"),
    WALLET_OPENED: _("Opened the wallet"),
    WALLET_CREDITED: _("Sold minutes"),
    WALLET_RESERVED: _("Reserved minutes for a launch"),
    WALLET_ADJUSTED: _("Adjusted the balance"),
    MINUTES_EXPIRED: _("Minutes expired"),
    RATE_CHANGED: _("Changed the price"),
    RATE_WITHDRAWN: _("Took back a price that had not begun"),
    CALL_REFUNDED: _("Refunded a call"),
    SELLER_SET: _("Changed who sells on invoices"),
    CALL_CHARGED: _("Billed what a call was billed too little"),
    PAYMENT_AWAITED: _("Noted a payment that is still to come"),
    PAYMENT_FAILED: _("Noted that a payment failed"),
    PAYMENT_REFUNDED: _("Paid a client back"),
    GRANT_ASKED: _("Asked for minutes for many clients"),
    PAYMENT_PARTLY_REFUNDED: _("Paid a client back for unused minutes"),
    EXTENSIONS_SET: _("Said whether launches may take further minutes"),
    RECONCILIATION_ASKED: _("Compared the books with Retell's"),
    DIFFERENCE_RESOLVED: _("Resolved a difference to Retell's books"),
    CREDIT_ASKED: _("Asked for minutes above the limit"),
    CREDIT_APPROVED: _("Approved minutes above the limit"),
    CREDIT_REFUSED: _("Refused minutes above the limit"),
    NUMBER_ADDED: _("Added a phone number"),
    NUMBER_ASSIGNED: _("Assigned a phone number"),
    NUMBER_RELEASED: _("Released a phone number"),
    NUMBER_GIVEN_BACK: _("Gave a phone number back at Twilio"),
    NUMBER_LIMITED: _("Changed how much a phone number may call"),
    NUMBER_WOKEN: _("Ended a phone number's rest"),
    LEAD_ADDED: _("Added a lead"),
    LEADS_UPLOADED: _("Uploaded a file of leads"),
    LEADS_EXPORTED: _("Exported leads"),
    LEADS_IMPORT_STARTED: _("Started an import"),
    LEADS_IMPORTED: _("Imported leads"),
    LEADS_IMPORT_CANCELLED: _("Cancelled an import"),
    LEADS_IMPORT_UNDO_STARTED: _("Began to undo an import"),
    LEADS_IMPORT_UNDONE: _("Undid an import"),
    LEADS_ROWS_DOWNLOADED: _("Downloaded rows of leads"),
    CONSENT_PROOF_DOWNLOADED: _("Downloaded a proof of consent"),
    LEADS_IMPORT_ROW_MENDED: _("Mended a row of an import"),
    NUMBER_SUPPRESSED: _("Put a number on the do-not-call list"),
    SUPPRESSION_LIFTED: _("Took a number off the do-not-call list"),
    LEAD_CHANGED: _("Changed a lead"),
    LEAD_ERASED: _("Erased a lead"),
    LEAD_NOTED: _("Wrote a note about a lead"),
    LEADS_OPERATION_STARTED: _("Changed many leads"),
    LEADS_OPERATION_UNDONE: _("Undid a change of many leads"),
    LEADS_OPERATION_CANCELLED: _("Cancelled a change of many leads"),
    VIEW_SAVED: _("Saved a view of the leads"),
    VIEW_DELETED: _("Deleted a view of the leads"),
    SCORE_WEIGHTS_CHANGED: _("Changed the weights of the lead score"),
    CONSENT_RECORDED: _("Recorded a consent"),
    CONSENT_REVOKED: _("Recorded that a consent was taken back"),
    SUPPRESSIONS_IMPORTED: _("Imported a do-not-call list"),
    SUPPRESSIONS_EXPORTED: _("Exported a do-not-call list"),
    SUPPRESSIONS_LISTING_UNDONE: _("Took an imported do-not-call list back"),
    FOLLOW_UP_CREATED: _("Made a follow-up"),
    FOLLOW_UP_CHANGED: _("Changed a follow-up"),
    FOLLOW_UP_CLOSED: _("Closed a follow-up"),
    FOLLOW_UP_RULE_ADDED: _("Added a rule for follow-ups"),
    FOLLOW_UP_RULE_REMOVED: _("Removed a rule for follow-ups"),
    ACTING_STARTED: _("Began to work as a client"),
    ACTING_ENDED: _("Stopped working as a client"),
    CAMPAIGN_CREATED: _("Created the campaign"),
    CAMPAIGN_CHANGED: _("Changed the campaign"),
    CAMPAIGN_PREPARED: _("Asked for the campaign's agent"),
    CAMPAIGN_PUBLISHED: _("Published a version"),
    CAMPAIGN_RESTORED: _("Went back to an earlier version"),
    VERSION_TAKEN_UP: _("Let running launches use a new version"),
    CAMPAIGN_DUPLICATED: _("Duplicated the campaign"),
    CAMPAIGN_ARCHIVED: _("Archived the campaign"),
    CAMPAIGN_LAUNCHED: _("Launched the campaign"),
    LAUNCH_RULE_CHANGED: _("Changed which launches need a second person"),
    LAUNCH_ASKED: _("Asked for a launch"),
    LAUNCH_APPROVED: _("Approved a launch"),
    LAUNCH_DECLINED: _("Declined a launch"),
    LAUNCH_WITHDRAWN: _("Took back a request to launch"),
    LAUNCH_OUTDATED: _("A request to launch went out of date"),
    TEMPLATE_CREATED: _("Wrote a campaign template"),
    TEMPLATE_CHANGED: _("Changed a campaign template"),
    TEMPLATE_OFFERED: _("Offered a campaign template to clients"),
    TEMPLATE_WITHDRAWN: _("Withdrew a campaign template"),
    CAMPAIGN_PAUSED: _("Paused the campaign"),
    CAMPAIGN_RESUMED: _("Resumed the campaign"),
    CAMPAIGN_STOPPED: _("Stopped the campaign"),
    TOP_UP_SET: _("Set when new leads are launched by themselves"),
    AUTOMATION_CHANGED: _("Wrote a rule on outcomes"),
    AUTOMATION_SWITCHED: _("Switched a rule on outcomes on or off"),
    LIMITS_CHANGED: _("Changed the account's own calling limits"),
    RULE_REVIEWED: _("Marked a calling rule as reviewed"),
    KNOWLEDGE_CREATED: _("Created a knowledge base"),
    KNOWLEDGE_SOURCE_ADDED: _("Added a source of knowledge"),
    KNOWLEDGE_SOURCE_REMOVED: _("Removed a source of knowledge"),
    KNOWLEDGE_VERSION_STARTED: _("Started the next version of a knowledge base"),
    KNOWLEDGE_INDEXED: _("Had knowledge indexed"),
    KNOWLEDGE_USED: _("Let campaigns use a version of a knowledge base"),
    KNOWLEDGE_ARCHIVED: _("Put a knowledge base away"),
    EXPERIMENT_STARTED: _("Started an experiment"),
    EXPERIMENT_ENDED: _("Ended an experiment"),
    WORKSPACE_REPAIRED: _("Had the objects at Retell put right"),
    DIALLING_STOPPED: _("Stopped all dialling"),
    DIALLING_RESUMED: _("Let dialling go on"),
    HALTED_RESUMED: _("Resumed the launches that a refusal of the voice platform had paused"),
    CALL_ENDED: _("Ended a call in progress"),
    CALLS_ENDED: _("Ended all calls in progress"),
    TRIAL_CALL_ASKED: _("Had a test call made"),
    QUESTION_KEPT: _("Kept a question with a knowledge base"),
    QUESTION_DROPPED: _("Removed a question from a knowledge base"),
    QUESTIONS_ASKED: _("Had a knowledge base asked the kept questions"),
    CALLS_EXPORTED: _("Exported calls"),
    CALL_CORRECTED: _("Corrected what a call came to"),
    CALL_CORRECTION_UNDONE: _("Took a correction of a call back"),
    CALL_SHARED: _("Made a link by which anybody can read or hear a call"),
    CALL_SHARE_REVOKED: _("Took the link of a shared call back"),
    CALL_SHARE_OPENED: _("Opened the link of a shared call for the first time"),
    LEAD_MOVED_UP: _("Moved a lead to the front of the line"),
    LEAD_MOVED_BACK: _("Moved a lead back to its place in the line"),
    LEAD_HELD: _("Held a lead back"),
    LEAD_RELEASED: _("Let a lead into the line again"),
    LEAD_REMOVED: _("Took a lead out of the line"),
    LEAD_PUT_BACK: _("Put a lead back into the line"),
    REPORT_REQUESTED: _("Asked for a report"),
    WEBHOOK_REPLAYED: _("Replayed a webhook event"),
    WEBHOOK_SET_ASIDE: _("Set a failed webhook event aside"),
    REPLAY_ORDERED: _("Ordered a replay of webhook events"),
    API_KEY_CREATED: _("Made an API key"),
    API_KEY_ROTATED: _("Made an API key in place of another"),
    API_KEY_REVOKED: _("Revoked an API key"),
    ENDPOINT_ADDED: _("Added a webhook address"),
    ENDPOINT_CHANGED: _("Changed a webhook address"),
    ENDPOINT_REMOVED: _("Removed a webhook address"),
    ENDPOINT_ROTATED: _("Made a new secret for a webhook address"),
    ENDPOINT_TESTED: _("Sent a test to a webhook address"),
    DELIVERY_REPLAYED: _("Sent an event to a webhook address again"),
    DELIVERIES_RESENT: _("Sent all that failed at a webhook address again"),
}
