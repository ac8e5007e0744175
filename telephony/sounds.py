"""Links to our copies of what was said: whoever has one may listen, for a quarter of an hour."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from django.core import signing
from django.urls import reverse

from telephony.models import Recording

if TYPE_CHECKING:
    from telephony.models import Call

LINK_SECONDS: Final = 15 * 60
_SALT: Final = "recording"
_SECONDS: Final = re.compile(r"[0-9]{1,5}(\.[0-9]{1,3})?", re.ASCII)


def sound_url(call: Call, *, start: str = "") -> str:
    """
    Return a link to our copy of a call's sound that holds for a quarter of an hour; empty without one.

    `start` is where it begins to play, in seconds as somebody typed them.
    """
    copy = Recording.objects.filter(call=call, status=Recording.Status.STORED).first()
    if copy is None:
        return ""
    token = signing.dumps(str(copy.pk), salt=_SALT)
    link = reverse("telephony:recording-file", args=[token])
    return f"{link}#t={start}" if _SECONDS.fullmatch(start) else link


def find_sound(token: str) -> Recording | None:
    """Return the copy that a link names; None if the link is forged or too old, or the copy is gone."""
    try:
        recording_id = signing.loads(token, salt=_SALT, max_age=LINK_SECONDS)
    except signing.BadSignature:  # an expired one is of its kind
        return None
    return Recording.objects.filter(pk=recording_id, status=Recording.Status.STORED).first()
