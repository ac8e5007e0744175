"""What the back office's record pages share: rows that are shown and never edited there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unfold.admin import ModelAdmin

if TYPE_CHECKING:
    from django.contrib.admin import AdminSite
    from django.db.models import Model
    from django.http import HttpRequest


class ReadOnlyAdmin(ModelAdmin):
    """Rows that the back office shows and nobody edits there; `plural` heads them where an s isn't enough."""

    plural = ""

    def __init__(self, model: type[Model], admin_site: AdminSite) -> None:
        if self.plural:
            # Here and not in the model's Meta: the word stands in the back office alone, and there
            # it would take a migration.
            model._meta.verbose_name_plural = self.plural
        super().__init__(model, admin_site)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class RecordAdmin(ReadOnlyAdmin):
    """
    Rows of a table that may grow without end, the newest first.

    They are in the order of their keys, which is that of time and has an index on both databases; how
    many there are without a filter isn't counted beside how many there are with it.
    """

    ordering = ["-pk"]
    show_full_result_count = False
