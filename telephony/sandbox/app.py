"""The sandbox as an ASGI application."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.middleware import Middleware

from telephony.sandbox.config import looks_like_production
from telephony.sandbox.endpoints import agents, calls, control, knowledge, twilio, workspace
from telephony.sandbox.misbehaviour import Misbehaviour, failure
from telephony.sandbox.refusals import Refused
from telephony.sandbox.snapshot import Snapshot
from telephony.sandbox.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp, Receive, Scope, Send

    from telephony.sandbox.config import Config

_OPEN = ("/_sandbox", "/healthz", "/recordings", "/twilio/")  # the last looks for itself


class BearerCheck:
    """ASGI middleware: the configured key opens Retell's paths, none looks like a real one."""

    def __init__(self, app: ASGIApp, api_key: str) -> None:
        self._app = app
        self._expected = f"Bearer {api_key}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope.get("path", "")
        app = self._app
        if scope["type"] == "http" and path != "/" and not path.startswith(_OPEN):
            given = dict(scope["headers"]).get(b"authorization", b"").decode("latin-1")
            if looks_like_production(given.removeprefix("Bearer ")):
                app = failure(401, "This is the sandbox: keep production keys away from it.")
            elif given != self._expected:
                app = failure(401, "API key is missing or invalid.")
        await app(scope, receive, send)


async def refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    return failure(error.status, error.message, error.headers)


def create_app(config: Config) -> Starlette:
    """Return a sandbox of its own, with nothing in it but what its state file holds."""
    world = World(config)
    snapshot = Snapshot(world, config.state_file) if config.state_file else None

    @contextlib.asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        if snapshot:
            snapshot.load()
        yield
        if snapshot:
            snapshot.close()
        await world.courier.close()

    app = Starlette(
        routes=[
            *agents.routes,
            *calls.routes,
            *workspace.routes,
            *knowledge.routes,
            *twilio.routes,
            *control.routes,
        ],
        middleware=[
            Middleware(BearerCheck, api_key=config.api_key),
            Middleware(Misbehaviour, world=world),
        ],
        exception_handlers={Refused: refuse},
        lifespan=lifespan,
    )
    app.state.world = world
    return app
