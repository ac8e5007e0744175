"""Starts the Retell sandbox: python -m telephony.sandbox --help"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import uvicorn

from convomono.lib import env
from convomono.lib.clock import MAX_FACTOR, Clock
from telephony.sandbox.app import create_app
from telephony.sandbox.config import Config, ProductionKeyRefused
from telephony.sandbox.protocol import BreakableProtocol


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m telephony.sandbox",
        description="A local Retell for the real SDK. Nothing rings. "
        "Each option may also be set in the environment: SANDBOX_PORT, SANDBOX_SEED, ...",
    )
    add = parser.add_argument
    add("--host", default=env.text("SANDBOX_HOST", "127.0.0.1"))
    add("--port", type=int, default=env.integer("SANDBOX_PORT", 8010))
    add("--api-key", default=env.text("SANDBOX_API_KEY", "sandbox"))
    add("--webhook-url", default=env.text("SANDBOX_WEBHOOK_URL", ""))
    add("--webhook-key", default=env.text("SANDBOX_WEBHOOK_KEY", "sandbox-webhook"))
    add("--seed", type=int, default=env.integer("SANDBOX_SEED", 1))
    add("--clock-factor", type=float, default=env.number("SANDBOX_CLOCK_FACTOR", 20))
    add("--profile", choices=("cold", "warm"), default=env.text("SANDBOX_PROFILE", "warm"))
    add("--concurrency", type=int, default=env.integer("SANDBOX_CONCURRENCY", 20))
    add(
        "--calls-per-second",
        type=float,
        default=env.number("SANDBOX_CALLS_PER_SECOND", 1),
        help="in simulated seconds",
    )
    add("--state", default=env.text("SANDBOX_STATE", ""), help="a file to remember things in")
    options = parser.parse_args(arguments)
    if not 1 <= options.clock_factor <= MAX_FACTOR:
        parser.error(f"--clock-factor must be between 1 and {MAX_FACTOR}.")
    return options


def _config(options: argparse.Namespace) -> Config:
    real = env.number("SANDBOX_CLOCK_REAL", time.time())
    clock = Clock(
        factor=options.clock_factor,
        real_anchor=real,
        sim_anchor=env.number("SANDBOX_CLOCK_SIM", real),
    )
    return Config(
        clock=clock,
        host=options.host,
        port=options.port,
        api_key=options.api_key,
        webhook_url=options.webhook_url,
        webhook_key=options.webhook_key,
        seed=options.seed,
        profile=options.profile,
        concurrency=options.concurrency,
        calls_per_second=options.calls_per_second,
        state_file=Path(options.state) if options.state else None,
    )


def main(arguments: list[str]) -> int:
    options = _options(arguments)
    try:
        config = _config(options)
    except ProductionKeyRefused as refused:
        sys.stderr.write(f"{refused}\n")
        return 2
    sys.stdout.write(f"SANDBOX on http://{config.host}:{config.port}: nothing rings.\n")
    uvicorn.run(
        create_app(config),
        host=config.host,
        port=config.port,
        http=BreakableProtocol,
        access_log=False,
        log_level="warning",
        backlog=4096,
        timeout_graceful_shutdown=1,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
