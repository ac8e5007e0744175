"""API addresses of the telephony room."""

from __future__ import annotations

from django.urls import URLPattern, path

from telephony.api import views

client_api: list[URLPattern] = []
admin_api: list[URLPattern] = [
    path("phone-numbers/", views.AdminPhoneNumberList.as_view(), name="phone-number-list"),
    path(
        "phone-numbers/<uuid:number_id>/",
        views.AdminPhoneNumberDetail.as_view(),
        name="phone-number-detail",
    ),
]
