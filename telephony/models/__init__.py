"""Numbers we call from, agents as they exist at Retell, and calls as Retell reports them."""

from __future__ import annotations

from telephony.models.calls import Call, CallDetail, CallLookup, Recording, VoiceAgent
from telephony.models.erasures import CallErasure
from telephony.models.numbers import (
    NumberDay,
    NumberLease,
    NumberOrder,
    PhoneNumber,
    PhoneNumberQuerySet,
)

__all__ = [
    "Call",
    "CallDetail",
    "CallErasure",
    "CallLookup",
    "NumberDay",
    "NumberLease",
    "NumberOrder",
    "PhoneNumber",
    "PhoneNumberQuerySet",
    "Recording",
    "VoiceAgent",
]
