"""Addresses of the leads room."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.urls import path

from leads.views import (
    agency_suppressions,
    consents,
    import_rows,
    imports,
    operations,
    parts,
    people,
    suppressions,
    uploads,
    weights,
)

if TYPE_CHECKING:
    from django.urls import URLPattern

_OPERATION = "leads/changes/<uuid:operation_id>/"
_IMPORT = "imports/<uuid:import_id>/"

client_face: tuple[list[URLPattern], str] = (
    [
        path("leads/", people.lead_list, name="lead-list"),
        path("leads/new/", people.lead_create, name="lead-create"),
        path("leads/<uuid:lead_id>/edit/", people.lead_edit, name="lead-edit"),
        path("leads/<uuid:lead_id>/row/", people.lead_row, name="lead-row"),
        path("leads/<uuid:lead_id>/consent/", consents.consent_create, name="consent-create"),
        path("leads/<uuid:lead_id>/revoke/", consents.consent_revoke, name="consent-revoke"),
        path("leads/<uuid:lead_id>/notes/", consents.note_create, name="note-create"),
        path("leads/<uuid:lead_id>/erase/", consents.lead_erase, name="lead-erase"),
        path("consents/<uuid:consent_id>/proof/", consents.consent_proof, name="consent-proof"),
        path("leads/score/", weights.score_weights, name="score-weights"),
        path("leads/views/", people.view_create, name="view-create"),
        path("leads/views/<uuid:view_id>/delete/", people.view_delete, name="view-delete"),
        path("leads/change/", operations.operation_create, name="operation-create"),
        path("leads/changes/", operations.operation_list, name="operation-list"),
        path(_OPERATION, operations.operation_detail, name="operation-detail"),
        path(f"{_OPERATION}cancel/", operations.operation_cancel, name="operation-cancel"),
        path(f"{_OPERATION}undo/", operations.operation_undo, name="operation-undo"),
        path(f"{_OPERATION}file/", operations.operation_file, name="operation-file"),
        path("imports/", imports.import_list, name="import-list"),
        path("imports/new/", uploads.import_create, name="import-create"),
        path("imports/template/", uploads.import_template, name="import-template"),
        path("imports/parts/<uuid:part_key>/", parts.import_part, name="import-part"),
        path(_IMPORT, imports.import_detail, name="import-detail"),
        path(f"{_IMPORT}check/", imports.import_check, name="import-check"),
        path(f"{_IMPORT}commit/", imports.import_commit, name="import-commit"),
        path(f"{_IMPORT}cancel/", imports.import_cancel, name="import-cancel"),
        path(f"{_IMPORT}reading/", imports.import_reading, name="import-reading"),
        path(f"{_IMPORT}undo/", imports.import_undo, name="import-undo"),
        path(
            f"{_IMPORT}rows/<int:row_number>/mend/",
            import_rows.import_row_mend,
            name="import-row-mend",
        ),
        path(f"{_IMPORT}rows/<slug:verdict>/", import_rows.import_rows, name="import-rows"),
        path(f"{_IMPORT}errors/", import_rows.import_errors, name="import-errors"),
        path(f"{_IMPORT}proof/", import_rows.import_proof, name="import-proof"),
        path(f"{_IMPORT}left/", import_rows.import_left, name="import-left"),
        path("do-not-call/", suppressions.suppression_list, name="suppression-list"),
        path("do-not-call/import/", suppressions.suppression_import, name="suppression-import"),
        path("do-not-call/export/", suppressions.suppression_export, name="suppression-export"),
        path("do-not-call/add/", suppressions.suppression_create, name="suppression-create"),
        path(
            "do-not-call/<uuid:suppression_id>/lift/",
            suppressions.suppression_lift,
            name="suppression-lift",
        ),
    ],
    "leads",
)
_LIST = "do-not-call/"
agency_face: tuple[list[URLPattern], str] = (
    [
        path(_LIST, agency_suppressions.entry_list, name="entry-list"),
        path(f"{_LIST}add/", agency_suppressions.entry_create, name="entry-create"),
        path(f"{_LIST}import/", agency_suppressions.entry_import, name="entry-import"),
        path(f"{_LIST}export/", agency_suppressions.entry_export, name="entry-export"),
        path(f"{_LIST}<uuid:entry_id>/lift/", agency_suppressions.entry_lift, name="entry-lift"),
        path(
            f"{_LIST}lists/<uuid:listing_id>/",
            agency_suppressions.listing_detail,
            name="listing-detail",
        ),
        path(
            f"{_LIST}lists/<uuid:listing_id>/file/",
            agency_suppressions.listing_file,
            name="listing-file",
        ),
        path(
            f"{_LIST}lists/<uuid:listing_id>/undo/",
            agency_suppressions.listing_undo,
            name="listing-undo",
        ),
    ],
    "agency-leads",
)
