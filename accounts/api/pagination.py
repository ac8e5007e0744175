"""How lists of the API are paged: behind a row, without counting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.utils.urls import replace_query_param

from accounts.access import may_take_out
from convomono.lib.pages import PAGE_ROWS, KeysetPage, is_token, keyset_page, whole_rows

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request

    from accounts.models import User


class NewestFirst(CursorPagination):
    """
    Pages that stay right while rows are added: follow `next` and `previous`.

    The library's own pages go by the first column alone and give up behind a thousand rows of one
    instant, which an import easily makes; these go by the row. Who only looks gets at most as many rows
    at once as on a page.
    """

    page_size = PAGE_ROWS
    page_size_query_param = "page_size"
    max_page_size = 500
    ordering = ("-created_at", "-pk")

    def paginate_queryset(  # type: ignore[override]  # all our lists are querysets
        self, queryset: QuerySet[Any], request: Request, view: Any = None
    ) -> list[Any]:
        """
        Return the rows behind the asked cursor.

        :raises NotFound: if the cursor is none of ours
        """
        self.base_url = request.build_absolute_uri()
        token = request.query_params.get(self.cursor_query_param) or None
        if token and not is_token(queryset, order=self.ordering, token=token):
            raise NotFound(self.invalid_cursor_message)
        self.keyset: KeysetPage[Any] = keyset_page(
            queryset,
            order=self.ordering,
            token=token,
            size=self.get_page_size(request),
            read_from=whole_rows(queryset),
        )
        return self.keyset.rows

    def get_page_size(self, request: Request) -> int:
        """Return how many rows a page has: what was asked for, or 50; never more than the caller may take."""
        asked = super().get_page_size(request) or PAGE_ROWS
        return asked if may_take_out(cast("User", request.user)) else min(asked, PAGE_ROWS)

    def get_next_link(self) -> str | None:
        return self._link(self.keyset.after)

    def get_previous_link(self) -> str | None:
        return self._link(self.keyset.before)

    def _link(self, token: str) -> str | None:
        here = self.base_url or ""
        return replace_query_param(here, self.cursor_query_param, token) if token else None
