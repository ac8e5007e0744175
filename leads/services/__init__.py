"""Changes to leads, consent, do-not-call and imports: one function per verb."""

from __future__ import annotations

from leads.services.people import (
    ERASED,
    ConsentStatement,
    LeadExists,
    LeadFields,
    PersonErased,
    change_conversion,
    create_lead,
    has_consent,
    record_summary,
)
from leads.services.suppressions import (
    Listed,
    lift_suppression,
    listed_among,
    numbers_of,
    scope_key,
    suppress,
    suppressed_numbers,
)

__all__ = [
    "ERASED",
    "ConsentStatement",
    "LeadExists",
    "LeadFields",
    "Listed",
    "PersonErased",
    "change_conversion",
    "create_lead",
    "has_consent",
    "lift_suppression",
    "listed_among",
    "numbers_of",
    "record_summary",
    "scope_key",
    "suppress",
    "suppressed_numbers",
]
