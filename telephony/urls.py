"""Addresses of the telephony room."""

from __future__ import annotations

from django.urls import URLPattern, path

from telephony import views

agency_face: tuple[list[URLPattern], str] = (
    [
        path("numbers/", views.number_list, name="number-list"),
        path("numbers/add/", views.number_add, name="number-add"),
        path("numbers/buy/", views.number_buy, name="number-buy"),
        path("numbers/<uuid:number_id>/", views.number_detail, name="number-detail"),
        path("numbers/<uuid:number_id>/assign/", views.number_assign, name="number-assign"),
        path("numbers/<uuid:number_id>/release/", views.number_release, name="number-release"),
    ],
    "agency-telephony",
)
