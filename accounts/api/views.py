"""The description of the API for programs and for its page."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView

if TYPE_CHECKING:
    from rest_framework.request import Request


class SchemaView(SpectacularAPIView):
    """
    The OpenAPI description, the same for everybody: it changes with the code alone.

    Each process builds it once for each format, which takes a second or more; strangers may ask for it.
    """

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer = request.accepted_renderer
        return HttpResponse(
            _written(renderer.media_type),
            content_type=renderer.media_type,
            headers={"Content-Disposition": f'inline; filename="convomono.{renderer.format}"'},
        )


@cache
def _written(media_type: str) -> str | bytes:
    kinds = (one for one in SchemaView.renderer_classes if one.media_type == media_type)
    written: str | bytes = next(kinds)().render(_description(), renderer_context={})
    return written


@cache
def _description() -> Any:
    builder: Any = SchemaGenerator  # the library has no types
    return builder().get_schema(request=None, public=True)
