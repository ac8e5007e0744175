"""Knowledge bases, multipart as the SDK sends it, and the playground that asks them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from starlette.datastructures import UploadFile
from starlette.routing import Route

from telephony.sandbox.agents import new_id
from telephony.sandbox.endpoints.exchange import answer, body_of, nothing, world_of
from telephony.sandbox.knowledge import file_source, text_source, url_source
from telephony.sandbox.playground import next_line
from telephony.sandbox.refusals import bad_request, not_found
from telephony.sandbox.scripts import read_script

if TYPE_CHECKING:
    from starlette.datastructures import FormData
    from starlette.requests import Request
    from starlette.responses import Response

    from telephony.sandbox.versions import Document
    from telephony.sandbox.world import World

_SIZES = ("max_chunk_size", "min_chunk_size")


async def create_base(request: Request) -> Response:
    world = world_of(request)
    async with request.form() as form:
        name = str(form.get("knowledge_base_name") or "")
        options = {size: int(str(form[size])) for size in _SIZES if size in form}
        refresh = {"enable_auto_refresh": form.get("enable_auto_refresh") == "true"}
        base = world.knowledge.create(name, await _sources(form), {**options, **refresh})
    world.changed()
    return answer(_shown(world, base), 201)


async def add_sources(request: Request) -> Response:
    world = world_of(request)
    async with request.form() as form:
        base = world.knowledge.add(request.path_params["id"], await _sources(form))
    world.changed()
    return answer(_shown(world, base), 201)


async def _sources(form: FormData) -> list[Document]:
    """Texts and addresses are one part each, holding a JSON array; files are repeated parts."""
    texts = _array(form, "knowledge_base_texts")
    sources = [text_source(str(it.get("title")), str(it.get("text"))) for it in texts]
    sources += [url_source(str(url)) for url in _array(form, "knowledge_base_urls")]
    for part in form.getlist("knowledge_base_files"):
        if isinstance(part, UploadFile):
            sources.append(file_source(part.filename or "file", await part.read()))
    return sources


def _array(form: FormData, name: str) -> list[Any]:
    try:
        content = json.loads(str(form.get(name) or "[]"))
    except json.JSONDecodeError:
        raise bad_request(f"{name} must be a JSON array.") from None
    if not isinstance(content, list):
        raise bad_request(f"{name} must be a JSON array.")
    return content


def _shown(world: World, base: Document) -> Document:
    return world.knowledge.document(
        base,
        stuck=world.faults.strikes("knowledge_stuck") is not None,
        failed=world.faults.strikes("knowledge_error") is not None,
    )


async def get_base(request: Request) -> Response:
    world = world_of(request)
    return answer(_shown(world, world.knowledge.get(request.path_params["id"])))


async def list_bases(request: Request) -> Response:
    world = world_of(request)
    return answer([_shown(world, base) for base in world.knowledge.bases.values()])


async def delete_source(request: Request) -> Response:
    world = world_of(request)
    base = world.knowledge.delete_source(
        request.path_params["id"], request.path_params["source_id"]
    )
    world.changed()
    return answer(_shown(world, base))


async def delete_base(request: Request) -> Response:
    world = world_of(request)
    world.knowledge.delete(request.path_params["id"])
    world.changed()
    return nothing()


async def complete(request: Request) -> Response:
    """Say the agent's next line, and what it looked up for that."""
    world = world_of(request)
    body = await body_of(request)
    version = request.query_params.get("version")
    agent = world.agents.agents.get(request.path_params["id"], version)
    messages = body.get("messages")
    if not isinstance(messages, list):
        raise bad_request("messages is required.")
    variables = body.get("dynamic_variables") or {}
    return answer(_completion(world, agent, messages, variables))


def _completion(
    world: World, agent: Document, messages: list[Document], variables: dict[str, str]
) -> Document:
    llm = world.agents.llm_of(agent)
    asked = next((str(it.get("content")) for it in messages[::-1] if it.get("role") == "user"), "")
    top_k = (llm.get("kb_config") or {}).get("top_k", 3)
    passages = world.knowledge.retrieve(llm.get("knowledge_base_ids") or [], asked, top_k)
    script = read_script(agent=agent, llm=llm, variables=variables)
    said = [str(item.get("content")) for item in messages if item.get("role") == "agent"]
    line, ended = next_line(script, said=said, asked=asked, passages=passages)
    message = {
        "role": "agent",
        "content": line,
        "message_id": new_id("message_", 16),
        "created_timestamp": world.clock.now_ms(),
    }
    return {
        "messages": [message],
        "knowledge_base_retrieved_contents": passages,
        "call_ended": ended,
    }


async def create_chat(request: Request) -> Response:
    world = world_of(request)
    body = await body_of(request)
    agent = world.agents.agents.get(body.get("agent_id", ""), body.get("agent_version"))
    chat = {
        "chat_id": new_id("chat_", 26),
        "agent_id": agent["agent_id"],
        "chat_status": "ongoing",
        "start_timestamp": world.clock.now_ms(),
    }
    variables = body.get("retell_llm_dynamic_variables") or {}
    world.chats[chat["chat_id"]] = {"agent": agent, "messages": [], "variables": variables}
    return answer(chat, 201)


async def complete_chat(request: Request) -> Response:
    world = world_of(request)
    body = await body_of(request)
    chat = world.chats.get(body.get("chat_id", ""))
    if chat is None:
        raise not_found()
    chat["messages"].append({"role": "user", "content": str(body.get("content"))})
    completion = _completion(world, chat["agent"], chat["messages"], chat["variables"])
    chat["messages"] += completion["messages"]
    return answer({"messages": completion["messages"]}, 201)


async def end_chat(request: Request) -> Response:
    if world_of(request).chats.pop(request.path_params["id"], None) is None:
        raise not_found()
    return nothing()


routes = [
    Route("/create-knowledge-base", create_base, methods=["POST"]),
    Route("/add-knowledge-base-sources/{id}", add_sources, methods=["POST"]),
    Route("/get-knowledge-base/{id}", get_base),
    Route("/list-knowledge-bases", list_bases),
    Route(
        "/delete-knowledge-base-source/{id}/source/{source_id}", delete_source, methods=["DELETE"]
    ),
    Route("/delete-knowledge-base/{id}", delete_base, methods=["DELETE"]),
    Route("/agent-playground-completion/{id}", complete, methods=["POST"]),
    Route("/create-chat", create_chat, methods=["POST"]),
    Route("/create-chat-completion", complete_chat, methods=["POST"]),
    Route("/end-chat/{id}", end_chat, methods=["PATCH"]),
]
