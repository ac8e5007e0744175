"""Imports for programs: the same steps as on the pages."""

from __future__ import annotations

import io
from itertools import islice
from typing import TYPE_CHECKING, Any, cast

from django.conf import settings
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.parsers import FormParser
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.access import can_manage, get_or_404
from accounts.api.pagination import NewestFirst
from accounts.api.parsers import JSONParser
from accounts.api.permissions import ClientFace
from accounts.api.problems import Conflict
from audit import actions
from audit.services import record
from convomono.lib import clock
from leads.api.serializers import (
    ImportDetailSerializer,
    ImportRowSerializer,
    ImportSerializer,
    ImportStopSerializer,
    ImportWriteSerializer,
)
from leads.imports.agreed import RowConsent
from leads.imports.cells import split_tags
from leads.imports.columns import SaidWrong, guess_mapping, lacks_plus, said_mapping
from leads.imports.error_file import rows_now
from leads.imports.packed import FileRefused
from leads.imports.screens import remembered
from leads.imports.targets import find_target
from leads.imports.verdicts import MENDABLE, Verdict
from leads.imports.warned import is_warning, warned_rows
from leads.models import Consent, LeadImport
from leads.services.imports import (
    ImportMovedOn,
    cancel_import,
    check_import,
    commit_import,
    discard_import,
    start_import,
    undo_import,
)
from leads.services.people import ConsentStatement
from leads.upload_cap import CappedMultiPartParser

if TYPE_CHECKING:
    from uuid import UUID

    from django.db.models import QuerySet
    from rest_framework.request import Request

    from accounts.models import Client, User
    from leads.imports.targets import ImportTarget
    from leads.models import ImportMapping

_VERDICT = OpenApiParameter("verdict", str, description="By default all that can be mended.")
_WARNING = OpenApiParameter(
    "warning",
    str,
    description="In place of a verdict: a warning as `counts` names it, whose first 1,000 rows are kept.",
)
_AFTER = OpenApiParameter("after", int, description="Only rows behind this one; 500 at once.")
ROWS_AT_ONCE = 500


def _mine(request: Request) -> QuerySet[LeadImport]:
    return LeadImport.objects.visible_to(cast("User", request.user))


class ImportList(generics.ListAPIView[LeadImport]):
    """Your imports, the newest first."""

    permission_classes = [ClientFace]
    serializer_class = ImportSerializer
    pagination_class = NewestFirst
    parser_classes = [JSONParser, CappedMultiPartParser, FormParser]
    queryset = LeadImport.objects.all()

    def get_queryset(self) -> QuerySet[LeadImport]:
        return _mine(self.request)

    @extend_schema(request=ImportWriteSerializer, responses={202: ImportDetailSerializer})
    def post(self, request: Request) -> Response:
        """Take a spreadsheet in and start its dry run; with `dry_run` false import it right after."""
        sent = ImportWriteSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        data, user = sent.validated_data, cast("User", request.user)
        target = _target(user, data.get("campaign_id"))
        try:
            row = _started(user, data, target)
        except FileRefused as refused:
            raise ValidationError({"file": [str(refused)]}, code="file_refused") from refused
        try:
            _check(user, row, data, target)
        except ValidationError:
            discard_import(lead_import=row, actor=user, now=clock.now())
            raise
        return Response(ImportDetailSerializer(row).data, status=202)


def _target(user: User, campaign_id: UUID | None) -> ImportTarget | None:
    if campaign_id is None:
        return None
    target = find_target(client_id=cast("Client", user.client).pk, campaign_id=campaign_id)
    if target is None:
        raise ValidationError({"campaign_id": ["You have no such campaign."]})
    return target


def _started(user: User, data: dict[str, Any], target: ImportTarget | None) -> LeadImport:
    kind, said = data["consent_kind"], (data["consent_source"], data["consent_wording"])
    consent: ConsentStatement | RowConsent | None = None
    if data["consent_by_row"]:
        consent = RowConsent(kind, *said, data["consent_seller"])
    elif kind in Consent.Kind.values:
        consent = ConsentStatement(
            kind, *said, data["consent_given_at"], seller=data["consent_seller"]
        )
    upload = data.get("file")
    return start_import(
        client=cast("Client", user.client),
        campaign_id=target.campaign_id if target else None,
        file_name=upload.name if upload else data["file_name"],
        stream=upload or io.BytesIO(data["csv"].encode()),
        consent=consent,
        max_bytes=settings.LEAD_UPLOAD_MAX_BYTES,
        actor=user,
        now=clock.now(),
    )


