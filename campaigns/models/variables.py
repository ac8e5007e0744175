"""What a client says of the variables of a script."""

from __future__ import annotations

from django.db import models

from accounts.models import ClientOwned, ClientOwnedQuerySet
from campaigns.models.campaign import Campaign
from campaigns.variables import KINDS, VariableRule


class ScriptVariable(ClientOwned):
    """One variable of a campaign's script: its kind, whether a call needs it, what stands in for it."""

    campaign = models.ForeignKey(
        Campaign, models.CASCADE, related_name="script_variables", db_index=False
    )
    name = models.CharField(max_length=64)
    kind = models.CharField(
        max_length=8, choices=[(key, label) for key, (label, _) in KINDS.items()]
    )
    is_required = models.BooleanField(default=True)
    default = models.CharField(max_length=500, blank=True)
    max_chars = models.PositiveIntegerField(default=200)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["campaign", "name"], name="variable_once"),
        ]

    def __str__(self) -> str:
        return self.name

    def as_rule(self) -> VariableRule:
        return VariableRule(
            name=self.name,
            kind=self.kind,
            is_required=self.is_required,
            default=self.default,
            max_chars=self.max_chars,
        )
