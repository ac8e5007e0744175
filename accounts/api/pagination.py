"""How lists of the API are paged: behind a row, without counting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rest_framework.exceptions import NotFound
from rest_framework.pagination import CursorPagination
from rest_framework.utils.urls import replace_query_param

from convomono.lib.pages import KeysetPage, is_token, keyset_page

if TYPE_CHECKING:
    from django.db.models import QuerySet
    from rest_framework.request import Request


class NewestFirst(CursorPagination):
    """
    Pages that stay right while rows are added: follow `next` and `previous`.

    The library's own pages go by the first column alone and give up behind a thousand rows of one
    instant, which an import easily makes; these go by the row.
    """

    page_size = 50
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
            size=self.get_page_size(request) or self.page_size,
            read_from=queryset.order_by(),
        )
        return self.keyset.rows

    def get_next_link(self) -> str | None:
        return self._link(self.keyset.after)

    def get_previous_link(self) -> str | None:
        return self._link(self.keyset.before)

    def _link(self, token: str) -> str | None:
        here = self.base_url or ""
        return replace_query_param(here, self.cursor_query_param, token) if token else None
