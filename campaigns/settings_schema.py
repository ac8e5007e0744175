"""How a campaign's agent talks: the conversation settings, their defaults and limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, TypedDict, cast

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from collections.abc import Mapping

type VoicemailAction = Literal["hangup", "leave_message"]


class CampaignSettings(TypedDict):
    """
    What `Campaign.settings` and `CampaignVersion.settings` hold.

    Times are milliseconds as Retell takes them. `conversion` says in words what counts as a
    conversion; Retell reads it out of each call as the analysis field "converted".
    """

    language: str
    voice_speed: float
    max_call_duration_ms: int
    ring_duration_ms: int
    end_call_after_silence_ms: int
    voicemail_action: VoicemailAction
    voicemail_message: str
    enable_dnc_detection: bool
    conversion: str


DEFAULTS: CampaignSettings = {
    "language": "en-US",
    "voice_speed": 1.0,
    "max_call_duration_ms": 300_000,
    "ring_duration_ms": 30_000,
    "end_call_after_silence_ms": 30_000,
    "voicemail_action": "hangup",
    "voicemail_message": "",
    "enable_dnc_detection": True,
    "conversion": "",
}

# Retell's limits; ours start at 15 s of ringing (US telemarketing rule: 15 s or four rings).
CALL_MINUTES = (1, 60)
RING_SECONDS = (15, 120)
VOICE_SPEED = (0.5, 2.0)

LANGUAGES = (
    ("en-US", _("English (United States)")),
    ("en-GB", _("English (United Kingdom)")),
    ("en-AU", _("English (Australia)")),
    ("en-IN", _("English (India)")),
    ("es-ES", _("Spanish (Spain)")),
    ("es-419", _("Spanish (Latin America)")),
    ("pt-BR", _("Portuguese (Brazil)")),
    ("pt-PT", _("Portuguese (Portugal)")),
    ("fr-FR", _("French (France)")),
    ("fr-CA", _("French (Canada)")),
    ("de-DE", _("German")),
    ("it-IT", _("Italian")),
    ("nl-NL", _("Dutch")),
    ("pl-PL", _("Polish")),
    ("hi-IN", _("Hindi")),
    ("ja-JP", _("Japanese")),
    ("zh-CN", _("Chinese (Mandarin)")),
)


def with_defaults(stored: Mapping[str, Any]) -> CampaignSettings:
    """Return stored settings with today's defaults for what is missing; unknown names are dropped."""
    known = {name: stored[name] for name in DEFAULTS if name in stored}
    return cast("CampaignSettings", {**DEFAULTS, **known})


def max_call_seconds(stored: Mapping[str, Any]) -> int:
    """Return the longest a call may last, in whole seconds."""
    return with_defaults(stored)["max_call_duration_ms"] // 1000
