"""Checks what must be true of the ledger, against every row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.core.management.base import BaseCommand, CommandError

from accounts.models import Client
from billing.invariants import audit_ledger
from billing.models import Transaction
from convomono.lib import clock

if TYPE_CHECKING:
    from uuid import UUID

    from django.core.management.base import CommandParser


class Command(BaseCommand):
    """It changes nothing, so it has no dry run. It ends with status 1 if anything is wrong."""

    help = "Check every invariant of the ledger; name each violation and end with status 1."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--client", help="Check this client alone: its name.")

    def handle(self, *_args: Any, client: str | None = None, **_options: Any) -> str:
        client_id = _client_id(client) if client else None
        violations = audit_ledger(client_id=client_id, now=clock.now())
        for violation in violations:
            self.stdout.write(str(violation))
        lines = Transaction.objects.filter(client=client_id) if client_id else Transaction.objects
        if violations:
            raise CommandError(
                f"ledger wrong: {len(violations)} violations in {lines.count()} transactions"
            )
        return f"ledger clean: {lines.count()} transactions"


def _client_id(name: str) -> UUID:
    found = Client.objects.filter(name=name).first()
    if found is None:
        raise CommandError(f"There is no client named {name}.")
    return found.pk
