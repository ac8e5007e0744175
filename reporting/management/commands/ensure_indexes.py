"""Looks whether the database has every index that claims, lists and reports need, and creates them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management import BaseCommand, CommandError

from convomono.lib.indexes import ensure_indexes, missing_indexes, wanted_indexes

if TYPE_CHECKING:
    from argparse import ArgumentParser


class Command(BaseCommand):
    help = "Create missing indexes; --check only names them and fails if there are any."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--check", action="store_true", help="change nothing")

    def handle(self, *_args: Any, check: bool, **_options: Any) -> str:
        total = sum(1 for _ in wanted_indexes())
        if not check:
            made = ensure_indexes()
            return "\n".join([*map(str, made), f"{total} indexes, {len(made)} of them new."])
        if missing := missing_indexes():
            raise CommandError("\n".join(["Missing:", *map(str, missing)]))
        return f"All {total} indexes are there."
