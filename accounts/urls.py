"""Addresses of the accounts room: what both faces share."""

from __future__ import annotations

from django.urls import URLPattern, path

from accounts import views

shared: list[URLPattern] = [
    path("", views.home, name="home"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("theme/", views.set_theme, name="theme-set"),
]
