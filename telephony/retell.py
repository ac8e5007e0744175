"""The one door to Retell: its SDK, and what its failures mean to us."""

from __future__ import annotations

import functools
import json
from typing import TYPE_CHECKING, Any

import httpx
from django.conf import settings
from retell import APIConnectionError, APIError, APIStatusError, Retell

from telephony import payloads
from telephony.payloads import given
from telephony.provider import (
    Agent,
    AgentSettings,
    Batch,
    BatchTask,
    CallPage,
    CallTimeWindow,
    Concurrency,
    Identity,
    KnowledgeBase,
    KnowledgeFile,
    KnowledgeText,
    Llm,
    LlmSettings,
    PlacedCall,
    PlaygroundAnswer,
    PlaygroundMessage,
    ProviderCall,
    ProviderError,
    Unavailable,
    UnknownOutcome,
    Voice,
)
from telephony.refusals import refusal
from telephony.retell_numbers import WorkspaceNumbers
from telephony.retell_objects import WorkspaceObjects

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime

_NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)


class RetellGateway(WorkspaceObjects, WorkspaceNumbers):
    """
    Retell's API in our terms.

    Every method may raise Rejected (and its kinds), RateLimited or Unavailable. Those that create
    something are sent once and may raise UnknownOutcome; those that read or set are repeated
    twice by the SDK first. Safe to share between threads.
    """

    def __init__(
        self,
        *,
        api_key: str,
        base_url: str | None = None,
        timeout_seconds: float = 20,
        dial_timeout_seconds: float = 30,
        strict: bool = False,
    ) -> None:
        self._dial_timeout = httpx.Timeout(dial_timeout_seconds, connect=5)
        self._asks = _ask
        self._creates = _create
        self._client = Retell(
            api_key=api_key,
            base_url=base_url or None,
            timeout=httpx.Timeout(timeout_seconds, connect=5),
            _strict_response_validation=strict,
        )

    def close(self) -> None:
        """Give the connections back."""
        self._client.close()

    # Agents and their prompts

    def create_llm(self, *, settings: LlmSettings) -> Llm:
        body = payloads.llm_body(settings)
        return _create(lambda: self._client.llm.create(**body, max_retries=0), payloads.read_llm)

    def update_llm(self, *, llm_id: str, version: int, settings: LlmSettings) -> Llm:
        """Change a draft's prompt; a published version is refused."""
        body = payloads.llm_body(settings)
        return _ask(
            lambda: self._client.llm.update(llm_id, version=version, **body), payloads.read_llm
        )

    def create_agent(self, *, llm: Llm, settings: AgentSettings) -> Agent:
        """Create version 0 of an agent, a draft."""
        engine = {"type": "retell-llm", "llm_id": llm.llm_id, "version": llm.version}
        body = {**payloads.agent_body(settings), "response_engine": engine}
        return _create(
            lambda: self._client.agent.create(**body, max_retries=0), payloads.read_agent
        )

    def retrieve_agent(self, *, agent_id: str, version: int | str = "latest") -> Agent:
        """Read one version: a number, a tag, latest or latest_published."""
        return _ask(
            lambda: self._client.agent.retrieve(agent_id, version=version), payloads.read_agent
        )

    def update_agent(self, *, agent_id: str, version: int, settings: AgentSettings) -> Agent:
        """Change a draft; a published version is refused."""
        body = payloads.agent_body(settings)
        update = self._client.agent.update
        return _ask(lambda: update(agent_id, version=version, **body), payloads.read_agent)

    def create_agent_version(self, *, agent_id: str, base_version: int) -> Agent:
        """Start the next draft as a copy; its prompt engine gets the same version number."""
        create = self._client.agent.create_version
        return _create(
            lambda: create(agent_id, base_version=base_version, max_retries=0), payloads.read_agent
        )

    def publish_agent(self, *, agent_id: str, version: int, title: str = "") -> None:
        """Freeze a draft so that calls may name it. Publishing again changes nothing."""
        body = given({"version_title": title or None})
        _ask(
            lambda: self._client.agent.publish(agent_id, version=version, **body),
            payloads.read_nothing,
        )

    def list_voices(self) -> tuple[Voice, ...]:
        return _ask(self._client.voice.list, lambda answer: tuple(map(payloads.read_voice, answer)))

    def playground(
        self,
        *,
        agent_id: str,
        messages: Sequence[PlaygroundMessage],
        version: int | str = "latest",
        dynamic_variables: Mapping[str, str] | None = None,
    ) -> PlaygroundAnswer:
        """Ask what the agent would say next. Stateless, no phone; billed per message."""
        history: Any = [{"role": item.role, "content": item.content} for item in messages]
        return _ask(
            lambda: self._client.playground.completion(
                agent_id,
                messages=history,
                version=version,
                dynamic_variables=dict(dynamic_variables or {}),
                max_retries=0,
            ),
            payloads.read_playground,
        )

    # Knowledge bases

    def create_knowledge_base(
        self,
        *,
        name: str,
        texts: Sequence[KnowledgeText] = (),
        urls: Sequence[str] = (),
        files: Sequence[KnowledgeFile] = (),
        enable_auto_refresh: bool = False,
    ) -> KnowledgeBase:
        """Begin indexing; poll retrieve_knowledge_base until complete or error (no webhook)."""
        body = given(
            {
                "knowledge_base_name": name,
                "knowledge_base_texts": [{"title": t.title, "text": t.text} for t in texts] or None,
                "knowledge_base_urls": list(urls) or None,
                "knowledge_base_files": [(f.filename, f.content) for f in files] or None,
                "enable_auto_refresh": enable_auto_refresh or None,
            }
        )
        create = self._client.knowledge_base.create
        return _create(lambda: create(**body, max_retries=0), payloads.read_knowledge_base)

    def retrieve_knowledge_base(self, *, knowledge_base_id: str) -> KnowledgeBase:
        retrieve = self._client.knowledge_base.retrieve
        return _ask(lambda: retrieve(knowledge_base_id), payloads.read_knowledge_base)

    # Calls

    def create_phone_call(  # noqa: PLR0913 - what one dial needs, each by name
        self,
        *,
        idempotency_key: str,
        from_number: str,
        to_number: str,
        agent_id: str,
        agent_version: int | str,
        dynamic_variables: Mapping[str, str],
        metadata: Mapping[str, str],
        max_call_duration_ms: int,
        ring_duration_ms: int | None = None,
    ) -> PlacedCall:
        """
        Dial, exactly once.

        Repeating it unchanged with the same key within one hour returns the first call; after
        UnknownOutcome that, or list_calls by attempt, are the only safe next steps.

        :raises DoNotCall: if Retell holds the number as do-not-call
        :raises UnknownOutcome: if the phone may be ringing
        """
        override: Any = {
            "agent": given(
                {"max_call_duration_ms": max_call_duration_ms, "ring_duration_ms": ring_duration_ms}
            )
        }
        return _create(
            lambda: self._client.call.create_phone_call(
                idempotency_key=idempotency_key,
                from_number=from_number,
                to_number=to_number,
                override_agent_id=agent_id,
                override_agent_version=agent_version,
                agent_override=override,
                retell_llm_dynamic_variables=dict(dynamic_variables),
                metadata=dict(metadata),
                honor_internal_dnc=True,
                timeout=self._dial_timeout,
                # Zero is the method's default too; said here because a second call is the price.
                max_retries=0,
            ),
            payloads.read_placed_call,
        )

    def create_batch_call(
        self,
        *,
        name: str,
        from_number: str,
        tasks: Sequence[BatchTask],
        trigger_at: datetime | None = None,
        reserved_concurrency: int | None = None,
        window: CallTimeWindow | None = None,
    ) -> Batch:
        """
        Hand a list over to be dialled, once and for good: it can't be listed, paused or recalled.

        :raises UnknownOutcome: there is no idempotency key: find its calls by metadata, never resend
        """
        body = given(
            {
                "name": name,
                "from_number": from_number,
                "tasks": [payloads.task_body(task) for task in tasks],
                "trigger_timestamp": payloads.epoch_ms(trigger_at) if trigger_at else None,
                "reserved_concurrency": reserved_concurrency,
                "call_time_window": payloads.window_body(window) if window else None,
            }
        )
        create = self._client.batch_call.create_batch_call
        return _create(lambda: create(**body, max_retries=0), payloads.read_batch)

    def retrieve_call(self, *, call_id: str) -> ProviderCall:
        """Read a call with its transcript, as far as it has come."""
        return _ask(lambda: self._client.call.retrieve(call_id), payloads.read_call)

    def list_calls(
        self,
        *,
        attempt_id: str | None = None,
        started_from: datetime | None = None,
        started_until: datetime | None = None,
        call_ids: Sequence[str] = (),
        batch_call_id: str | None = None,
        pagination_key: str | None = None,
        limit: int = 1000,
    ) -> CallPage:
        """
        Read one page of calls, oldest first, without transcripts; conditions are joined by "and".

        A call that never connected has no start, so that a start window leaves it out.
        """
        criteria: Any = payloads.call_filter(
            attempt_id=attempt_id,
            started_from=started_from,
            started_until=started_until,
            call_ids=call_ids,
            batch_call_id=batch_call_id,
        )
        page = given({"pagination_key": pagination_key})
        return _ask(
            lambda: self._client.call.list(
                filter_criteria=criteria, sort_order="ascending", limit=limit, **page
            ),
            payloads.read_call_page,
        )

    def stop_call(self, *, call_id: str) -> None:
        """End a live call; one that has ended already is refused."""
        _ask(lambda: self._client.call.stop(call_id), payloads.read_nothing)

    def delete_call(self, *, call_id: str) -> None:
        """Delete a call that is over with all that Retell keeps of it, for good."""
        _ask(lambda: self._client.call.delete(call_id), payloads.read_nothing)

    # The workspace

    def concurrency(self) -> Concurrency:
        return _ask(self._client.concurrency.retrieve, payloads.read_concurrency)

    def identity(self) -> Identity:
        """Whose key this is: the cheapest way to test one."""
        return _ask(
            self._client.identity.retrieve,
            lambda answer: Identity(org_id=answer.org_id, org_name=answer.org_name),
        )


