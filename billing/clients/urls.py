"""Addresses of the agency's client pages."""

from __future__ import annotations

from django.urls import path

from billing.clients import api, views

agency_face = (
    [
        path("clients/", views.client_list, name="client-list"),
        path("clients/new/", views.client_create, name="client-create"),
        path("clients/<uuid:client_id>/", views.client_detail, name="client-detail"),
        path("clients/<uuid:client_id>/change/", views.client_change, name="client-change"),
        path("clients/<uuid:client_id>/activate/", views.client_activate, name="client-activate"),
        path(
            "clients/<uuid:client_id>/deactivate/",
            views.client_deactivate,
            name="client-deactivate",
        ),
        path("clients/<uuid:client_id>/people/new/", views.user_create, name="user-create"),
        path(
            "clients/<uuid:client_id>/people/<uuid:user_id>/",
            views.user_change,
            name="user-change",
        ),
    ],
    "agency-clients",
)
admin_api = [
    path("clients/", api.AdminClientList.as_view(), name="client-list"),
    path("clients/<uuid:client_id>/", api.AdminClientDetail.as_view(), name="client-detail"),
]
