"""Agents, their versions and their prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.routing import Route

from telephony.sandbox.endpoints.exchange import answer, body_of, nothing, page, world_of
from telephony.sandbox.filters import matches
from telephony.sandbox.refusals import bad_request

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from telephony.sandbox.versions import Document


async def create_agent(request: Request) -> Response:
    world = world_of(request)
    agent = world.agents.create_agent(await body_of(request))
    world.changed()
    return answer(agent, 201)


async def get_agent(request: Request) -> Response:
    agents = world_of(request).agents.agents
    return answer(agents.get(request.path_params["id"], request.query_params.get("version")))


async def update_agent(request: Request) -> Response:
    world = world_of(request)
    version = request.query_params.get("version")
    agent = world.agents.update_agent(request.path_params["id"], version, await body_of(request))
    world.changed()
    return answer(agent)


async def list_agents(request: Request) -> Response:
    """Page by the query string, filter by the body."""
    criteria = (await body_of(request)).get("filter_criteria") or {}
    agents = [_agent_item(agent) for agent in world_of(request).agents.agents.latest()]
    channel, query = criteria.get("channel"), str(criteria.get("query") or "").lower()
    if channel:
        agents = [item for item in agents if matches(channel, item["channel"])]
    if criteria.get("is_transfer_agent"):
        agents = [it for it in agents if matches(criteria["is_transfer_agent"], False)]
    agents = [it for it in agents if query in f"{it['agent_name']} {it['agent_id']}".lower()]
    return answer(page(agents, request.query_params, key=lambda item: str(item["agent_id"])))


def _agent_item(agent: Document) -> dict[str, Any]:
    return {
        "agent_id": agent["agent_id"],
        "agent_name": agent.get("agent_name") or "",
        "channel": "voice",
        "is_suspended": False,
        "tags": {},
        "user_modified_timestamp": agent["last_modification_timestamp"],
    }


async def delete_agent(request: Request) -> Response:
    world = world_of(request)
    world.agents.agents.delete(request.path_params["id"])
    world.changed()
    return nothing()


async def create_agent_version(request: Request) -> Response:
    world = world_of(request)
    base = (await body_of(request)).get("base_version")
    if not isinstance(base, int):
        raise bad_request("base_version is required.")
    agent = world.agents.create_version(request.path_params["id"], base)
    world.changed()
    return answer(agent, 201)


async def list_agent_versions(request: Request) -> Response:
    fields = ("version", "is_published", "last_modification_timestamp", "base_version")
    titles = ("version_title", "version_description")
    versions = [
        {name: agent[name] for name in (*fields, *titles) if agent.get(name) is not None}
        for agent in world_of(request).agents.agents.versions(request.path_params["id"])
    ]
    return answer(page(versions, request.query_params, key=lambda item: str(item["version"])))


async def publish_agent_version(request: Request) -> Response:
    world = world_of(request)
    body = await body_of(request)
    if not isinstance(body.get("version"), int):
        raise bad_request("version is required.")
    titles: Document = {
        name: body[name] for name in ("version_title", "version_description") if name in body
    }
    world.agents.publish(request.path_params["id"], body["version"], titles)
    world.changed()
    return nothing(200)


async def delete_agent_version(request: Request) -> Response:
    world = world_of(request)
    version = request.query_params.get("version", "")
    if not version.isdigit():
        raise bad_request("version is required.")
    world.agents.agents.delete_version(request.path_params["id"], int(version))
    world.changed()
    return nothing()


async def create_llm(request: Request) -> Response:
    world = world_of(request)
    llm = world.agents.create_llm(await body_of(request))
    world.changed()
    return answer(llm, 201)


async def get_llm(request: Request) -> Response:
    llms = world_of(request).agents.llms
    return answer(llms.get(request.path_params["id"], request.query_params.get("version")))


async def update_llm(request: Request) -> Response:
    world = world_of(request)
    version = request.query_params.get("version")
    llm = world.agents.update_llm(request.path_params["id"], version, await body_of(request))
    world.changed()
    return answer(llm)


async def list_llms(request: Request) -> Response:
    llms = list(world_of(request).agents.llms.latest())
    return answer(page(llms, request.query_params, key=lambda item: str(item["llm_id"])))


async def delete_llm(request: Request) -> Response:
    world = world_of(request)
    force = request.query_params.get("force_delete") == "true"
    world.agents.delete_llm(request.path_params["id"], force=force)
    world.changed()
    return nothing()


routes = [
    Route("/create-agent", create_agent, methods=["POST"]),
    Route("/get-agent/{id}", get_agent),
    Route("/update-agent/{id}", update_agent, methods=["PATCH"]),
    Route("/v2/list-agents", list_agents, methods=["POST"]),
    Route("/delete-agent/{id}", delete_agent, methods=["DELETE"]),
    Route("/create-agent-version/{id}", create_agent_version, methods=["POST"]),
    Route("/list-agent-versions/{id}", list_agent_versions),
    Route("/publish-agent-version/{id}", publish_agent_version, methods=["POST"]),
    Route("/delete-agent-version/{id}", delete_agent_version, methods=["DELETE"]),
    Route("/create-retell-llm", create_llm, methods=["POST"]),
    Route("/get-retell-llm/{id}", get_llm),
    Route("/update-retell-llm/{id}", update_llm, methods=["PATCH"]),
    Route("/v2/list-retell-llms", list_llms),
    Route("/delete-retell-llm/{id}", delete_llm, methods=["DELETE"]),
]
