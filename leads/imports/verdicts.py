"""Every verdict on a row, in the order they are looked for, with what people read."""

from __future__ import annotations

from django.db.models import TextChoices
from django.utils.translation import gettext_lazy as _


class Verdict(TextChoices):
    """The first that holds, from the top, is the row's only one."""

    ROW_UNREADABLE = "row_unreadable", _("Row can't be read")
    PHONE_MISSING = "phone_missing", _("No phone number")
    PHONE_DAMAGED = "phone_damaged", _("Phone number damaged")
    PHONE_TOO_SHORT = "phone_too_short", _("Phone number too short")
    PHONE_TOO_LONG = "phone_too_long", _("Phone number too long")
    PHONE_NOT_ASSIGNABLE = "phone_not_assignable", _("No such phone number")
    PHONE_PREMIUM = "phone_premium", _("Premium rate number")
    PHONE_TOLL_FREE = "phone_toll_free", _("Toll-free number")
    PHONE_UNKNOWN_COUNTRY = "phone_unknown_country", _("Country unknown")
    SUPPRESSED_FILE = "suppressed_file", _("Asked not to be called")
    LINE_TYPE_REFUSED = "line_type_refused", _("Kind of line left out")
    DUP_FILE = "dup_file", _("Twice in this file")
    SUPPRESSED_AGENCY = "suppressed_agency", _("Do not call")
    SUPPRESSED_CLIENT = "suppressed_client", _("On your do-not-call list")
    SUPPRESSED_CAMPAIGN = "suppressed_campaign", _("On the campaign's do-not-call list")
    SUPPRESSED_REGISTRY = "suppressed_registry", _("On a do-not-call registry")
    DUP_CAMPAIGN = "dup_campaign", _("In the campaign already")
    VARIABLE_MISSING = "variable_missing", _("Script variable empty")
    VARIABLE_UNFIT = "variable_unfit", _("Script variable doesn't fit")
    DUP_CLIENT = "dup_client", _("Lead already, left alone")
    NO_CONSENT = "no_consent", _("Without consent")
    UPDATE = "update", _("Lead updated")
    NEW = "new", _("New lead")


# What the error file holds: rows that somebody can mend and upload again.
MENDABLE = frozenset(
    {verdict for verdict in Verdict if verdict.startswith("phone_")}
    | {Verdict.ROW_UNREADABLE, Verdict.LINE_TYPE_REFUSED}
    | {Verdict.VARIABLE_MISSING, Verdict.VARIABLE_UNFIT}
)
SUPPRESSED = frozenset({verdict for verdict in Verdict if verdict.startswith("suppressed_")})
# Rows that become, or change, a lead.
KEPT = frozenset({Verdict.NEW, Verdict.UPDATE, Verdict.NO_CONSENT})
# Rows that a commit writes something of: a lead, or an entry of the do-not-call list.
WRITTEN = KEPT | {Verdict.SUPPRESSED_FILE}
# Counted apart: a row with a warning has a verdict too.
TZ_UNCERTAIN = "tz_uncertain"
TZ_UNREAD = "tz_unread"
ACTIVE_ELSEWHERE = "active_elsewhere"
OLD_CONSENT = "old_consent"
OLD_SCRUB = "old_scrub"
CONSENT_REVOKED = "consent_revoked"
EXTENSION_DROPPED = "extension_dropped"
WARNINGS = {
    TZ_UNCERTAIN: _("May be in several time zones: dialled only while all of them are open"),
    TZ_UNREAD: _("Time zone not understood: the hours are those of the place or the number"),
    ACTIVE_ELSEWHERE: _("Waiting or being called in another campaign"),
    OLD_CONSENT: _("Agreed more than 18 months ago"),
    CONSENT_REVOKED: _("Agreed before, and this file says no: the consent is taken back"),
    EXTENSION_DROPPED: _(
        "The number has an extension, which isn't dialled: whoever answers is called"
    ),
    OLD_SCRUB: _("Checked against the registry more than 31 days ago"),
}

REASONS = {
    Verdict.ROW_UNREADABLE: _("This row can't be read."),
    Verdict.PHONE_MISSING: _("The phone number is empty."),
    Verdict.PHONE_DAMAGED: _("This is no phone number, or the spreadsheet rounded it."),
    Verdict.PHONE_TOO_SHORT: _("The number has too few digits for its country."),
    Verdict.PHONE_TOO_LONG: _("The number has too many digits for its country."),
    Verdict.PHONE_NOT_ASSIGNABLE: _("No phone has this number: its area code isn't in use."),
    Verdict.PHONE_PREMIUM: _("Premium rate numbers are never called."),
    Verdict.PHONE_TOLL_FREE: _("Toll-free numbers belong to companies and are never called."),
    Verdict.PHONE_UNKNOWN_COUNTRY: _("The country of the number isn't known."),
    Verdict.SUPPRESSED_FILE: _("The file says that this person asked not to be called."),
    Verdict.LINE_TYPE_REFUSED: _("This import leaves out numbers of this kind."),
    Verdict.DUP_FILE: _("Another row with this number is kept."),
    Verdict.SUPPRESSED_AGENCY: _("This person asked not to be called."),
    Verdict.SUPPRESSED_CLIENT: _("The number is on your do-not-call list."),
    Verdict.SUPPRESSED_CAMPAIGN: _("The number is on this campaign's do-not-call list."),
    Verdict.SUPPRESSED_REGISTRY: _("The number is on a do-not-call registry."),
    Verdict.DUP_CAMPAIGN: _("This person is in the campaign already."),
    Verdict.VARIABLE_MISSING: _("The script needs this, and the cell is empty."),
    Verdict.VARIABLE_UNFIT: _("What the cell says isn't what the script can say there."),
    Verdict.DUP_CLIENT: _("You have this lead; it stays as it is."),
    Verdict.NO_CONSENT: _("Kept as a lead and not called: there is no consent."),
    Verdict.UPDATE: _("You have this lead; it is linked and filled in."),
    Verdict.NEW: _("A new lead."),
}

SUGGESTIONS = {
    Verdict.ROW_UNREADABLE: _("Mend the row and upload this file again."),
    Verdict.PHONE_MISSING: _("Type the number."),
    Verdict.PHONE_DAMAGED: _("Format the column as text and type the number again."),
    Verdict.PHONE_TOO_SHORT: _("Add the area code, or + and the country code."),
    Verdict.PHONE_TOO_LONG: _("Keep one number in the cell; put + in front of a country code."),
    Verdict.PHONE_NOT_ASSIGNABLE: _("Check the digits."),
    Verdict.PHONE_UNKNOWN_COUNTRY: _("Begin the number with + and the country code."),
    Verdict.LINE_TYPE_REFUSED: _("Give another number of this person."),
    Verdict.VARIABLE_UNFIT: _("Mend the cell, or set a default for all rows."),
    Verdict.VARIABLE_MISSING: _("Fill the cell, or set a default for all rows."),
}
