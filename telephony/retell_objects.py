"""What exists in the Retell workspace: listed, and taken away. A part of the gateway in `retell.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from telephony import payloads
from telephony.provider import KnowledgeBase, ProviderAgent, ProviderLlm

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = 1000


class Asks(Protocol):
    """How the gateway sends what may be repeated."""

    def __call__[T](self, send: Callable[[], Any], read: Callable[[Any], T]) -> T: ...


class WorkspaceObjects:
    """Lists and deletions; deleting what is gone already raises NotFound."""

    _client: Any
    _asks: Asks

    def list_knowledge_bases(self) -> tuple[KnowledgeBase, ...]:
        """All knowledge bases of the workspace, ours or not."""
        return self._asks(
            self._client.knowledge_base.list,
            lambda answer: tuple(map(payloads.read_knowledge_base, answer)),
        )

    def delete_knowledge_base(self, *, knowledge_base_id: str) -> None:
        self._asks(
            lambda: self._client.knowledge_base.delete(knowledge_base_id), payloads.read_nothing
        )

    def list_agents(self) -> tuple[ProviderAgent, ...]:
        """All voice agents of the workspace, ours or not."""
        return tuple(
            ProviderAgent(agent_id=item.agent_id, name=getattr(item, "agent_name", None) or "")
            for item in self._pages(self._client.agent.list)
        )

    def delete_agent(self, *, agent_id: str) -> None:
        self._asks(lambda: self._client.agent.delete(agent_id), payloads.read_nothing)

    def list_llms(self) -> tuple[ProviderLlm, ...]:
        """All prompt engines of the workspace, with the variables that mark ours."""
        return tuple(
            ProviderLlm(
                llm_id=item.llm_id,
                default_dynamic_variables=dict(
                    getattr(item, "default_dynamic_variables", None) or {}
                ),
            )
            for item in self._pages(self._client.llm.list)
        )

    def delete_llm(self, *, llm_id: str) -> None:
        """Delete a prompt engine; refused while an agent uses it."""
        self._asks(lambda: self._client.llm.delete(llm_id), payloads.read_nothing)

    def _pages(self, ask: Callable[..., Any]) -> list[Any]:
        found: list[Any] = []
        page: dict[str, Any] = {"limit": PAGE}
        while True:
            answer = self._asks(lambda: ask(**page), payloads.read_itself)
            found += answer.items
            if not (answer.has_more and answer.pagination_key):
                return found
            page["pagination_key"] = answer.pagination_key
