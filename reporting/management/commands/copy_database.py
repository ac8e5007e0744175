"""Moves a trial to another database: `manage.py copy_database FROM TO`."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from django.core.management import BaseCommand, CommandError, call_command
from django.db import DatabaseError

from convomono.lib.copying import (
    CountsDiffer,
    TargetInUse,
    copy_database,
    lent_database,
    refuse_target_in_use,
    tables,
)
from convomono.lib.db import database_problem
from convomono.lib.env import EnvironmentInvalid

if TYPE_CHECKING:
    from argparse import ArgumentParser

    from convomono.lib.copying import Copied


class Command(BaseCommand):
    help = "Copy every row from one database to another; run it again to go on."

    def add_arguments(self, parser: ArgumentParser) -> None:
        for name in ("source", "target"):
            parser.add_argument(name, help="sqlite:///path or mongodb://host/name")
        parser.add_argument("--dry-run", action="store_true", help="only name the tables")

    def handle(self, *_args: Any, source: str, target: str, dry_run: bool, **_options: Any) -> str:
        with ExitStack() as lent:
            for alias, url in (("source", source), ("target", target)):
                try:
                    lent.enter_context(lent_database(alias, url))
                except EnvironmentInvalid as problem:
                    raise CommandError(str(problem).replace("DATABASE_URL", alias)) from None
            if dry_run:
                return "\n".join(model._meta.db_table for model in tables())
            return self.copy()

    def copy(self) -> str:
        for alias in ("source", "target"):
            if problem := database_problem(alias):
                raise CommandError(f"The {alias} can't be used. {problem}")
        try:
            # A mistyped target may be a live installation of another version: look before migrating it.
            refuse_target_in_use("source", "target")
            call_command("migrate", database="target", verbosity=0)
            new = copy_database("source", "target", tell=self.tell)
        except TargetInUse as problem:
            raise CommandError(
                "The target has rows of its own, so it isn't a copy that can go on. "
                f"Copy into an empty database.\n{problem}"
            ) from None
        except CountsDiffer as problem:
            raise CommandError(f"The copy isn't complete.\n{problem}") from None
        except DatabaseError as problem:
            raise CommandError(
                f"The copy stopped: {problem}\nRun it again to go on. If the source isn't migrated, "
                "run the version it belongs to with manage.py migrate first."
            ) from problem
        return f"Copied {new} rows; both hold equally many."

    def tell(self, copied: Copied) -> None:
        self.stdout.write(f"{copied.table:<40} {copied.rows:>8} rows, {copied.new} new")
