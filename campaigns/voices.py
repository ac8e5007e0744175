"""The voices to choose from: Retell's list, kept for an hour so that the form never waits for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from django.core.cache import cache

from telephony.provider import ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from telephony.retell import RetellGateway

KEPT_SECONDS = 3600
# The last list that was had, in case Retell is away when the hour is over.
SPARE_SECONDS = 30 * 24 * 3600
_KEY, _SPARE = "voices:3", "voices:3:spare"


@dataclass(frozen=True)
class VoiceChoice:
    """A voice as the form shows it."""

    voice_id: str
    name: str
    about: str  # gender, accent, age
    preview_url: str
    gender: str = ""
    accent: str = ""
    provider: str = ""


def voice_choices(gateway: RetellGateway) -> list[VoiceChoice]:
    """Return the voices by name; the last known ones, or none, while Retell doesn't answer."""
    kept = cache.get(_KEY)
    if kept is None:
        try:
            kept = [asdict(choice) for choice in _ask(gateway)]
        except ProviderError:
            kept = cache.get(_SPARE, [])
        else:
            cache.set(_KEY, kept, KEPT_SECONDS)
            cache.set(_SPARE, kept, SPARE_SECONDS)
    return [VoiceChoice(**row) for row in kept]


def known_name(voice_id: str) -> str:
    """Return a voice's name from the last list that was had, without asking Retell; "" if it isn't there."""
    rows = cache.get(_KEY) or cache.get(_SPARE, [])
    return next((row["name"] for row in rows if row["voice_id"] == voice_id), "")


@dataclass(frozen=True)
class VoiceList:
    """The voices somebody looks at, and what they may filter by."""

    shown: list[VoiceChoice]
    genders: list[str]
    accents: list[str]
    gender: str
    accent: str
    q: str

    @property
    def ids(self) -> set[str]:
        return {voice.voice_id for voice in self.shown}


def filter_voices(
    voices: Sequence[VoiceChoice], asked: Mapping[str, str], chosen: str
) -> VoiceList:
    """Return the voices that match what the query string asks for, and the chosen one always."""
    gender, accent = asked.get("gender", ""), asked.get("accent", "")
    q = asked.get("q", "").strip()[:80]
    shown = [
        voice
        for voice in voices
        if voice.voice_id == chosen
        or (
            gender in {"", voice.gender}
            and accent in {"", voice.accent}
            and q.casefold() in f"{voice.name} {voice.about}".casefold()
        )
    ]
    return VoiceList(
        shown=shown,
        genders=sorted({voice.gender for voice in voices if voice.gender}),
        accents=sorted({voice.accent for voice in voices if voice.accent}),
        gender=gender,
        accent=accent,
        q=q,
    )


def _ask(gateway: RetellGateway) -> list[VoiceChoice]:
    found = [
        VoiceChoice(
            voice_id=voice.voice_id,
            name=voice.name,
            about=", ".join(part for part in (voice.gender, voice.accent, voice.age) if part),
            preview_url=voice.preview_audio_url,
            gender=voice.gender,
            accent=voice.accent,
            provider=voice.provider,
        )
        for voice in gateway.list_voices()
    ]
    return sorted(found, key=lambda choice: (choice.name.casefold(), choice.voice_id))
