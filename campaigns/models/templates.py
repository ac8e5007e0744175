"""Campaigns that the agency offers to its clients to start from."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import Client
from convomono.lib.models import AppendOnly, BaseModel


class CampaignTemplate(BaseModel):
    """
    A campaign to start from; its words are in the TemplateVersion of its `number`.

    Status: `draft` is being written, `offered` stands in the first step of new campaigns, `withdrawn`
    doesn't any more; campaigns that were made from it stay. Offered to one `client`, or to all.
    """

    class Status(models.TextChoices):
        DRAFT = "draft", _("Draft")
        OFFERED = "offered", _("Offered")
        WITHDRAWN = "withdrawn", _("Withdrawn")

    name = models.CharField(max_length=120)
    about = models.CharField(max_length=200, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.DRAFT)
    number = models.PositiveIntegerField(default=1)
    # Not `client`: the row is the agency's.
    only_for = models.ForeignKey(Client, models.PROTECT, null=True, blank=True, related_name="+")
    # The campaign it was made from, whosever that is.
    source_campaign_id = models.UUIDField(null=True, blank=True)
    created_by_email = models.CharField(max_length=254)
    created_at = models.DateTimeField()
    changed_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["status", "name"], name="template_by_status")]

    def __str__(self) -> str:
        return self.name


class TemplateVersion(AppendOnly):
    """What a template said at one time; `content` holds the fields of `services.templates.TEMPLATE_FIELDS` and how it dials."""

    template = models.ForeignKey(
        CampaignTemplate, models.PROTECT, related_name="versions", db_index=False
    )
    number = models.PositiveIntegerField()
    content = models.JSONField(default=dict)
    made_by_email = models.CharField(max_length=254)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["template", "number"], name="template_version_once"),
        ]

    def __str__(self) -> str:
        return f"v{self.number}"
