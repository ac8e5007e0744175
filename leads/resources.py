"""Import and export of leads and do-not-call entries in the back office."""

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext, suppress
from itertools import batched
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from import_export import fields, resources
from import_export.exceptions import ImportError  # noqa: A004 - the library's, as it says
from import_export.instance_loaders import BaseInstanceLoader
from import_export.widgets import ForeignKeyWidget

from accounts.models import Client
from audit import actions
from audit.services import record
from convomono.lib import clock, csvio
from convomono.lib.bulk import insert_rows
from convomono.lib.csvio import clean_cell, safe_cell
from convomono.lib.db import run_atomic
from convomono.lib.phone import NumberRefused, ParsedNumber, parse_number
from leads.imports.places import likely_zones
from leads.imports.rows import WIDTHS
from leads.imports.verdicts import REASONS, Verdict
from leads.models import Lead, Suppression
from leads.services.scoring import weighing_of
from leads.services.statuses import Cause, Why, status_line
from leads.services.suppressions import mark_leads, scope_key, suppressed_numbers

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import Model

    from leads.services.scoring import Weighing


_QUESTION = 500  # numbers in one query


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


class _Known(BaseInstanceLoader):
    """Hands out the rows that were looked up for the whole file at its beginning."""

    def get_instance(self, row: dict[str, Any]) -> Model | None:
        found: Model | None = self.resource.known.get(self.resource.key_of(row))
        return found


class _SafeResource(resources.ModelResource):
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
                found[client].append(_parsed(_clean(number), _clean(country)).e164)
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


def _parsed(text: str, country: str) -> ParsedNumber:
    try:
        return parse_number(text, country or "US")
    except NumberRefused as exc:
        raise ValidationError({"phone_number": str(REASONS[Verdict(exc.reason)])}) from None


class LeadResource(_SafeResource):
    """Leads under the names of the API; a number stands once for each client."""

    lead_id = fields.Field("id", "lead_id", readonly=True)
    widths = WIDTHS
    recorded_as = actions.LEADS_IMPORTED

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weighings: dict[UUID, Weighing] = {}
        self.listed: set[tuple[UUID, str]] = set()

    class Meta:
        model = Lead
        import_id_fields = ("client", "phone_number")
        instance_loader_class = _Known
        fields = (
            "lead_id",
            "client",
            "phone_number",
            "first_name",
            "last_name",
            "email",
            "company",
            "country",
            "region",
            "postal_code",
            "time_zone",
            "external_id",
            "status",
            "consent_status",
        )
        skip_unchanged = True
        use_bulk = True
        batch_size = 100

    def key_of(self, row: dict[str, Any]) -> Any:
        return str(row.get("client", "")), row["phone_number"]

    def find_known(self, numbers: dict[Client | None, list[str]]) -> dict[Any, Model]:
        found: dict[Any, Model] = {}
        for client, all_of_them in numbers.items():
            for some in batched(all_of_them, _QUESTION):
                for lead in Lead.objects.filter(client=client, phone_number__in=some):
                    found[str(client and client.name), lead.phone_number] = lead
            if client is not None:
                listed = suppressed_numbers(
                    client_id=client.pk, campaign_id=None, phone_numbers=all_of_them
                )
                self.listed |= {(client.pk, number) for number in listed}
        return found

    def get_bulk_update_fields(self) -> list[str]:
        """Return the columns an import may change, with those that follow from them."""
        return [
            *("first_name", "last_name", "email", "company", "country", "region", "postal_code"),
            *("time_zone", "external_id", "line_type", "zone_candidates", "search_text"),
            *("score", "updated_at"),
        ]

    def bulk_create(
        self, using_transactions: bool, dry_run: bool, raise_errors: bool, **kwargs: Any
    ) -> None:
        """Add leads; of those who are shown as suppressed from the beginning their history says so."""
        rows, add = list(self.create_instances), super().bulk_create
        marked = [row for row in rows if row.status == Lead.Status.SUPPRESSED]
        if not marked:
            # No block of our own where there is nothing to add: it costs two statements for each batch.
            add(using_transactions, dry_run, raise_errors, **kwargs)
            return

        def block() -> None:
            self.create_instances[:] = rows  # a run that was undone has emptied it
            add(using_transactions, dry_run, True, **kwargs)  # an error has to leave the block
            self._tell(marked)

        with (
            suppress(ImportError) if not raise_errors else nullcontext()
        ):  # it stands in the result
            run_atomic(block)

    def _tell(self, marked: list[Lead]) -> None:
        """Write the first line of these leads' history; a dry run added none of them, an error neither."""
        there = Lead.objects.in_bulk([row.pk for row in marked])
        cause = Cause(why=Why.ADDED, by_email=self.by_email, at=clock.now())
        insert_rows(
            [
                status_line(
                    lead_id=pk, client_id=row.client_id, before="", after=row.status, cause=cause
                )
                for pk, row in there.items()
            ]
        )

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        super().before_import_row(row, **kwargs)
        row["phone_number"] = _parsed(str(row.get("phone_number", "")), row.get("country", "")).e164
        self.refuse_double(str(row.get("client", "")), row["phone_number"])
        if (zone := row.get("time_zone")) and zone not in available_timezones():
            raise ValidationError({"time_zone": _("This is no IANA time zone.")})
        for name in ("status", "consent_status"):  # what calls and statements say, not a table
            row.pop(name, None)

    def before_save_instance(self, instance: Lead, row: dict[str, Any], **_kwargs: Any) -> None:
        parsed = _parsed(instance.phone_number, instance.country)
        instance.country, instance.line_type = parsed.country, parsed.line_type
        # As an upload does: the state or postal code tells more than a number that moved house.
        instance.zone_candidates = list(
            likely_zones(
                parsed.e164,
                country=parsed.country,
                region=instance.region,
                postal_code=instance.postal_code,
            )
        )
        instance.search_text = instance.searchable()
        instance.score = self._weighing(instance.client_id).points(instance)
        instance.updated_at = clock.now()
        if getattr(instance, "created_at", None) is None:
            instance.created_at = instance.updated_at
            if (instance.client_id, instance.phone_number) in self.listed:
                instance.status = Lead.Status.SUPPRESSED  # in the list, and shown for what it is

    def _weighing(self, client_id: UUID) -> Weighing:
        if client_id not in self.weighings:
            self.weighings[client_id] = weighing_of(client_id)
        return self.weighings[client_id]


