"""What agents may look up: knowledge bases, each row one version of one, and their sources."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet
from convomono.lib.ids import uuid7


class KnowledgeBase(ClientOwned):
    """
    One version of a set of sources that agents may consult; indexed at Retell under `provider_id`.

    Versions of one knowledge base share `family_id`, and `is_current` marks the one that campaigns get.
    A version that was sent to Retell never changes: another text makes another version. Only pages with
    `auto_refresh` are read again in place, by Retell, each day. What isn't
    `is_shared` holds the facts of a single campaign. Status: `draft` may still be edited; `indexing`
    is polled until `complete` or `error`; `retired` was deleted at Retell and can be indexed again.
    `tester_agent_id` is an agent at Retell that answers from this version alone, for the test page.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("Not indexed yet")
        INDEXING = "indexing", _("Indexing")
        COMPLETE = "complete", _("Ready")
        ERROR = "error", _("Failed")
        RETIRED = "retired", _("Put away")

    name = models.CharField(max_length=39)  # Retell's limit
    family_id = models.UUIDField(default=uuid7)
    number = models.PositiveIntegerField(default=1)
    is_shared = models.BooleanField(default=False)
    is_current = models.BooleanField(default=True)
    auto_refresh = models.BooleanField(default=False)
    status = models.CharField(max_length=16, choices=Status, default=Status.DRAFT)
    provider_id = models.CharField(max_length=80, blank=True)
    tester_llm_id = models.CharField(max_length=80, blank=True)
    tester_agent_id = models.CharField(max_length=80, blank=True)
    tester_since = models.DateTimeField(null=True, blank=True)  # when somebody began to make it
    error = models.CharField(max_length=400, blank=True)
    created_by_email = models.CharField(max_length=254, blank=True)
    created_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    indexed_at = models.DateTimeField(null=True, blank=True)
    refreshed_at = models.DateTimeField(null=True, blank=True)
    archived_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "name"], name="knowledge_by_name"),
            models.Index(fields=["client", "family_id"], name="knowledge_by_family"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["family_id", "number"], name="knowledge_version_once"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def marked_name(self) -> str:
        """The name it has at Retell, with a mark by which a lost answer's base is found again."""
        return f"{self.name[:27]} {self.mark}"

    @property
    def mark(self) -> str:
        return f"cm-{self.pk.hex[-8:]}"


class KnowledgeSource(ClientOwned):
    """One text, address or file of a knowledge base; `error` says why Retell doesn't have it."""

    class Kind(models.TextChoices):
        TEXT = "text", _("Text")
        URL = "url", _("Web page")
        FILE = "file", _("File")

    knowledge_base = models.ForeignKey(
        KnowledgeBase, models.CASCADE, related_name="sources", db_index=False
    )
    kind = models.CharField(max_length=8, choices=Kind)
    title = models.CharField(max_length=200)
    text = models.TextField(blank=True)
    url = models.CharField(max_length=1000, blank=True)
    stored_name = models.CharField(max_length=200, blank=True)
    size_bytes = models.PositiveBigIntegerField(default=0)
    error = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client", "knowledge_base"], name="source_by_base")]

    def __str__(self) -> str:
        return self.title


class KnowledgeQuestion(ClientOwned):
    """A question that is kept with a knowledge base, to ask each of its versions again."""

    family_id = models.UUIDField()
    text = models.CharField(max_length=500)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["client", "family_id", "text"], name="knowledge_question_once"
            ),
        ]

    def __str__(self) -> str:
        return self.text


class KnowledgeAnswer(ClientOwned):
    """What one version last answered to a kept question, and the passages that it looked up for that."""

    class Status(models.TextChoices):
        WAITING = "waiting", _("Being asked")
        ANSWERED = "answered", _("Answered")
        FAILED = "failed", _("Not answered")

    knowledge_base = models.ForeignKey(
        KnowledgeBase, models.CASCADE, related_name="answers", db_index=False
    )
    question = models.ForeignKey(KnowledgeQuestion, models.CASCADE, related_name="answers")
    status = models.CharField(max_length=8, choices=Status, default=Status.WAITING)
    text = models.TextField(blank=True)
    passages = models.JSONField(default=list)
    error = models.CharField(max_length=400, blank=True)
    ordered_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["knowledge_base", "question"], name="knowledge_answer_once"
            ),
        ]
        indexes = [models.Index(fields=["status", "ordered_at"], name="knowledge_answer_waiting")]

    def __str__(self) -> str:
        return self.text
