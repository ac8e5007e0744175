"""What every page shows around its content: navigation, theme, sandbox banner."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.urls import reverse
from django.utils.translation import gettext_lazy as _lazy

from accounts.models import User

if TYPE_CHECKING:
    from django.http import HttpRequest

    from accounts.acting import Acting

THEMES = ("auto", "light", "dark")


@dataclass(frozen=True)
class NavItem:
    """One entry of the side bar; `section` is the beginning of the addresses it stands for."""

    label: str
    url: str
    icon: str
    is_current: bool


_CLIENT_NAV = (
    ("reporting:home", "home", _lazy("Home")),
    ("campaigns:campaign-list", "megaphone", _lazy("Campaigns")),
    ("leads:lead-list", "users", _lazy("Leads")),
    ("campaigns:call-list", "phone", _lazy("Calls")),
    ("campaigns:knowledge-list", "book-open", _lazy("Knowledge")),
    ("leads:import-list", "arrow-up-tray", _lazy("Imports")),
    ("billing:wallet", "credit-card", _lazy("Billing")),
    ("webhooks:endpoint-list", "bolt", _lazy("Webhooks")),
)
_AGENCY_NAV = (
    ("agency-reporting:home", "home", _lazy("Home"), ()),
    ("agency-clients:client-list", "building-office-2", _lazy("Clients"), ("manage_clients",)),
    ("agency-telephony:number-list", "phone", _lazy("Numbers"), ("manage_phone_numbers",)),
    ("agency-billing:wallet-list", "banknotes", _lazy("Money"), ("manage_billing", "view_finance")),
    ("agency-campaigns:line-list", "queue-list", _lazy("Lines"), ()),
    ("agency-campaigns:live", "phone-arrow-up-right", _lazy("Live"), ()),
    ("agency-campaigns:rule-list", "scale", _lazy("Calling rules"), ()),
    (
        "agency-campaigns:template-list",
        "document-duplicate",
        _lazy("Templates"),
        ("manage_campaigns",),
    ),
    ("acting-list", "identification", _lazy("Work for a client"), ("manage_campaigns",)),
    ("agency-leads:entry-list", "no-symbol", _lazy("Do not call"), ("manage_campaigns",)),
    ("agency-campaigns:workspace", "cloud", _lazy("At Retell"), ("manage_campaigns",)),
    ("agency-webhooks:monitor", "signal", _lazy("Webhooks"), ()),
    ("agency-reporting:health", "heart", _lazy("Health"), ()),
    ("admin:index", "wrench-screwdriver", _lazy("Back office"), ()),
)

DEMO_PASSWORD = "demo-password"  # noqa: S105  # of the demo data, printed for everybody
DEMO_PEOPLE = (
    ("root@convomono.test", _lazy("Agency owner: sees and may do everything")),
    ("bob@convomono.test", _lazy("Agency admin: what the owner granted")),
    ("alice@acme.test", _lazy("Owner at Acme: may launch")),
    ("mia@acme.test", _lazy("Manager at Acme: campaigns and leads")),
    ("vera@acme.test", _lazy("Viewer at Acme: looks, changes nothing")),
    ("charlie@rival.test", _lazy("Owner of another client")),
)


def chrome(request: HttpRequest) -> dict[str, Any]:
    """Return what the layouts need; no query."""
    theme = request.COOKIES.get("theme", "auto")
    return {
        "theme": theme if theme in THEMES else "auto",
        "sandbox_mode": settings.SANDBOX,
        "navigation": _navigation(request),
        "impersonation": _impersonation(request),
        "bell": _bell(request),
        "demo_sign_ins": _demo_sign_ins(),
    }


def _impersonation(request: HttpRequest) -> dict[str, Any] | None:
    acting: Acting | None = getattr(request, "acting", None)
    if acting is None:
        return None
    return {
        "client": acting.client,
        "actor": acting.actor,
        "person": acting.session.acted_for,
        "until": acting.session.ends_at,
        "stop_url": reverse("acting-stop"),
    }


def _bell(request: HttpRequest) -> dict[str, Any] | None:
    """Return where notifications stand; how many are new is told by the socket, or asked for."""
    user = getattr(request, "user", None)
    return {"url": notifications_url(user)} if isinstance(user, User) else None


def notifications_url(user: User) -> str:
    """Return the address of the page with this person's notifications."""
    face = "agency-reporting" if user.is_agency_staff else "reporting"
    return reverse(f"{face}:notifications")


def _demo_sign_ins() -> list[dict[str, str]]:
    """Return the demo people, for a trial's sign-in page only."""
    if not settings.SHOW_DEMO_SIGN_INS:
        return []
    return [
        {"email": email, "password": DEMO_PASSWORD, "role": str(role)}
        for email, role in DEMO_PEOPLE
    ]


def _navigation(request: HttpRequest) -> list[NavItem]:
    user = getattr(request, "user", None)
    if user is None or not user.is_authenticated:
        return []
    if user.is_agency_staff:
        entries = [
            (name, icon, label)
            for name, icon, label, permissions in _AGENCY_NAV
            if not permissions or any(map(user.has_agency_permission, permissions))
        ]
    else:
        entries = list(_CLIENT_NAV)
    found = [(reverse(name), icon, str(label)) for name, icon, label in entries]
    # The longest address that the current one begins with is where we are; home is only itself.
    path = request.path.replace(reverse("leads:suppression-list"), reverse("leads:lead-list"))
    home, *others = (url for url, _icon, _label in found)
    current = max((url for url in others if path.startswith(url)), key=len, default="")
    if path == home:
        current = home
    return [NavItem(label, url, icon, url == current) for url, icon, label in found]
