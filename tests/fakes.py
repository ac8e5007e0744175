"""FakeRetell: the gateway's public methods, answered from memory and as the test says."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from telephony.provider import (
    Agent,
    Batch,
    CallPage,
    Concurrency,
    DoNotCall,
    Identity,
    KnowledgeBase,
    KnowledgeFile,
    Llm,
    NotFound,
    Number,
    PaymentRequired,
    PlacedCall,
    PlaygroundAnswer,
    PlaygroundMessage,
    ProviderAgent,
    ProviderCall,
    ProviderError,
    ProviderLlm,
    RateLimited,
    Rejected,
    Unauthorised,
    Unavailable,
    UnknownOutcome,
    Voice,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from telephony.provider import (
        AgentSettings,
        BatchTask,
        CallTimeWindow,
        KnowledgeText,
        LlmSettings,
    )


@dataclass(frozen=True, slots=True)
class Dial:
    """One create_phone_call as it arrived; call_id is None if nothing was dialled."""

    idempotency_key: str
    from_number: str
    to_number: str
    agent_id: str
    agent_version: int | str
    dynamic_variables: Mapping[str, str]
    metadata: Mapping[str, str]
    max_call_duration_ms: int
    call_id: str | None


class FakeRetell:
    """
    A Retell in memory.

    Each dial and each batch takes the next scripted outcome (reject, rate_limit, lose_answer, …) and is placed
    when none is left; fail() scripts the other methods. `dials` is what was asked, `placed` maps
    call ids to what rings: its length is the number of phones that rang.
    """

    def __init__(self) -> None:
        self.knowledge_status = "complete"  # what becomes of new knowledge bases
        self.passages: dict[str, tuple[str, ...]] = {}  # what a question makes it look up
        self.dials: list[Dial] = []
        self.placed: dict[str, ProviderCall] = {}
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.stopped: list[str] = []
        self.agents: dict[tuple[str, int], Agent] = {}
        self.llms: dict[tuple[str, int], LlmSettings] = {}
        self.agent_settings: dict[tuple[str, int], AgentSettings] = {}
        self.knowledge_bases: dict[str, KnowledgeBase] = {}
        self.numbers: dict[str, Number] = {}
        self.lists: dict[str, list[BatchTask]] = {}  # tasks of batches that were not dialled yet
        self.dials_lists = True  # at once; else the test says when
        self.limit = 20
        self._script: deque[tuple[ProviderError | None, bool]] = deque()
        self.pieces: list[type] = []  # of what files were sent
        self._failures: dict[str, deque[ProviderError]] = {}
        self._by_key: dict[str, str] = {}
        self._batch_of: dict[str, str] = {}
        self._created = 0

    # What the next dials will meet

    def place(self, times: int = 1) -> None:
        """Place the next dials, as happens anyway once the script is empty."""
        self._script.extend([(None, True)] * times)

    def reject(self, status: int = 400, message: str = "Bad request.") -> None:
        kinds = {401: Unauthorised, 402: PaymentRequired, 404: NotFound}
        self._script.append((kinds.get(status, Rejected)(message, status), False))

    def refuse_as_do_not_call(self) -> None:
        self._script.append((DoNotCall("The contact is marked do_not_call.", 400), False))

    def rate_limit(self, wait_seconds: float | None = None, times: int = 1) -> None:
        self._script.extend([(RateLimited("Account rate limited.", wait_seconds), False)] * times)

    def be_unavailable(self, times: int = 1) -> None:
        self._script.extend([(Unavailable("Connection refused."), False)] * times)

    def lose_answer(self, *, placed: bool = True) -> None:
        """Let the outcome be unknown; whether the phone rings is up to the test."""
        self._script.append((UnknownOutcome("Timed out."), placed))

    def fail(self, method: str, error: ProviderError) -> None:
        """Let the next call of another method raise."""
        self._failures.setdefault(method, deque()).append(error)

    def becomes(self, call_id: str, **payload: Any) -> None:
        """Change what a placed call looks like: call_status, duration_ms, …"""
        call = self.placed[call_id]
        whole = {**call.payload, **payload}
        self.placed[call_id] = ProviderCall(
            call_id=call_id,
            call_status=whole["call_status"],
            metadata=call.metadata,
            payload=whole,
        )

    # The gateway's methods

    def close(self) -> None:
        self._note("close")

    def create_llm(self, *, settings: LlmSettings) -> Llm:
        self._note("create_llm", settings=settings)
        llm_id = self._id("llm")
        self.llms[llm_id, 0] = settings
        return Llm(llm_id=llm_id, version=0, is_published=False)

    def update_llm(self, *, llm_id: str, version: int, settings: LlmSettings) -> Llm:
        self._note("update_llm", llm_id=llm_id, version=version, settings=settings)
        self.llms[llm_id, version] = settings
        return Llm(llm_id=llm_id, version=version, is_published=False)

    def create_agent(self, *, llm: Llm, settings: AgentSettings) -> Agent:
        self._note("create_agent", llm=llm, settings=settings)
        return self._keep(self._id("agent"), 0, llm.llm_id, settings)

    def retrieve_agent(self, *, agent_id: str, version: int | str = "latest") -> Agent:
        self._note("retrieve_agent", agent_id=agent_id, version=version)
        found = [it for (key, _), it in self.agents.items() if key == agent_id]
        if version == "latest_published":
            found = [it for it in found if it.is_published]
        elif version != "latest":
            found = [it for it in found if it.version == int(version)]
        if not found:
            raise NotFound("Cannot find requested asset under given api key.", 422)
        return max(found, key=lambda it: it.version)

    def update_agent(self, *, agent_id: str, version: int, settings: AgentSettings) -> Agent:
        self._note("update_agent", agent_id=agent_id, version=version, settings=settings)
        agent = self.agents[agent_id, version]
        if agent.is_published:
            raise Rejected("Cannot update a published version.", 400)
        return self._keep(agent_id, version, agent.llm_id, settings)

    def create_agent_version(self, *, agent_id: str, base_version: int) -> Agent:
        self._note("create_agent_version", agent_id=agent_id, base_version=base_version)
        base = self.agents[agent_id, base_version]
        version = 1 + max(number for key, number in self.agents if key == agent_id)
        if base.llm_id:
            self.llms[base.llm_id, version] = self.llms[base.llm_id, base_version]
        settings = self.agent_settings[agent_id, base_version]
        return self._keep(agent_id, version, base.llm_id, settings)

    def publish_agent(self, *, agent_id: str, version: int, title: str = "") -> None:
        self._note("publish_agent", agent_id=agent_id, version=version, title=title)
        agent = self.agents[agent_id, version]
        settings = self.agent_settings[agent_id, version]
        self._keep(agent_id, version, agent.llm_id, settings, is_published=True)

    def list_voices(self) -> tuple[Voice, ...]:
        self._note("list_voices")
        voice = {"provider": "elevenlabs", "accent": "American", "age": "Young"}
        return tuple(
            Voice(
                voice_id=f"11labs-{name}", name=name, gender=gender, preview_audio_url="", **voice
            )
            for name, gender in (("Adrian", "male"), ("Anna", "female"))
        )

    def playground(
        self,
        *,
        agent_id: str,
        messages: Sequence[PlaygroundMessage],
        version: int | str = "latest",
        dynamic_variables: Mapping[str, str] | None = None,
    ) -> PlaygroundAnswer:
        self._note("playground", agent_id=agent_id, messages=messages, version=version)
        said = PlaygroundMessage(role="agent", content="Hello!")
        found = self.passages.get(messages[-1].content, ()) if messages else ()
        return PlaygroundAnswer(messages=(said,), retrieved=found, call_ended=False)

    def create_knowledge_base(
        self,
        *,
        name: str,
        texts: Sequence[KnowledgeText] = (),
        urls: Sequence[str] = (),
        files: Sequence[KnowledgeFile] = (),
        enable_auto_refresh: bool = False,
    ) -> KnowledgeBase:
        self.pieces += [type(file.content) for file in files]
        read = [file if isinstance(file.content, bytes) else _read(file) for file in files]
        self._note("create_knowledge_base", name=name, texts=texts, urls=urls, files=read)
        base = KnowledgeBase(
            knowledge_base_id=self._id("knowledge_base"),
            name=name,
            status=self.knowledge_status,
            source_ids=tuple(f"source_{n}" for n in range(len(texts) + len(urls) + len(files))),
            source_names=(
                *(text.title for text in texts),
                *urls,
                *(file.filename for file in files),
            ),
        )
        self.knowledge_bases[base.knowledge_base_id] = base
        return base

    def list_knowledge_bases(self) -> tuple[KnowledgeBase, ...]:
        self._note("list_knowledge_bases")
        return tuple(self.knowledge_bases.values())

    def delete_knowledge_base(self, *, knowledge_base_id: str) -> None:
        self._note("delete_knowledge_base", knowledge_base_id=knowledge_base_id)
        if self.knowledge_bases.pop(knowledge_base_id, None) is None:
            raise NotFound("Cannot find requested asset under given api key.", 422)

    def list_agents(self) -> tuple[ProviderAgent, ...]:
        self._note("list_agents")
        names = {key: agent.name for (key, _), agent in sorted(self.agents.items())}
        return tuple(ProviderAgent(agent_id=key, name=name) for key, name in names.items())

    def delete_agent(self, *, agent_id: str) -> None:
        self._note("delete_agent", agent_id=agent_id)
        found = [key for key in self.agents if key[0] == agent_id]
        if not found:
            raise NotFound("Cannot find requested asset under given api key.", 422)
        for key in found:
            del self.agents[key], self.agent_settings[key]

    def list_llms(self) -> tuple[ProviderLlm, ...]:
        self._note("list_llms")
        latest = {key: settings for (key, _), settings in sorted(self.llms.items())}
        return tuple(
            ProviderLlm(
                llm_id=key, default_dynamic_variables=dict(settings.default_dynamic_variables)
            )
            for key, settings in latest.items()
        )

    def delete_llm(self, *, llm_id: str) -> None:
        self._note("delete_llm", llm_id=llm_id)
        found = [key for key in self.llms if key[0] == llm_id]
        if not found:
            raise NotFound("Cannot find requested asset under given api key.", 422)
        for key in found:
            del self.llms[key]

    def retrieve_knowledge_base(self, *, knowledge_base_id: str) -> KnowledgeBase:
        self._note("retrieve_knowledge_base", knowledge_base_id=knowledge_base_id)
        if knowledge_base_id not in self.knowledge_bases:
            raise NotFound("Cannot find requested asset under given api key.", 422)
        return self.knowledge_bases[knowledge_base_id]

    def create_phone_number(
        self,
        *,
        area_code: int | None = None,
        country_code: str = "US",
        toll_free: bool = False,
        nickname: str = "",
    ) -> Number:
        self._note("create_phone_number", area_code=area_code, nickname=nickname)
        number = f"+1{area_code or 415}55501{len(self.numbers):02d}"
        return self._number(number, nickname, ())

    def import_phone_number(
        self,
        *,
        phone_number: str,
        termination_uri: str,
        username: str = "",
        password: str = "",
        nickname: str = "",
    ) -> Number:
        self._note(
            "import_phone_number", phone_number=phone_number, termination_uri=termination_uri
        )
        if phone_number in self.numbers:
            raise Rejected(f"{phone_number} is not available.", 400)
        return self._number(phone_number, nickname, (), kind="custom")

    def list_phone_numbers(self) -> tuple[Number, ...]:
        self._note("list_phone_numbers")
        return tuple(self.numbers.values())

    def delete_phone_number(self, *, phone_number: str) -> None:
        self._note("delete_phone_number", phone_number=phone_number)
        if self.numbers.pop(phone_number, None) is None:
            raise NotFound("Cannot find requested asset under given api key.", 422)

    def create_phone_call(  # noqa: PLR0913 - the gateway's own
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
        error, rings = self._script.popleft() if self._script else (None, True)
        call_id = self._by_key.get(idempotency_key)
        if call_id is None and rings:
            call_id = self._ring(from_number, to_number, agent_id, metadata)
            self._by_key[idempotency_key] = call_id
        self.dials.append(
            Dial(
                idempotency_key=idempotency_key,
                from_number=from_number,
                to_number=to_number,
                agent_id=agent_id,
                agent_version=agent_version,
                dynamic_variables=dynamic_variables,
                metadata=metadata,
                max_call_duration_ms=max_call_duration_ms,
                call_id=call_id,
            )
        )
        if error is not None or call_id is None:
            raise error or UnknownOutcome("Timed out.")
        version = agent_version if isinstance(agent_version, int) else 0
        return PlacedCall(
            call_id=call_id, call_status="registered", agent_id=agent_id, agent_version=version
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
        self._note(
            "create_batch_call", name=name, from_number=from_number, tasks=tasks, window=window
        )
        error, is_taken = self._script.popleft() if self._script else (None, True)
        batch_call_id = self._id("batch_call")
        if is_taken:
            self.lists[batch_call_id] = list(tasks)
            if self.dials_lists:
                self.dial_list(batch_call_id, from_number=from_number)
        if error is not None:
            raise error
        return Batch(batch_call_id=batch_call_id, name=name, total_task_count=len(tasks))

    def dial_list(
        self, batch_call_id: str, *, from_number: str = "", most: int | None = None
    ) -> int:
        """Ring so many of the tasks that a list still has; return how many."""
        tasks = self.lists[batch_call_id]
        now, self.lists[batch_call_id] = tasks[:most], tasks[len(tasks[:most]) :]
        for task in now:
            call_id = self._ring(from_number, task.to_number, task.agent_id or "", task.metadata)
            self._batch_of[call_id] = batch_call_id
        return len(now)

    def retrieve_call(self, *, call_id: str) -> ProviderCall:
        self._note("retrieve_call", call_id=call_id)
        if call_id not in self.placed:
            raise NotFound("Cannot find requested asset under given api key.", 422)
        return self.placed[call_id]

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
        self._note("list_calls", attempt_id=attempt_id, call_ids=call_ids)
        calls = list(self.placed.values())
        if attempt_id is not None:
            calls = [call for call in calls if call.metadata.get("attempt_id") == attempt_id]
        if call_ids:
            calls = [call for call in calls if call.call_id in call_ids]
        if batch_call_id is not None:
            calls = [call for call in calls if self._batch_of.get(call.call_id) == batch_call_id]
        return CallPage(calls=tuple(calls[:limit]), pagination_key=None)

    def stop_call(self, *, call_id: str) -> None:
        self._note("stop_call", call_id=call_id)
        self.stopped.append(call_id)

    def delete_call(self, *, call_id: str) -> None:
        self._note("delete_call", call_id=call_id)
        if self.placed.pop(call_id, None) is None:
            raise NotFound("Cannot find requested asset under given api key.", 422)

    def concurrency(self) -> Concurrency:
        self._note("concurrency")
        live = sum(it.call_status in {"registered", "ongoing"} for it in self.placed.values())
        return Concurrency(current=live, limit=self.limit, reserved_inbound=0)

    def identity(self) -> Identity:
        self._note("identity")
        return Identity(org_id="org_fake", org_name="Fake")

    def _note(self, method: str, **arguments: Any) -> None:
        self.asked.append((method, arguments))
        if self._failures.get(method):
            raise self._failures[method].popleft()

    def _id(self, prefix: str) -> str:
        self._created += 1
        return f"{prefix}_{self._created:026d}"

    def _keep(
        self,
        agent_id: str,
        version: int,
        llm_id: str | None,
        settings: AgentSettings,
        *,
        is_published: bool = False,
    ) -> Agent:
        self.agents[agent_id, version] = agent = Agent(
            agent_id=agent_id,
            version=version,
            is_published=is_published,
            name=settings.agent_name,
            voice_id=settings.voice_id,
            llm_id=llm_id,
            llm_version=version,
        )
        self.agent_settings[agent_id, version] = settings
        return agent

    def _number(
        self, number: str, nickname: str, agent_ids: tuple[str, ...], *, kind: str = "retell-twilio"
    ) -> Number:
        self.numbers[number] = kept = Number(
            phone_number=number,
            kind=kind,
            nickname=nickname,
            outbound_agent_ids=agent_ids,
        )
        return kept

    def _ring(
        self, from_number: str, to_number: str, agent_id: str, metadata: Mapping[str, str]
    ) -> str:
        call_id = self._id("call")
        payload = {
            "call_id": call_id,
            "call_type": "phone_call",
            "call_status": "registered",
            "agent_id": agent_id,
            "from_number": from_number,
            "to_number": to_number,
            "direction": "outbound",
            "metadata": dict(metadata),
        }
        self.placed[call_id] = ProviderCall(
            call_id=call_id, call_status="registered", metadata=dict(metadata), payload=payload
        )
        return call_id


def _read(file: KnowledgeFile) -> KnowledgeFile:
    """Read an open file as sending it would: afterwards it is closed."""
    assert not isinstance(file.content, bytes)
    return KnowledgeFile(filename=file.filename, content=file.content.read())
