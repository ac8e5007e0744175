"""What every page shows around its content: navigation, theme, sandbox banner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.urls import NoReverseMatch, reverse
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from django.http import HttpRequest

THEMES = ("auto", "light", "dark")


@dataclass(frozen=True)
class NavItem:
    """One entry of the side bar; `section` is the beginning of the addresses it stands for."""

    label: str
    url: str
    icon: str
    is_current: bool


_CLIENT_NAV = (
    ("reporting:home", "home", "Home"),
    ("campaigns:campaign-list", "megaphone", "Campaigns"),
    ("leads:lead-list", "users", "Leads"),
    ("leads:import-list", "arrow-up-tray", "Imports"),
    ("campaigns:call-list", "phone", "Calls"),
    ("billing:wallet", "credit-card", "Billing"),
)
_AGENCY_NAV = (
    ("agency-reporting:home", "home", "Home", ""),
    ("agency-clients:client-list", "building-office-2", "Clients", "manage_clients"),
    ("agency-telephony:number-list", "phone", "Numbers", "manage_phone_numbers"),
    ("agency-billing:wallet-list", "banknotes", "Money", "manage_billing"),
    ("agency-webhooks:monitor", "signal", "Webhooks", ""),
    ("agency-reporting:health", "heart", "Health", ""),
    ("admin:index", "wrench-screwdriver", "Back office", ""),
)


def chrome(request: HttpRequest) -> dict[str, Any]:
    """Return what the layouts need; asks for the balance only where it is shown."""
    theme = request.COOKIES.get("theme", "auto")
    return {
        "theme": theme if theme in THEMES else "auto",
        "sandbox_mode": settings.SANDBOX,
        "navigation": _navigation(request),
        # A callable: fragments that don't show the balance don't ask for it.
        "balance_seconds": lambda: _balance(request),
        "balance_url": _url("billing:wallet"),
    }


def _balance(request: HttpRequest) -> int | None:
    client = getattr(request.user, "client", None)
    return None if client is None else client.wallet.available_seconds


def _navigation(request: HttpRequest) -> list[NavItem]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return []
    if user.is_agency_staff:
        entries = [
            (name, icon, label)
            for name, icon, label, permission in _AGENCY_NAV
            if not permission or user.has_agency_permission(permission)
        ]
    else:
        entries = list(_CLIENT_NAV)
    found = [(_url(name), icon, _(label)) for name, icon, label in entries if _url(name)]
    # The longest address that the current one begins with is where we are.
    current = max(
        (url for url, _icon, _label in found if request.path.startswith(url)), key=len, default=""
    )
    return [NavItem(label, url, icon, url == current) for url, icon, label in found]


def _url(name: str) -> str:
    try:
        return reverse(name)
    except NoReverseMatch:
        return ""
