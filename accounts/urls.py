"""Addresses of the accounts room: what both faces share, and a client's API keys."""

from __future__ import annotations

import allauth.account.urls
from django.urls import URLPattern, URLResolver, include, path
from django.views.generic import RedirectView

from accounts import views, views_acting, views_keys

# A person has the one address that the agency wrote down (`accounts.services.forget_other_addresses`):
# a second one of their own could sign in, and reset their password, after the agency changed the first.
_NOT_OURS = {"account_email", "account_email_verification_sent", "account_confirm_email"}

shared: list[URLPattern] = [
    path("", views.home, name="home"),
    path("favicon.ico", views.favicon, name="favicon"),
    path("theme/", views.set_theme, name="theme-set"),
    path("agency/acting/", views_acting.acting_list, name="acting-list"),
    path("agency/clients/<uuid:client_id>/act/", views_acting.acting_start, name="acting-start"),
    path("agency/acting/stop/", views_acting.acting_stop, name="acting-stop"),
]
# What people do about their own sign-in: allauth's pages.
account: list[URLPattern | URLResolver] = [
    *(route for route in allauth.account.urls.urlpatterns if route.name not in _NOT_OURS),
    path("2fa/", include("allauth.mfa.urls")),
]
# In front of allauth's and the Django admin's own, which they replace.
in_front: list[URLPattern] = [
    path("_allauth/app/v1/account/email", views.no_such_page),
    path("admin/login/", views.back_office_sign_in, name="back-office-sign-in"),
    path(
        "admin/password_change/",
        RedirectView.as_view(pattern_name="account_change_password"),
        name="back-office-password",
    ),
]

client_face: tuple[list[URLPattern], str] = (
    [
        path("api-keys/", views_keys.key_list, name="api-key-list"),
        path("api-keys/new/", views_keys.key_create, name="api-key-create"),
        path("api-keys/<uuid:api_key_id>/rotate/", views_keys.key_rotate, name="api-key-rotate"),
        path("api-keys/<uuid:api_key_id>/revoke/", views_keys.key_revoke, name="api-key-revoke"),
    ],
    "accounts",
)
