"""Who calls with an API key: a client's program, with the rights of the key."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed

from accounts.api_keys import MARK, find_api_key, note_use
from accounts.models import User
from convomono.lib import clock

if TYPE_CHECKING:
    from typing import Any
    from uuid import UUID

    from rest_framework.request import Request

    from accounts.models import ApiKey, Client

SCHEME = "Bearer"


class KeyHolder:
    """
    What the API knows of a program: one of the client's managers, but no person.

    It reads what managers read; whether it may write is asked of the key (`ClientFace`). The audit log
    names the key and whoever made it.
    """

    is_authenticated: ClassVar = True
    is_anonymous: ClassVar = False
    is_active: ClassVar = True
    is_agency_staff: ClassVar = False
    role: ClassVar = User.Role.CLIENT
    client_role: ClassVar = User.ClientRole.MANAGER
    actor_type: ClassVar = "api_key"

    def __init__(self, key: ApiKey) -> None:
        self.pk: UUID = key.pk  # what the throttle counts by
        self.actor_id: UUID = key.pk
        self.actor_email = f"API key {key.name} ({key.created_by_email})"[:254]
        self.email = self.actor_email
        self.client: Client = key.client
        self.client_id: UUID = key.client_id
        self.can_launch = key.may_launch

    def __str__(self) -> str:
        return self.actor_email

    def has_agency_permission(self, _name: str) -> bool:
        return False


class ApiKeyAuthentication(BaseAuthentication):
    """Lets in whoever sends `Authorization: Bearer cmk_…` with a key that works."""

    def authenticate(self, request: Request) -> tuple[KeyHolder, ApiKey] | None:
        """
        Return whom the key stands for; None if the request carries none.

        :raises AuthenticationFailed: if it is unknown, revoked or expired, or its client's account closed
        """
        scheme, _blank, secret = get_authorization_header(request).decode("latin-1").partition(" ")
        if scheme.lower() != SCHEME.lower() or not secret.strip().startswith(MARK):
            return None
        key, now = find_api_key(secret.strip()), clock.real_now()
        if key is None:
            raise AuthenticationFailed("There is no such API key.")
        if key.revoked_at is not None:
            raise AuthenticationFailed("This API key was revoked.")
        if key.is_expired(now):
            raise AuthenticationFailed("This API key has expired.")
        if not key.client.is_active:
            raise AuthenticationFailed("The account of this API key is closed.")
        note_use(key=key, now=now)
        return KeyHolder(key), key

    def authenticate_header(self, request: Request) -> str:
        """Return what makes a refusal a 401."""
        return SCHEME


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]  # the library registers it
    """The keys, for the description of the API."""

    target_class = "accounts.api.authentication.ApiKeyAuthentication"
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "bearerFormat": f"{MARK}…",
            "description": "An API key of a client, for the addresses under /api/v1/client/.",
        }
