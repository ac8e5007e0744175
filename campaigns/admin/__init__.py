"""Campaigns and their launches in the back office: to read; services make every change."""

from __future__ import annotations

from campaigns.admin import campaigns, dialling

__all__ = ["campaigns", "dialling"]
