"""
Puts the stages of a pipeline into an order in which MongoDB can use an index and joins few rows.

Upstream writes joins first, and before each $sort it copies the columns to sort by onto themselves.
A server sorts by an index only where $sort follows $match directly; otherwise it reads every row
that matches, joins it with its parents and sorts them all for a page of 25.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

type Stage = dict[str, Any]

ORDERING = frozenset({"$sort", "$skip", "$limit"})
INCLUDED = (1, True)


def in_good_order(pipeline: Sequence[Stage]) -> list[Stage]:
    """
    Return a pipeline with the same result: conditions first, then order and limit, then joins.

    A join is passed by a limit only if it finds one parent by its key; a row whose parent is gone
    then counts in the page that it is missing from. Foreign keys protect their parents.
    """
    return _order_early(_match_early(_without_copies(pipeline)))


def _kind(stage: Stage) -> str:
    return next(iter(stage))


def _without_copies(pipeline: Sequence[Stage]) -> list[Stage]:
    """Leave out what copies a column onto itself."""
    return [
        {"$addFields": _changed(stage)} if "$addFields" in stage else stage
        for stage in pipeline
        if "$addFields" not in stage or _changed(stage)
    ]


def _changed(stage: Stage) -> Stage:
    return {name: value for name, value in stage["$addFields"].items() if value != f"${name}"}


def _match_early(pipeline: list[Stage]) -> list[Stage]:
    """Ask for what concerns the table itself before anything is joined to it."""
    count = _joins_at_the_start(pipeline)
    joins, rest = pipeline[:count], pipeline[count:]
    if not joins or not rest or _kind(rest[0]) != "$match":
        return pipeline
    names = {stage["$lookup"]["as"] for stage in joins if "$lookup" in stage}
    condition = rest[0]["$match"]
    parts = condition["$and"] if list(condition) == ["$and"] else [condition]
    ours = [part for part in parts if not _speaks_of(part, names)]
    theirs = [part for part in parts if _speaks_of(part, names)]
    return [*_matching(ours), *joins, *_matching(theirs), *rest[1:]]


def _joins_at_the_start(pipeline: Sequence[Stage]) -> int:
    kinds = [_kind(stage) in {"$lookup", "$unwind"} for stage in pipeline]
    return kinds.index(False) if False in kinds else len(kinds)


def _speaks_of(part: object, names: set[str]) -> bool:
    """Tell whether a joined table may be meant; a value that holds its name only costs the speed."""
    text = repr(part)
    return any(name in text for name in names)


def _matching(parts: list[Any]) -> list[Stage]:
    if not parts:
        return []
    return [{"$match": parts[0] if len(parts) == 1 else {"$and": parts}}]


def _order_early(pipeline: list[Stage]) -> list[Stage]:
    """Sort and cut before columns are chosen and parents are joined."""
    first = next((at for at, stage in enumerate(pipeline) if _kind(stage) in ORDERING), None)
    if first is None:
        return pipeline
    last = first
    while last < len(pipeline) and _kind(pipeline[last]) in ORDERING:
        last += 1
    ordering = pipeline[first:last]
    keys = {key.partition(".")[0] for stage in ordering for key in stage.get("$sort", ())}
    start = first
    while start and (passed := _passable(pipeline, start, keys)):
        start -= passed
    return [*pipeline[:start], *ordering, *pipeline[start:first], *pipeline[last:]]


def _passable(pipeline: Sequence[Stage], end: int, keys: set[str]) -> int:
    """Return how many stages before `end` neither change these columns nor the number of rows."""
    stage = pipeline[end - 1]
    if (fields := stage.get("$project")) is not None:
        return int(all(fields.get(key) in (*INCLUDED, f"${key}") for key in keys))
    if (fields := stage.get("$addFields")) is not None:
        return int(not keys & fields.keys())
    if "$unwind" in stage and end > 1:
        return 2 * _finds_one_parent(pipeline[end - 2].get("$lookup"), stage["$unwind"], keys)
    return 0


def _finds_one_parent(lookup: Any, unwind: Any, keys: set[str]) -> bool:
    if lookup is None or lookup.get("foreignField") != "_id" or lookup.get("pipeline"):
        return False
    path = unwind["path"] if isinstance(unwind, dict) else unwind
    return path == f"${lookup['as']}" and lookup["as"] not in keys
