"""Writes every encrypted value anew under the first of FIELD_ENCRYPTION_KEYS."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from allauth.mfa.models import Authenticator
from django.apps import apps
from django.core.management.base import BaseCommand, CommandError

from convomono.lib.crypto import EncryptedTextField, InvalidToken, encrypted, is_encrypted, rotated
from convomono.lib.db import run_atomic
from leads.services.suppressions import erased_entries

if TYPE_CHECKING:
    from collections.abc import Iterator

    from django.core.management.base import CommandParser
    from django.db.models import Model

_SECRETS_OF_CODES = ("secret", "seed")  # of allauth's one-time codes and recovery codes


class Command(BaseCommand):
    """
    After it nothing is encrypted under an older key; it may be run again any time.

    An older key may go then unless numbers of erased people were hashed with it: the answer counts them.
    """

    help = "Write every encrypted value anew under the first of FIELD_ENCRYPTION_KEYS."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only read every value")

    def handle(self, *args: Any, dry_run: bool, **options: Any) -> str:
        """
        Return what was done.

        :raises CommandError: if a value fits none of the keys; what came before it is written
        """
        try:
            rows = sum(_rotate(row, names, dry_run=dry_run) for row, names in _rows())
            codes = sum(
                run_atomic(partial(_rotate_codes, key, dry_run=dry_run))
                for key in Authenticator.objects.order_by("pk").values_list("pk", flat=True)
            )
        except InvalidToken:
            raise CommandError(
                "A value fits none of FIELD_ENCRYPTION_KEYS: put the removed key back first."
            ) from None
        verb = "Could read" if dry_run else "Wrote"
        return f"{verb} {rows} rows and the codes of {codes} people.{_bound_to_old_keys()}"


def _bound_to_old_keys() -> str:
    """Name what no rotation moves: a hash doesn't say which key made it, nor which number it stands for."""
    erased = erased_entries().count()
    if not erased:
        return ""
    return (
        f" {erased} do-not-call entries of erased people hold only under the keys they were made"
        " with: keep every older key in FIELD_ENCRYPTION_KEYS, or these people may be called again."
    )


def _rows() -> Iterator[tuple[Model, list[str]]]:
    for model in apps.get_models():
        fields = [one for one in model._meta.get_fields() if isinstance(one, EncryptedTextField)]
        if fields:
            for row in model._base_manager.order_by("pk").iterator(chunk_size=200):  # noqa: SLF001  # public name
                yield row, [one.name for one in fields]


def _rotate(row: Model, names: list[str], *, dry_run: bool) -> int:
    """Read the row again and write it in one atomic block: somebody may be changing it."""

    def write() -> None:
        rows = type(row)._base_manager.filter(pk=row.pk)  # noqa: SLF001  # public name
        for fresh in rows:
            rows.update(**{name: getattr(fresh, name) for name in names})

    if not dry_run:
        run_atomic(write)
    return 1


def _rotate_codes(key: int, *, dry_run: bool) -> int:
    one = Authenticator.objects.get(pk=key)
    data = dict(one.data)
    for name in _SECRETS_OF_CODES:
        if isinstance(data.get(name), str):
            data[name] = _under_first_key(data[name])
    if not dry_run:
        Authenticator.objects.filter(pk=one.pk).update(data=data)
    return 1


def _under_first_key(token: str) -> str:
    """Take what was stored before seeds were encrypted as plain text."""
    return rotated(token) if is_encrypted(token) else encrypted(token)
