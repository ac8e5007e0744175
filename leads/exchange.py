"""What the back office's tables of leads share as files: clients by name, cells made safe, who did it."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from import_export import fields, resources
from import_export.instance_loaders import BaseInstanceLoader
from import_export.widgets import ForeignKeyWidget

from accounts.models import Client
from audit.services import record
from convomono.lib import clock, csvio
from convomono.lib.csvio import clean_cell, safe_cell
from convomono.lib.phone import NumberRefused, ParsedNumber, parse_number
from leads.imports.cells import whole_number
from leads.imports.verdicts import REASONS, Verdict

if TYPE_CHECKING:
    from django.db.models import Model


class _ClientByName(ForeignKeyWidget):
    """A client by its name, asked for once in an import."""

    def __init__(self) -> None:
        super().__init__(Client, "name")
        self.known: dict[str, Client] = {}

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Client | None:
        if not value:
            return None
        if value not in self.known:
            client = Client.objects.filter(name=value).first()
            if client is None:
                raise ValidationError({"client": "There is no client of this name."})
            self.known[value] = client
        return self.known[value]


class KnownRows(BaseInstanceLoader):
    """Hands out the rows that were looked up for the whole file at its beginning."""

    def get_instance(self, row: dict[str, Any]) -> Model | None:
        found: Model | None = self.resource.known.get(self.resource.key_of(row))
        return found


class SafeResource(resources.ModelResource):
    """
    Cells are untrusted both ways: safe when exported, cleaned when imported.

    What a file names is looked up once, 500 rows in a query; rows are written in bulk, `batch_size` at
    once. What stands twice in a file is refused by its
    row: in bulk the second one would spoil the batch.
    """

    client = fields.Field("client", "client", _ClientByName())
    widths: ClassVar[dict[str, int]] = {}
    recorded_as: ClassVar[str] = ""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.seen: set[tuple[str, str]] = set()
        self.known: dict[Any, Model] = {}
        self.by_email = ""

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        super().before_import(dataset, **kwargs)
        self.by_email = getattr(kwargs.get("user"), "actor_email", "")
        self.seen.clear()
        self.fields["client"].widget.known.clear()
        self.known = self.find_known(self._numbers_by_client(dataset))

    def key_of(self, row: dict[str, Any]) -> Any:
        """Return what tells a row of the file from others, once `before_import_row` has been at it."""
        raise NotImplementedError

    def find_known(self, numbers: dict[Client | None, list[str]]) -> dict[Any, Model]:
        """Return the rows that are there for these numbers of clients, by `key_of`."""
        raise NotImplementedError

    def _numbers_by_client(self, dataset: Any) -> dict[Client | None, list[str]]:
        """Return the numbers that can be read, in E.164; what can't be is refused by its row later."""
        found: dict[Client | None, list[str]] = defaultdict(list)
        headers = dataset.headers or []
        if "phone_number" not in headers:
            return {}
        blank = [""] * len(dataset)
        names, countries = (
            dataset[name] if name in headers else blank for name in ("client", "country")
        )
        for name, number, country in zip(names, dataset["phone_number"], countries, strict=True):
            try:
                client = self.fields["client"].widget.clean(_clean(name))
                found[client].append(parsed_number(_clean(number), _clean(country)).e164)
            except ValidationError:
                continue
        return found

    def refuse_double(self, client_name: str, number: str) -> None:
        if (client_name, number) in self.seen:
            raise ValidationError({"phone_number": str(REASONS[Verdict.DUP_FILE])})
        self.seen.add((client_name, number))

    def export_field(self, field: fields.Field, instance: Model, **kwargs: Any) -> Any:
        return safe_cell(super().export_field(field, instance, **kwargs))

    def before_import_row(self, row: dict[str, Any], **_kwargs: Any) -> None:
        for name, value in row.items():
            row[name] = clean_cell(value) if isinstance(value, str) else value
            self._check_text(name, str(row[name] or ""))

    def _check_text(self, name: str, text: str) -> None:
        """Refuse what an upload refuses: neither database looks at lengths."""
        if len(text) > self.widths.get(name, csvio.MAX_CELL):
            limit = self.widths.get(name, csvio.MAX_CELL)
            raise ValidationError({name: _("The cell is longer than %d characters.") % limit})
        if "{{" in text or "}}" in text:
            raise ValidationError(
                {name: _("Two braces, {{ or }}, may not stand in a cell: the agent reads it.")}
            )

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        """Say on record who changed what with this file, once for the whole of it."""
        super().after_import(dataset, result, **kwargs)
        user = kwargs.get("user")
        if user is None or kwargs.get("dry_run") or not self._has_changes(result):
            return
        totals = {name: number for name, number in result.totals.items() if number}
        names = sorted(str(name) for name in self.fields["client"].widget.known)
        record(
            self.recorded_as,
            resource=user,
            actor=user,
            now=clock.now(),
            details={"back_office": totals, "clients": names[:20]},
        )

    @staticmethod
    def _has_changes(result: Any) -> bool:
        return any(result.totals.get(name) for name in ("new", "update", "delete"))


def _clean(cell: Any) -> str:
    return clean_cell(str(cell)) if cell is not None else ""


def parsed_number(text: str, country: str) -> ParsedNumber:
    try:
        return parse_number(whole_number(text), country or "US")
    except NumberRefused as exc:
        raise ValidationError({"phone_number": str(REASONS[Verdict(exc.reason)])}) from None
