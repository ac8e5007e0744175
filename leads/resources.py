"""Import and export of leads and do-not-call entries in the back office."""

from __future__ import annotations

from collections import defaultdict
from contextlib import nullcontext, suppress
from functools import partial
from itertools import batched
from typing import TYPE_CHECKING, Any, ClassVar
from zoneinfo import available_timezones

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _
from import_export import fields
from import_export.exceptions import ImportError  # noqa: A004 - the library's, as it says

from audit import actions
from convomono.lib import clock
from convomono.lib.bulk import insert_rows
from convomono.lib.db import run_atomic
from leads.doors import campaigns
from leads.exchange import KnownRows, SafeResource, parsed_number
from leads.imports.places import likely_zones
from leads.imports.rows import WIDTHS
from leads.models import Lead, Suppression
from leads.services.marks import know_marks
from leads.services.people import ERASED
from leads.services.scoring import weighing_of
from leads.services.statuses import Cause, Why, status_line
from leads.services.suppressions import (
    is_erased,
    keep_listed,
    mark_leads,
    scope_key,
    suppressed_numbers,
)

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import Model

    from accounts.models import Client
    from leads.services.scoring import Weighing


_QUESTION = 500  # numbers in one query
_AT_ONCE = 200  # rows written in one transaction


class LeadResource(SafeResource):
    """Leads under the names of the API; a number stands once for each client."""

    lead_id = fields.Field("id", "lead_id", readonly=True)
    widths = WIDTHS
    recorded_as = actions.LEADS_IMPORTED

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.weighings: dict[UUID, Weighing] = {}
        self.listed: set[tuple[UUID, str]] = set()
        self.moved: dict[int, list[UUID]] = defaultdict(list)  # known leads by new score

    class Meta:
        model = Lead
        import_id_fields = ("client", "phone_number")
        instance_loader_class = KnownRows
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
            *("marks_key", "score", "updated_at"),
        ]

    def bulk_create(
        self, using_transactions: bool, dry_run: bool, raise_errors: bool, **kwargs: Any
    ) -> None:
        """Add leads; of those who are shown as suppressed from the beginning their history says so."""
        self._know_marks(self.create_instances, dry_run)
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

    def bulk_update(
        self, using_transactions: bool, dry_run: bool, raise_errors: bool, **kwargs: Any
    ) -> None:
        self._know_marks(self.update_instances, dry_run)
        update, moved = super().bulk_update, dict(self.moved)
        self.moved.clear()
        if not moved or dry_run:
            update(using_transactions, dry_run, raise_errors, **kwargs)
            return
        rows = list(self.update_instances)

        def block() -> None:
            self.update_instances[:] = rows  # a run that was undone has emptied it
            update(using_transactions, dry_run, True, **kwargs)  # an error has to leave the block
            campaigns().prioritise(moved)

        with suppress(ImportError) if not raise_errors else nullcontext():
            run_atomic(block)

    def _know_marks(self, leads: list[Lead], dry_run: bool) -> None:
        """Keep the leads' tags and zones before they are written: a set that nobody has does no harm."""
        by_client: dict[UUID, list[Lead]] = defaultdict(list)
        for lead in leads if not dry_run else ():
            by_client[lead.client_id].append(lead)
        for some in by_client.values():
            know_marks(some)

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
        row["phone_number"] = parsed_number(
            str(row.get("phone_number", "")), row.get("country", "")
        ).e164
        client = self.fields["client"].widget.clean(row.get("client"))
        if client is None:
            raise ValidationError({"client": _("Name the client whose lead this is.")})
        self.refuse_double(str(row.get("client", "")), row["phone_number"])
        if (client.pk, row["phone_number"]) in self.listed and is_erased(
            client_id=client.pk, phone_number=row["phone_number"]
        ):
            raise ValidationError({"phone_number": str(ERASED)})
        if (zone := row.get("time_zone")) and zone not in available_timezones():
            raise ValidationError({"time_zone": _("This is no IANA time zone.")})
        for name in ("status", "consent_status"):  # what calls and statements say, not a table
            row.pop(name, None)

    def before_save_instance(self, instance: Lead, row: dict[str, Any], **_kwargs: Any) -> None:
        parsed = parsed_number(instance.phone_number, instance.country)
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
        instance.note_texts()
        before = instance.score
        instance.score = self._weighing(instance.client_id).points(instance)
        if before != instance.score and not instance._state.adding:  # noqa: SLF001  # Django's own place for it
            self.moved[instance.score].append(instance.pk)
        instance.updated_at = clock.now()
        if getattr(instance, "created_at", None) is None:
            instance.created_at = instance.updated_at
            if (instance.client_id, instance.phone_number) in self.listed:
                instance.status = Lead.Status.SUPPRESSED  # in the list, and shown for what it is

    def _weighing(self, client_id: UUID) -> Weighing:
        if client_id not in self.weighings:
            self.weighings[client_id] = weighing_of(client_id)
        return self.weighings[client_id]


class SuppressionResource(SafeResource):
    """Do-not-call entries; without a client an entry is the agency's, for everybody."""

    widths: ClassVar[dict[str, int]] = {"reason": 200}
    recorded_as = actions.SUPPRESSIONS_IMPORTED

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.named_again: list[str] = []

    class Meta:
        model = Suppression
        import_id_fields = ("scope_key",)
        instance_loader_class = KnownRows
        fields = ("scope_key", "client", "phone_number", "reason", "level")
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

    def after_import_row(self, row: dict[str, Any], row_result: Any, **kwargs: Any) -> None:
        super().after_import_row(row, row_result, **kwargs)
        if row["scope_key"] in self.known:
            self.named_again.append(row["scope_key"])

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        """Keep what another list had added: its undo leaves what this file names as well."""
        super().after_import(dataset, result, **kwargs)
        if not kwargs.get("dry_run"):
            for some in batched(self.named_again, _AT_ONCE):
                run_atomic(partial(keep_listed, scope_keys=some, operation_id=None))

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        super().before_import(dataset, **kwargs)
        self.named_again = []
        if "scope_key" not in (dataset.headers or []):
            dataset.append_col([""] * len(dataset), header="scope_key")

    def before_import_row(self, row: dict[str, Any], **kwargs: Any) -> None:
        super().before_import_row(row, **kwargs)
        if row.pop("level", "") == Suppression.Level.CAMPAIGN:
            # Without its campaign it would hold for all of the client's.
            raise ValidationError(
                {"level": _("Import the entries of one campaign on its own list.")}
            )
        number = parsed_number(str(row.get("phone_number", "")), "").e164
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
