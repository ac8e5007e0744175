"""Wiring of the demonstration, which only trials and tests install."""

from __future__ import annotations

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """It stands above every room and is never installed in production."""

    name = "convomono.demo"
    label = "demo"
    verbose_name = "Demonstration"