class SuppressionResource(_SafeResource):
    """Do-not-call entries; without a client an entry is the agency's, for everybody."""

    widths: ClassVar[dict[str, int]] = {"reason": 200}
    recorded_as = actions.SUPPRESSIONS_IMPORTED

    class Meta:
        model = Suppression
        import_id_fields = ("scope_key",)
        instance_loader_class = _Known
        fields = ("scope_key", "client", "phone_number", "reason")
        skip_unchanged = True
        use_bulk = True
        batch_size = 100

    def key_of(self, row: dict[str, Any]) -> Any:
        return row["scope_key"]

    def find_known(self, numbers: dict[Client | None, list[str]]) -> dict[Any, Model]:
        keys = (_key(client, number) for client, some in numbers.items() for number in some)
        found: dict[Any, Model] = {}
        for some in batched(keys, _QUESTION):
            for entry in Suppression.objects.filter(scope_key__in=some):
                found[entry.scope_key] = entry
        return found

    def get_bulk_update_fields(self) -> list[str]:
        """Return what an import may change of an entry: nothing but its reason."""
        return ["reason"]

    def bulk_create(
        self, using_transactions: bool, dry_run: bool, raise_errors: bool, **kwargs: Any
    ) -> None:
        """Add entries, and mark the leads who must not be called any more, as the service does."""
        rows, add = list(self.create_instances), super().bulk_create
        added = [row for row in rows if row.level == Suppression.Level.CLIENT]

        def block() -> None:
            self.create_instances[:] = rows  # a run that was undone has emptied it
            add(using_transactions, dry_run, True, **kwargs)  # an error has to leave the block
            if using_transactions or not dry_run:
                self._mark(added)

        with (
            suppress(ImportError) if not raise_errors else nullcontext()
        ):  # it stands in the result
            run_atomic(block)

    def _mark(self, added: list[Suppression]) -> None:
        numbers: dict[UUID, list[str]] = defaultdict(list)
        for row in added:
            if row.client_id is not None:
                numbers[row.client_id].append(row.phone_number)
        cause = Cause(why=Why.LISTED, by_email=self.by_email, at=clock.now())
        for client_id, some in numbers.items():
            mark_leads(client_id=client_id, phone_numbers=some, cause=cause)

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        super().before_import(dataset, **kwargs)
        if "scope_key" not in (dataset.headers or []):
            dataset.append_col([""] * len(dataset), header="scope_key")

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        super().before_import_row(row, **kwargs)
        number = _parsed(str(row.get("phone_number", "")), "").e164
        client = self.fields["client"].widget.clean(row.get("client"))
        row["phone_number"] = number
        self.refuse_double(str(row.get("client", "")), number)
        row["scope_key"] = _key(client, number)

    def before_save_instance(
        self, instance: Suppression, row: dict[str, Any], **_kwargs: Any
    ) -> None:
        instance.level = _level(instance.client)
        instance.source = Suppression.Source.IMPORT
        if getattr(instance, "created_at", None) is None:
            instance.created_at = clock.now()


def _key(client: Client | None, number: str) -> str:
    return scope_key(
        level=_level(client),
        client_id=client.pk if client else None,
        campaign_id=None,
        phone_number=number,
    )


def _level(client: Client | None) -> Suppression.Level:
    return Suppression.Level.CLIENT if client else Suppression.Level.AGENCY
