"""The voices one can choose from."""

from __future__ import annotations

from typing import Any


def _voice(voice_id: str, gender: str, accent: str, age: str) -> dict[str, Any]:
    provider = {"11labs": "elevenlabs", "openai": "openai", "cartesia": "cartesia"}
    prefix, name = voice_id.split("-", 1)
    return {
        "voice_id": voice_id,
        "voice_name": name,
        "provider": provider.get(prefix, "platform"),
        "gender": gender,
        "accent": accent,
        "age": age,
    }


VOICES: dict[str, dict[str, Any]] = {
    voice["voice_id"]: voice
    for voice in (
        _voice("11labs-Adrian", "male", "American", "Young"),
        _voice("11labs-Anna", "female", "American", "Young"),
        _voice("11labs-Anthony", "male", "British", "Middle Aged"),
        _voice("11labs-Billy", "male", "American", "Young"),
        _voice("11labs-Cimo", "female", "American", "Middle Aged"),
        _voice("11labs-Dorothy", "female", "British", "Young"),
        _voice("11labs-Grace", "female", "American", "Middle Aged"),
        _voice("11labs-Julia", "female", "American", "Young"),
        _voice("11labs-Lily", "female", "British", "Middle Aged"),
        _voice("11labs-Marissa", "female", "American", "Young"),
        _voice("11labs-Myra", "female", "American", "Middle Aged"),
        _voice("11labs-Noah", "male", "American", "Young"),
        _voice("11labs-Paul", "male", "American", "Middle Aged"),
        _voice("11labs-Samad", "male", "Indian", "Middle Aged"),
        _voice("11labs-Santiago", "male", "Spanish", "Middle Aged"),
        _voice("cartesia-Brian", "male", "American", "Middle Aged"),
        _voice("cartesia-Sarah", "female", "American", "Young"),
        _voice("openai-Alloy", "female", "American", "Young"),
        _voice("openai-Echo", "male", "American", "Young"),
        _voice("openai-Nova", "female", "American", "Young"),
        _voice("retell-Cimo", "female", "American", "Middle Aged"),
        _voice("retell-Grace", "female", "American", "Middle Aged"),
    )
}