@functools.cache
def retell_gateway() -> RetellGateway:
    """The gateway of this process, made from the settings on first use."""
    return RetellGateway(
        api_key=settings.RETELL_API_KEY,
        base_url=settings.RETELL_BASE_URL,
        timeout_seconds=settings.RETELL_TIMEOUT_SECONDS,
        dial_timeout_seconds=settings.RETELL_TIMEOUT_SECONDS,
    )


def _create[T](send: Callable[[], Any], read: Callable[[Any], T]) -> T:
    """Send what may have an effect: when the answer is lost, nobody knows."""
    return _exchange(send, read, UnknownOutcome)


def _ask[T](send: Callable[[], Any], read: Callable[[Any], T]) -> T:
    """Send what only reads, or may be repeated: when the answer is lost, ask again later."""
    return _exchange(send, read, Unavailable)


def _exchange[T](send: Callable[[], Any], read: Callable[[Any], T], lost: type[ProviderError]) -> T:
    try:
        answer = send()
    except APIStatusError as error:
        raise refusal(
            status=error.status_code, body=error.body, headers=error.response.headers, lost=lost
        ) from error
    except APIConnectionError as error:
        never_sent = isinstance(error.__cause__, _NEVER_SENT)
        raise (Unavailable if never_sent else lost)(f"Retell: {error}") from error
    except (APIError, json.JSONDecodeError) as error:
        raise lost(f"Retell's answer can't be read: {error}") from error
    try:
        return read(answer)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # Not JSON at all, or without the fields we need: the SDK doesn't check either.
        raise lost(f"Retell's answer can't be read: {error}") from error
