"""Money in the back office: to read. What changes it stands on the agency's pages."""

from __future__ import annotations

from billing.admin import documents, ledger

__all__ = ["documents", "ledger"]
