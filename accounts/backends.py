"""Who is signed in, with their client and its minutes at once: every page asks for all three."""

from __future__ import annotations

from typing import TYPE_CHECKING

from allauth.account.auth_backends import AuthenticationBackend

from accounts.models import User

if TYPE_CHECKING:
    from uuid import UUID


class Backend(AuthenticationBackend):  # type: ignore[misc]  # allauth has no types
    """allauth's, which reads the client and its wallet together with the person."""

    def get_user(self, user_id: UUID | str) -> User | None:
        """Return the person of a session, or None if they were deleted or may not sign in."""
        user = User.objects.select_related("client__wallet").filter(pk=user_id).first()
        return user if user is not None and self.user_can_authenticate(user) else None
