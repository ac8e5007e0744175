"""Addresses of the accounts room: what both faces share."""

from __future__ import annotations

from django.urls import URLPattern, path

from accounts import views, views_acting

shared: list[URLPattern] = [
    path("", views.home, name="home"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("theme/", views.set_theme, name="theme-set"),
    path("agency/acting/", views_acting.acting_list, name="acting-list"),
    path("agency/clients/<uuid:client_id>/act/", views_acting.acting_start, name="acting-start"),
    path("agency/acting/stop/", views_acting.acting_stop, name="acting-stop"),
]
