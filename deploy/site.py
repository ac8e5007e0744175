"""
One installation on one machine: its processes, their environment and their shared clock.

`docs/deployment.md` has the same processes for servers.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from deploy.supervisor import Program

if TYPE_CHECKING:
    from pathlib import Path

HOST = "127.0.0.1"
# What calls wait for, what takes minutes, and what may take hours: none stands behind another.
QUEUES = {
    "worker": ("calls", "default"),
    "bulk": ("imports", "reports", "copies"),
    "history": ("history",),
}
# A second file, or an export, needs no import's end.
WORKERS = {**QUEUES, "bulk-2": QUEUES["bulk"]}
WEBHOOK_KEY = "sandbox-webhook"


@dataclass(frozen=True)
class Sandbox:
    """The local Retell and how fast its time runs."""

    port: int
    clock_factor: float
    limits: tuple[tuple[str, int], ...] = ()  # options that differ from the sandbox's own

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        """Point the product at the sandbox, whatever the shell says: nothing must ring or cost."""
        return {
            "RETELL_BASE_URL": self.url,
            "RETELL_API_KEY": "sandbox",
            "RETELL_WEBHOOK_KEY": WEBHOOK_KEY,
            "TWILIO_BASE_URL": f"{self.url}/twilio",
            "TWILIO_ACCOUNT_SID": "ACsandbox",
            "TWILIO_AUTH_TOKEN": "sandbox",
            "TWILIO_TRUNK_SID": "TKsandbox",
            "TWILIO_TERMINATION_URI": "sandbox.pstn.twilio.com",
            "TWILIO_SIP_USERNAME": "",
            "TWILIO_SIP_PASSWORD": "",
        }

    def options(self, *, webhook_url: str, state: Path) -> list[str]:
        return [
            f"--host={HOST}",
            f"--port={self.port}",
            "--api-key=sandbox",
            f"--webhook-url={webhook_url}",
            f"--webhook-key={WEBHOOK_KEY}",
            f"--clock-factor={self.clock_factor:g}",
            f"--state={state}",
            *(f"--{name}={limit}" for name, limit in self.limits),
        ]


@dataclass(frozen=True)
class SharedClock:
    """
    The faster clock that dialling, windows and the sandbox share.

    It is kept beside the database: a later run goes on where the last one stopped, so time never
    runs backwards over the same rows.
    """

    path: Path
    factor: float
    real: float
    simulated: float

    @classmethod
    def at(cls, path: Path, *, factor: float, now: float) -> SharedClock:
        last = json.loads(path.read_text())["simulated"] if path.exists() else 0.0
        return cls(path, factor, real=now, simulated=max(now, last))

    def environment(self) -> dict[str, str]:
        return {
            "SANDBOX_CLOCK_FACTOR": f"{self.factor:g}",
            "SANDBOX_CLOCK_REAL": repr(self.real),
            "SANDBOX_CLOCK_SIM": repr(self.simulated),
        }

    def save(self, *, now: float) -> None:
        simulated = self.simulated + (now - self.real) * self.factor
        fresh = self.path.with_suffix(".new")
        fresh.write_text(json.dumps({"simulated": simulated}))
        fresh.replace(self.path)


@dataclass(frozen=True)
class Site:
    """One installation: its Python, its folder and its addresses."""

    python: Path
    var: Path
    port: int
    sandbox: Sandbox | None

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}"

    def environment(self) -> dict[str, str]:
        """
        Return the children's environment: the user's variables win over the defaults.

        Not over what keeps the sandbox and real calls apart.
        """
        defaults = {
            "DJANGO_SETTINGS_MODULE": "convomono.settings.development",
            "PUBLIC_BASE_URL": self.url,
            "RETELL_BASE_URL": "https://api.retellai.com",
            "PYTHONUNBUFFERED": "1",
            # macOS kills a process that forks after touching its frameworks, as RQ's worker does.
            "OBJC_DISABLE_INITIALIZE_FORK_SAFETY": "YES",
        }
        users = dict(os.environ)
        if self.sandbox:
            users.update(self.sandbox.environment())
        else:
            users = {name: users[name] for name in users if not name.startswith("SANDBOX_")}
        return {**defaults, **users, "VAR_DIR": str(self.var)}

    def manage(self, *words: str) -> list[str]:
        return [str(self.python), "manage.py", *words]

    def sandbox_program(self) -> Program:
        assert self.sandbox is not None
        webhook_url = f"{self.url}/api/v1/webhooks/retell"
        options = self.sandbox.options(webhook_url=webhook_url, state=self.var / "sandbox.json")
        return Program("sandbox", [str(self.python), "-m", "telephony.sandbox", *options])

    def drains(self) -> list[Program]:
        """Return a drain for each part of the inbox that `DRAIN_SHARDS` in the environment asks for."""
        count = int(os.environ.get("DRAIN_SHARDS") or 1)
        if count < 2:  # noqa: PLR2004
            return [Program("drain", self.manage("drain"))]
        return [
            Program(f"drain-{index}", self.manage("drain", f"--shard={index}"))
            for index in range(count)
        ]

    def programs(self) -> list[Program]:
        """Return the processes of architecture: web, workers, drain, dispatcher, cron."""
        web = ["uvicorn", "convomono.asgi:application", f"--host={HOST}", f"--port={self.port}"]
        web += ["--log-level=warning", "--no-access-log", "--timeout-graceful-shutdown=3"]
        # An idle worker wakes every 30 s with this TTL; by default it looks for the jobs of killed
        # workers every 405 s only.
        options = ["--with-scheduler", "--worker-ttl=45", "--verbosity=0"]
        cron = ["rqcron", "convomono.schedule", "--logging-level=WARNING"]
        return [
            Program("web", [str(self.python), "-m", *web]),
            *(
                Program(name, self.manage("rqworker", *queues, *options))
                for name, queues in WORKERS.items()
            ),
            *self.drains(),
            Program("dispatcher", self.manage("dispatch")),
            Program("cron", self.manage(*cron)),
        ]
