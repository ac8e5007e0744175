"""How the people of a file agreed to be called, as the options of its import keep it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import date
    from zoneinfo import ZoneInfo

    from leads.models import AgreedOptions, ImportOptions
    from leads.services.people import ConsentStatement


@dataclass(frozen=True)
class RowConsent:
    """What holds for each person whose own row says that and when they agreed."""

    kind: str
    source: str
    wording: str
    seller: str = ""


def agreed_options(consent: ConsentStatement | RowConsent | None) -> AgreedOptions:
    """Return the options that say how people agreed: all at one instant, each on their own day, or not at all."""
    given_at = ""
    if consent is not None and not isinstance(consent, RowConsent):
        given_at = consent.given_at.isoformat()
    return {
        "consent_kind": consent.kind if consent else "",
        "consent_source": consent.source if consent else "",
        "consent_wording": consent.wording if consent else "",
        "consent_seller": consent.seller if consent else "",
        "consent_given_at": given_at,
        "consent_by_row": isinstance(consent, RowConsent),
    }


def agreed_day(options: ImportOptions, zone: ZoneInfo) -> date | None:
    """Return the day that is stated for all, where the client is; None without such a statement."""
    said = options["consent_given_at"]
    return datetime.fromisoformat(said).astimezone(zone).date() if said else None
