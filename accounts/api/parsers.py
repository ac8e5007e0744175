"""How bodies are read: JSON that is no JSON, or nested without end, is the caller's mistake."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from rest_framework import parsers
from rest_framework.exceptions import ParseError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import IO

MOST_DEPTH = 64  # arrays and objects inside each other; nothing of ours needs ten
_TOO_DEEP = "The JSON is nested too deeply."


class JSONParser(parsers.JSONParser):
    """The library's, which takes what is nested too deeply for the caller's mistake and not for ours."""

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> Any:
        """
        Return what the body says.

        :raises ParseError: if it is no JSON, or nested too deeply
        """
        try:
            found = super().parse(stream, media_type, parser_context)
        except RecursionError as deep:
            raise ParseError(_TOO_DEEP) from deep
        if is_deep(found):
            raise ParseError(_TOO_DEEP)
        return found


def read_json(text: str) -> Any:
    """
    Return what a text says that stands where an object is expected, as in a form.

    :raises ValueError: if it is no JSON, or nested too deeply
    """
    try:
        found = json.loads(text)
    except RecursionError as deep:
        raise ValueError(_TOO_DEEP) from deep
    if is_deep(found):
        raise ValueError(_TOO_DEEP)
    return found


def is_deep(found: Any) -> bool:
    """Tell whether more arrays and objects stand in each other than whatever reads them could go into."""
    level = [found]
    for _depth in range(MOST_DEPTH + 1):
        level = [inner for one in level for inner in _inside(one)]
        if not level:
            return False
    return True


def _inside(one: Any) -> list[Any]:
    inner = one.values() if isinstance(one, dict) else one if isinstance(one, list) else ()
    return [each for each in inner if isinstance(each, (dict, list))]
