"""What allauth asks us: nobody signs up, and people of an inactive client stay out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.contrib import messages
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from convomono.lib.crypto import decrypted, encrypted, is_encrypted

if TYPE_CHECKING:
    from django.http import HttpRequest, HttpResponse

    from accounts.models import User


class AccountAdapter(DefaultAccountAdapter):
    """The agency makes the accounts; allauth signs people in."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def pre_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse | None:
        """Stop the sign-in of somebody whose client was deactivated."""
        if user.client is not None and not user.client.is_active:
            messages.error(request, _("This account is closed. Ask your agency to open it again."))
            return redirect("account_login")
        response: HttpResponse | None = super().pre_login(request, user, **kwargs)
        return response


class MFAAdapter(DefaultMFAAdapter):
    """Keeps the seeds of one-time codes unreadable in the database."""

    def encrypt(self, text: str) -> str:
        return encrypted(text)

    def decrypt(self, encrypted_text: str) -> str:
        """Read a seed; one of before `rotate_encryption` first ran is still plain."""
        return decrypted(encrypted_text) if is_encrypted(encrypted_text) else encrypted_text
