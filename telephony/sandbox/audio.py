"""Recordings: small WAV files that hum where somebody speaks, so that players have work."""

from __future__ import annotations

import io
import math
import wave
from functools import cache
from typing import TYPE_CHECKING

from telephony.sandbox.scripts import read_script
from telephony.sandbox.transcripts import transcribe

if TYPE_CHECKING:
    from telephony.sandbox.calls import Call

_RATE = 4_000  # 8 bit: 4 kB a second
_LONGEST_SECONDS = 300
_HERTZ = {"agent": 180, "user": 120}
_SILENCE = b"\x80"


@cache
def _hum(role: str) -> bytes:
    """Return one second of a soft tone."""
    step = 2 * math.pi * _HERTZ[role] / _RATE
    return bytes(128 + round(24 * math.sin(step * i)) for i in range(_RATE))


def recording(call: Call, channels: int) -> bytes:
    """Return the call as a WAV file; with two channels the person is on the right one."""
    seconds = min(_LONGEST_SECONDS, call.duration_ms / 1000)
    tracks = {role: bytearray(_SILENCE * round(seconds * _RATE)) for role in _HERTZ}
    script = read_script(agent=call.agent, llm=call.llm, variables=call.variables)
    for utterance in transcribe(script=script, plan=call.plan):
        first, last = (round(min(seconds, t) * _RATE) for t in (utterance.start, utterance.end))
        if utterance.words and last > first:
            hum = _hum(utterance.turn.role) * (1 + (last - first) // _RATE)
            track = tracks[utterance.turn.role if channels > 1 else "agent"]
            track[first:last] = hum[: last - first]
    frames = bytes(tracks["agent"])
    if channels > 1:
        woven = bytearray(2 * len(frames))
        woven[0::2], woven[1::2] = tracks["agent"], tracks["user"]
        frames = bytes(woven)
    return _wav(frames, channels)


@cache
def voice_sample(voice_id: str) -> bytes:
    """Return two seconds of a hum whose pitch is the voice's own."""
    hertz = 100 + sum(voice_id.encode()) % 160
    step = 2 * math.pi * hertz / _RATE
    return _wav(bytes(128 + round(24 * math.sin(step * i)) for i in range(2 * _RATE)), 1)


def _wav(frames: bytes, channels: int) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setnchannels(channels)
        writer.setsampwidth(1)
        writer.setframerate(_RATE)
        writer.writeframes(frames)
    return file.getvalue()
