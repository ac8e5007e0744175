"""Wiring of the leads room."""

from __future__ import annotations

from django.apps import AppConfig


class LeadsConfig(AppConfig):
    """People to call: lists, uploads, consent and do-not-call."""

    name = "leads"
    verbose_name = "Leads"
