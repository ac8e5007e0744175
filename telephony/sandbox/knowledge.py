"""Knowledge bases that take a while to index, and can be asked."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any

from telephony.sandbox.agents import new_id
from telephony.sandbox.refusals import bad_request, not_found
from telephony.sandbox.scripts import read_script
from telephony.sandbox.transcripts import transcribe

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from telephony.sandbox.calls import Call
    from telephony.sandbox.clock import SandboxClock
    from telephony.sandbox.versions import Document

_NAME_LENGTH = 40
_INDEXING_MS = 8_000
_WORD = re.compile(r"[a-z0-9]{3,}")


class KnowledgeBases:
    """Status is computed from the time when it is read; a source named "fail" ends in error."""

    def __init__(self, clock: SandboxClock) -> None:
        self.bases: dict[str, Document] = {}
        self._clock = clock

    def create(self, name: str, sources: Sequence[Document], options: Document) -> Document:
        if not 0 < len(name) < _NAME_LENGTH:
            raise bad_request("knowledge_base_name must be shorter than 40 characters.")
        base: Document = {
            "knowledge_base_id": new_id("knowledge_base_", 16),
            "knowledge_base_name": name,
            "sources": list(sources),
            "options": options,
            "ready_ms": self._clock.now_ms() + _INDEXING_MS,
            "first": True,
        }
        self.bases[base["knowledge_base_id"]] = base
        return base

    def get(self, base_id: str) -> Document:
        if base_id not in self.bases:
            raise not_found()
        return self.bases[base_id]

    def add(self, base_id: str, sources: Sequence[Document]) -> Document:
        base = self.get(base_id)
        base["sources"] += sources
        base["ready_ms"] = self._clock.now_ms() + _INDEXING_MS
        base["first"] = False
        return base

    def delete_source(self, base_id: str, source_id: str) -> Document:
        base = self.get(base_id)
        kept = [it for it in base["sources"] if it["source_id"] != source_id]
        if len(kept) == len(base["sources"]):
            raise not_found()
        base["sources"] = kept
        return base

    def delete(self, base_id: str) -> None:
        if self.bases.pop(base_id, None) is None:
            raise not_found()

    def document(self, base: Document, *, stuck: bool = False, failed: bool = False) -> Document:
        """Return what Retell would show of a base at this moment."""
        answer: dict[str, Any] = {
            "knowledge_base_id": base["knowledge_base_id"],
            "knowledge_base_name": base["knowledge_base_name"],
            "status": self._status(base, stuck=stuck, failed=failed),
            **base["options"],
        }
        if answer["status"] in {"complete", "refreshing_in_progress"}:
            answer["knowledge_base_sources"] = [
                {key: value for key, value in source.items() if key != "content"}
                for source in base["sources"]
            ]
        return answer

    def _status(self, base: Document, *, stuck: bool, failed: bool) -> str:
        if stuck or self._clock.now_ms() < base["ready_ms"]:
            return "in_progress" if base["first"] else "refreshing_in_progress"
        if failed or (base["first"] and any(_fails(source) for source in base["sources"])):
            return "error"
        return "complete"

    def retrieve(self, base_ids: Iterable[str], question: str, top_k: int = 3) -> list[str]:
        """Return the passages that share the most words with a question, best first."""
        asked = Counter(_WORD.findall(question.lower()))
        passages = [
            passage
            for base_id in base_ids
            if base_id in self.bases
            for source in self.bases[base_id]["sources"]
            for passage in _passages(source)
        ]
        scored = [(sum(asked[w] for w in set(_WORD.findall(p.lower()))), p) for p in passages]
        best = sorted((it for it in scored if it[0]), key=lambda it: -it[0])
        return [passage for _, passage in best[:top_k]]


def looked_up(call: Call, knowledge: KnowledgeBases) -> list[Document]:
    """Return, for each answer of the agent, the passages that fit what was said before it."""
    base_ids = call.llm.get("knowledge_base_ids") or ()
    script = read_script(agent=call.agent, llm=call.llm, variables=call.variables)
    told: list[Document] = []
    heard = ""
    for utterance in transcribe(script=script, plan=call.plan):
        if not utterance.response_id:
            heard = utterance.turn.text
            continue
        if passages := knowledge.retrieve(base_ids, f"{heard} {utterance.turn.text}", top_k=2):
            told.append({"response_id": utterance.response_id, "retrieved_contents": passages})
    return told


def text_source(title: str, text: str) -> Document:
    source_id = new_id("source_", 16)
    url = f"https://files.invalid/{source_id}.txt"
    return {
        "type": "text",
        "source_id": source_id,
        "title": title,
        "content_url": url,
        "content": text,
    }


def url_source(url: str) -> Document:
    return {"type": "url", "source_id": new_id("source_", 16), "url": url}


def file_source(filename: str, content: bytes) -> Document:
    source_id = new_id("source_", 16)
    return {
        "type": "document",
        "source_id": source_id,
        "filename": filename,
        "file_url": f"https://files.invalid/{source_id}/{filename}",
        "file_size": len(content),
        "content": content.decode("utf-8", "replace")[:100_000],
    }


def _fails(source: Document) -> bool:
    return "fail" in str(source.get("url") or source.get("filename") or "")


def _passages(source: Document) -> list[str]:
    text = source.get("content") or f"{source.get('url', '')}"
    return [part.strip() for part in re.split(r"\n\s*\n", text) if part.strip()]
