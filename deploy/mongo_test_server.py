"""
The MongoDB test server: SecantusDB as a replica set of one, with five of its defects worked around.

Tests and trials only. It runs in `.venv-mongo`, a virtual environment of its own, because SecantusDB
is beta and GPL-2.0: it is no part of the product and never among its requirements. What passes here
has not been tried on a real mongod. The workarounds follow the documented behaviour of MongoDB's
operators.

    .venv-mongo/bin/python deploy/mongo_test_server.py --port 27117 --storage-path :memory:

`--standalone` gives a server without transactions, `--until-stdin-closes` one that ends with
whoever started it; the other options are SecantusDB's own.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from secantus import aggregate, expressions, transactions
from secantus.expressions import evaluate
from secantus.projection import _flatten_projection_spec

TESTED = "0.7.0b3"
ABANDONED_SECONDS = 15.0
STOP_SECONDS = 5.0

type Document = Mapping[str, Any]
type Stage = Callable[[Any, Any, Any], Any]

original_union_with: Stage = aggregate._STAGES["$unionWith"]
original_project: Stage = aggregate._STAGES["$project"]
original_type: Callable[[Any, Any], Any] = expressions._op_type


def is_plain_document(value: object) -> bool:
    """Tell {a: ..} from {}, {$operator: ..} and scalars."""
    return isinstance(value, Mapping) and bool(value) and not next(iter(value)).startswith("$")


def union_with(spec: Any, documents: Any, context: Any) -> Any:
    """
    Accept {$unionWith: {pipeline: [{$documents: [..]}, ..]}} without a collection.

    Defect 1: it is refused. The backend sends it for count(), aggregate() and subqueries in a list.
    """
    pipeline = spec.get("pipeline") or [] if isinstance(spec, Mapping) else []
    if not pipeline or spec.get("coll") is not None or "$documents" not in pipeline[0]:
        return original_union_with(spec, documents, context)
    extra = [dict(evaluate(one, {}, context.vars)) for one in pipeline[0]["$documents"]]
    if pipeline[1:]:
        inner = aggregate.PipelineContext(
            storage=context.storage,
            db_name=context.db_name,
            coll_name="",
            collation=context.collation,
        )
        extra = aggregate.apply_pipeline(extra, pipeline[1:], inner)
    return [*documents, *extra]


def project(spec: Any, documents: Any, context: Any) -> Any:
    """
    Read {$project: {a: {b: 1}}} as the field a.b.

    Defect 2: it gives the literal 1, so values("client__name").annotate(..) is silently wrong.
    """
    if isinstance(spec, Mapping) and any(is_plain_document(value) for value in spec.values()):
        spec = _flatten_projection_spec(spec)
    return original_project(spec, documents, context)


def flattened(spec: Document, prefix: str = "") -> dict[str, Any]:
    """Turn nested plain documents into dotted paths."""
    flat: dict[str, Any] = {}
    for key, value in spec.items():
        if is_plain_document(value):
            flat.update(flattened(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat


def merging(original: Stage) -> Stage:
    """
    Merge {$addFields: {a: {b: x}}} into the sub-document a.

    Defect 3: it replaces a, which breaks order_by("campaign__name") together with select_related().
    """

    def stage(spec: Any, documents: Any, context: Any) -> Any:
        wanted = flattened(spec) if isinstance(spec, Mapping) else spec
        return original(wanted, documents, context)

    return stage


def type_of(argument: Any, context: Any) -> Any:
    """
    Give "missing" for {$type: {$getField: ..}} of an absent field.

    Defect 4: it gives something else, so has_key on a JSONField matches every row.
    """
    if isinstance(argument, Mapping) and list(argument) == ["$getField"]:
        spec = argument["$getField"]
        if isinstance(spec, Mapping) and "field" in spec:
            source = expressions._eval(spec.get("input", "$$CURRENT"), context)
            field = expressions._eval(spec["field"], context)
            if not isinstance(source, Mapping) or field not in source:
                return "missing"
    return original_type(argument, context)


def reaping(original: Callable[..., None]) -> Callable[..., None]:
    """
    End transactions that nobody goes on with, whether or not another one begins.

    Defect 5: they end only when some other transaction speaks, so that a plain write to a row of a
    killed process's transaction waits for ever. mongod ends them after a minute; here it is sooner.
    """

    def begin(self: Any, **options: Any) -> None:
        original(self, **{**options, "lifetime_seconds": ABANDONED_SECONDS})

        def reap() -> None:
            while True:
                time.sleep(1)
                self.prune_expired()

        threading.Thread(target=reap, daemon=True).start()

    return begin


def work_around_defects() -> None:
    """Put the five corrections in place, in the version they were written for."""
    if version("secantusdb") != TESTED:
        raise SystemExit(f"Written for SecantusDB {TESTED}: look at the five workarounds again.")
    aggregate._STAGES["$unionWith"] = union_with
    aggregate._STAGES["$project"] = project
    for name in ("$addFields", "$set"):
        aggregate._STAGES[name] = merging(aggregate._STAGES[name])
    registry: Any = transactions.TransactionRegistry
    registry.__init__ = reaping(registry.__init__)
    for table in [value for value in vars(expressions).values() if isinstance(value, dict)]:
        if table.get("$type") is original_type:
            table["$type"] = type_of


def end_with_parent() -> None:
    """Wait for the end of the input, which comes with the parent's end, then ask for a stop."""
    # Not sys.stdin: its lock, held in this thread, would make the interpreter abort at its end.
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def end_for_sure() -> None:
    """
    Let no stop last longer than some seconds.

    SecantusDB stops inside its signal handler, in the thread that waits for the stop: now and then for ever.
    """
    register = signal.signal

    def registered(number: int, handler: Any) -> Any:
        def stop(number: int, frame: Any) -> None:
            end = threading.Timer(STOP_SECONDS, os._exit, (0,))
            end.daemon = True
            end.start()
            handler(number, frame)

        return register(number, stop)

    signal.signal = registered  # type: ignore[assignment]  # for this process alone


if __name__ == "__main__":
    if "--until-stdin-closes" in sys.argv:
        sys.argv.remove("--until-stdin-closes")
        threading.Thread(target=end_with_parent, daemon=True).start()
    work_around_defects()
    end_for_sure()
    from secantus.cli import main

    raise SystemExit(main())
