"""Agents and prompts: documents with drafts and published versions, as Retell keeps them."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from telephony.sandbox.refusals import bad_request, not_found

if TYPE_CHECKING:
    from collections.abc import Iterator

    from telephony.sandbox.clock import SandboxClock

type Document = dict[str, Any]


class VersionedDocuments:
    """All versions of all documents of one kind; published ones never change."""

    def __init__(self, *, id_field: str, clock: SandboxClock) -> None:
        self.id_field = id_field
        self.documents: dict[str, dict[int, Document]] = {}
        self._clock = clock

    def create(self, document_id: str, body: Document) -> Document:
        self.documents[document_id] = {}
        return self._write(document_id, 0, {**body, "is_published": False})

    def get(self, document_id: str, version: int | str | None = None) -> Document:
        """Return a version: a number, latest (also when None), latest_published or a tag."""
        versions = self.documents.get(document_id)
        if not versions:
            raise not_found()
        document = versions.get(self._resolve(versions, version))
        if document is None:
            raise not_found()
        return document

    @staticmethod
    def _resolve(versions: dict[int, Document], version: int | str | None) -> int:
        if version is None or version == "latest":
            return max(versions)
        if version == "latest_published":
            return max((n for n, it in versions.items() if it["is_published"]), default=-1)
        try:
            return int(version)
        except ValueError:
            tagged = (n for n, it in versions.items() if version in it.get("assigned_tags", ()))
            return next(tagged, -1)

    def update(self, document_id: str, version: int | str | None, changes: Document) -> Document:
        document = self.get(document_id, version)
        if document["is_published"]:
            raise bad_request("Cannot update a published version. Create a new version first.")
        return self._write(document_id, document["version"], {**document, **changes})

    def add_version(self, document_id: str, base: int, changes: Document) -> Document:
        """Start a draft as a copy of another version, numbered after the highest."""
        copied = deepcopy(self.get(document_id, base))
        number = max(self.documents[document_id]) + 1
        draft = {**copied, **changes, "is_published": False, "base_version": base}
        return self._write(document_id, number, draft)

    def publish(self, document_id: str, version: int, titles: Document) -> None:
        document = self.get(document_id, version)
        if not document["is_published"]:
            changes = {**document, **titles, "is_published": True}
            self._write(document_id, version, changes)

    def delete(self, document_id: str) -> None:
        if self.documents.pop(document_id, None) is None:
            raise not_found()

    def delete_version(self, document_id: str, version: int) -> None:
        document = self.get(document_id, version)
        if document["is_published"]:
            raise bad_request("Cannot delete a published version.")
        del self.documents[document_id][version]
        if not self.documents[document_id]:
            del self.documents[document_id]

    def versions(self, document_id: str) -> list[Document]:
        if document_id not in self.documents:
            raise not_found()
        return list(self.documents[document_id].values())

    def latest(self) -> Iterator[Document]:
        return (versions[max(versions)] for versions in self.documents.values())

    def dump(self) -> dict[str, list[Document]]:
        return {key: list(versions.values()) for key, versions in self.documents.items()}

    def load(self, saved: dict[str, list[Document]]) -> None:
        for key, versions in saved.items():
            self.documents[key] = {it["version"]: it for it in versions}

    def _write(self, document_id: str, version: int, body: Document) -> Document:
        # A new object each time: calls keep the one they were placed with.
        document = {
            **body,
            self.id_field: document_id,
            "version": version,
            "last_modification_timestamp": self._clock.now_ms(),
        }
        self.documents[document_id][version] = document
        return document
