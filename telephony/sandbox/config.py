"""What a sandbox is started with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from pathlib import Path

    from convomono.lib.clock import Clock

Profile = Literal["cold", "warm"]
_PRODUCTION_KEY = re.compile(r"key_[0-9a-f]{16,}")


class ProductionKeyRefused(Exception):
    """Somebody gave the sandbox a key that looks like a real one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """Webhooks go to the agent's own address, or else to webhook_url; none when both are empty."""

    clock: Clock
    host: str = "127.0.0.1"
    port: int = 8010
    api_key: str = "sandbox"
    webhook_url: str = ""
    webhook_key: str = "sandbox-webhook"
    seed: int = 1
    profile: Profile = "warm"
    concurrency: int = 20
    calls_per_second: float = 1.0
    state_file: Path | None = None

    def __post_init__(self) -> None:
        for key in (self.api_key, self.webhook_key):
            if looks_like_production(key):
                raise ProductionKeyRefused(
                    "This is the sandbox. It refuses keys that look like Retell's own (key_…)."
                )


def looks_like_production(key: str) -> bool:
    return _PRODUCTION_KEY.fullmatch(key) is not None
