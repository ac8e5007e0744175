"""People to call, where they came from, what they agreed to, and who must not be called."""

from __future__ import annotations

from leads.models.imports import (
    SHOWN_COLUMNS,
    Detected,
    ImportMapping,
    ImportOptions,
    LeadImport,
    LeadImportRow,
)
from leads.models.people import Consent, Lead
from leads.models.suppressions import Suppression

__all__ = [
    "SHOWN_COLUMNS",
    "Consent",
    "Detected",
    "ImportMapping",
    "ImportOptions",
    "Lead",
    "LeadImport",
    "LeadImportRow",
    "Suppression",
]
