"""People to call, where they came from, what they agreed to, and who must not be called."""

from __future__ import annotations

from leads.models.erasures import Erasure
from leads.models.imports import (
    AgreedOptions,
    Detected,
    ImportMapping,
    ImportOptions,
    LeadImport,
    LeadImportChange,
    LeadImportRow,
)
from leads.models.operations import (
    UNDO_FOR,
    LeadNote,
    LeadOperation,
    LeadOperationRow,
    ListReading,
    OperationParams,
    SavedView,
    ScoreWeights,
)
from leads.models.people import Consent, Lead, MarkSet, tag_mark, zone_mark
from leads.models.requests import LeadRequest
from leads.models.statuses import LeadStatusChange
from leads.models.suppressions import AgencyListing, ListingResult, Suppression

__all__ = [
    "UNDO_FOR",
    "AgencyListing",
    "AgreedOptions",
    "Consent",
    "Detected",
    "Erasure",
    "ImportMapping",
    "ImportOptions",
    "Lead",
    "LeadImport",
    "LeadImportChange",
    "LeadImportRow",
    "LeadNote",
    "LeadOperation",
    "LeadOperationRow",
    "LeadRequest",
    "LeadStatusChange",
    "ListReading",
    "ListingResult",
    "MarkSet",
    "OperationParams",
    "SavedView",
    "ScoreWeights",
    "Suppression",
    "tag_mark",
    "zone_mark",
]