def _check(user: User, row: LeadImport, data: dict[str, Any], target: ImportTarget | None) -> None:
    variables = list(target.variables) if target else []
    memory = remembered(row)
    guessed = guess_mapping(
        row.detected,
        variables=variables,
        remembered=cast("ImportMapping", memory.same.mapping) if memory.same else None,
        habits=memory.habits,
    )
    said = data.get("mapping", {})
    try:
        mapping = said_mapping(row.detected, guessed, said=said, variables=variables)
    except SaidWrong as wrong:
        raise ValidationError({"mapping": [str(wrong)]}) from wrong
    if "phone_number" not in mapping["fields"]:
        raise ValidationError({"mapping": ["Say which column holds the phone number."]})
    if data["consent_by_row"] and "consent_on" not in mapping["fields"]:
        raise ValidationError({"mapping": ["Say which column holds the day of the consent."]})
    _check_defaults(data["defaults"], target)
    names = ("country", "duplicates", "existing", "refused_lines", "defaults")
    options = row.options | {name: data[name] for name in names if name in data}
    options["refused_lines"] = sorted(data["refused_lines"])
    options["lost_plus"] = data["lost_plus"]
    if data["lost_plus"] is None:
        place = mapping["fields"]["phone_number"]
        options["lost_plus"] = lacks_plus(row.detected, place, options["country"])
    options["tags"] = split_tags(data["tags"])
    check_import(
        lead_import=row,
        mapping=mapping,
        options=options | {"commit_after": not data["dry_run"]},
        actor=user,
        now=clock.now(),
        real_now=clock.real_now(),
    )


def _check_defaults(defaults: dict[str, str], target: ImportTarget | None) -> None:
    for name, text in defaults.items():
        if target is None or name not in target.variables:
            raise ValidationError({"defaults": [f"The script has no variable {name!r}."]})
        asked = target.asked.get(name)
        if asked is not None and (problem := asked.problem(text)):
            raise ValidationError({"defaults": [problem]})


class ImportDetail(generics.RetrieveAPIView[LeadImport]):
    """One import with its columns, options and counts."""

    permission_classes = [ClientFace]
    serializer_class = ImportDetailSerializer
    lookup_url_kwarg = "import_id"
    queryset = LeadImport.objects.all()

    def get_queryset(self) -> QuerySet[LeadImport]:
        return _mine(self.request)


class ImportRows(APIView):
    """Rows of an import with their verdicts."""

    permission_classes = [ClientFace]

    @extend_schema(
        parameters=[_VERDICT, _WARNING, _AFTER], responses=ImportRowSerializer(many=True)
    )
    def get(self, request: Request, import_id: UUID) -> Response:
        """List rows in file order; ask for those after the last one for more."""
        if not can_manage(cast("User", request.user)):
            raise PermissionDenied  # rows are personal data: viewers don't take them out
        row = get_or_404(_mine(request), import_id)
        verdict, warning = (request.query_params.get(one, "") for one in ("verdict", "warning"))
        _check_asked(verdict, warning)
        record(
            actions.LEADS_ROWS_DOWNLOADED,
            resource=row,
            actor=cast("User", request.user),
            now=clock.now(),
            details={"warning": warning} if warning else {"verdict": verdict},
        )
        said = request.query_params.get("after", "0")[:9]
        after = int(said) if said.isdecimal() else 0
        verdicts = [verdict] if verdict else sorted(MENDABLE)
        if warning:
            found = warned_rows(row, warning, after=after)
        else:
            found = rows_now(row, verdicts, after=after)
        rows = list(islice(found, ROWS_AT_ONCE))
        return Response({"results": ImportRowSerializer(rows, many=True).data})


def _check_asked(verdict: str, warning: str) -> None:
    if verdict and verdict not in Verdict.values:
        raise ValidationError({"verdict": [f"{verdict!r} is no verdict."]})
    if warning and not is_warning(warning):
        raise ValidationError({"warning": [f"{warning!r} is no warning."]})
    if verdict and warning:
        raise ValidationError({"warning": ["Ask for a verdict or for a warning."]})


class _Step(APIView):
    """A step of an import that is there."""

    permission_classes = [ClientFace]

    def _take(self, request: Request, row: LeadImport) -> None:
        raise NotImplementedError

    def post(self, request: Request, import_id: UUID) -> Response:
        row = get_or_404(_mine(request), import_id)
        try:
            self._take(request, row)
        except ImportMovedOn as late:
            raise Conflict(f"The import is {row.status}.", code="import_moved_on") from late
        return Response(ImportDetailSerializer(row).data, status=202)


@extend_schema(request=None, responses={202: ImportDetailSerializer})
class ImportCommit(_Step):
    """Import what was checked."""

    def _take(self, request: Request, row: LeadImport) -> None:
        commit_import(
            lead_import=row,
            actor=cast("User", request.user),
            now=clock.now(),
            real_now=clock.real_now(),
        )


@extend_schema(request=ImportStopSerializer, responses={202: ImportDetailSerializer})
class ImportCancel(_Step):
    """Stop an import; what it has imported is kept unless `keep` is false."""

    def _take(self, request: Request, row: LeadImport) -> None:
        sent = ImportStopSerializer(data=request.data)
        sent.is_valid(raise_exception=True)
        cancel_import(
            lead_import=row,
            keep=sent.validated_data["keep"],
            actor=cast("User", request.user),
            now=clock.now(),
            real_now=clock.real_now(),
        )


@extend_schema(request=None, responses={202: ImportDetailSerializer})
class ImportUndo(_Step):
    """Take back what an import did, within 30 days."""

    def _take(self, request: Request, row: LeadImport) -> None:
        undo_import(
            lead_import=row,
            actor=cast("User", request.user),
            now=clock.now(),
            real_now=clock.real_now(),
        )
