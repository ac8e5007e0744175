"""A person's consent and its proof, notes about them, and their erasure."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

from django.contrib import messages
from django.http import FileResponse, Http404
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from accounts.access import client_manager, get_visible_or_404
from audit import actions
from audit.services import record
from convomono.lib import clock, files
from convomono.lib.answers import INVALID
from leads.forms.person import ConsentForm, EraseForm, NoteForm, RevokeForm
from leads.models import Consent, Lead
from leads.services.consents import record_consent, revoke_consent
from leads.services.erasure import CallInProgress, erase_lead
from leads.services.notes import add_note

if TYPE_CHECKING:
    from uuid import UUID

    from django import forms
    from django.http import HttpResponse, HttpResponseBase

    from accounts.access import ClientRequest


def _lead(request: ClientRequest, lead_id: UUID) -> Lead:
    return get_visible_or_404(request, Lead.objects.filter(erased_at=None), lead_id)


def _page(
    request: ClientRequest, lead: Lead, form: forms.Form, *, title: str, text: str, submit: str
) -> HttpResponse:
    context = {"lead": lead, "form": form, "title": title, "text": text, "submit": submit}
    return render(request, "leads/lead_form.html", context, status=INVALID if form.errors else 200)


@client_manager
@require_http_methods(["GET", "POST"])
def consent_create(request: ClientRequest, lead_id: UUID) -> HttpResponse:
    lead = _lead(request, lead_id)
    zone = request.tenant.time_zone
    form = ConsentForm(
        request.POST or None,
        request.FILES or None,
        zone=zone,
        today=clock.now().astimezone(ZoneInfo(zone)).date(),
    )
    if request.method == "POST" and form.is_valid():
        statement = form.consent()
        assert statement is not None  # this form offers no "they haven't yet"
        proof = form.cleaned_data["proof"]
        consent = record_consent(
            lead=lead,
            statement=statement,
            proof=proof,
            proof_name=proof.name if proof else "",
            actor=request.user,
            now=clock.now(),
        )
        if consent is None:
            messages.error(request, _("This person was erased meanwhile: nothing is kept."))
        else:
            messages.success(request, _("The consent is on record."))
        return redirect("campaigns:lead-detail", lead.pk)
    return _page(
        request,
        lead,
        form,
        title=_("Record a consent"),
        text=_("How this person agreed to be called, with the proof if you have one."),
        submit=_("Record it"),
    )


@client_manager
@require_http_methods(["GET", "POST"])
def consent_revoke(request: ClientRequest, lead_id: UUID) -> HttpResponse:
    lead = _lead(request, lead_id)
    form = RevokeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        if revoke_consent(
            lead=lead, how=form.cleaned_data["how"], actor=request.user, now=clock.now()
        ):
            messages.success(request, _("Nobody calls this person any more."))
        return redirect("campaigns:lead-detail", lead.pk)
    return _page(
        request,
        lead,
        form,
        title=_("The consent was taken back"),
        text=_("From now on nobody calls this person. The proofs stay on record, marked."),
        submit=_("Take it back"),
    )


@client_manager
@require_GET
def consent_proof(request: ClientRequest, consent_id: UUID) -> HttpResponseBase:
    """Hand out the file that proves a consent, always as a download."""
    consent = get_visible_or_404(request, Consent.objects.exclude(proof_stored=""), consent_id)
    try:
        content = files.open_stored(consent.proof_stored)
    except FileNotFoundError:
        raise Http404 from None
    record(actions.CONSENT_PROOF_DOWNLOADED, resource=consent, actor=request.user, now=clock.now())
    return FileResponse(
        content,
        as_attachment=True,
        filename=consent.proof_name,
        content_type="application/octet-stream",
    )


@client_manager
@require_POST
def note_create(request: ClientRequest, lead_id: UUID) -> HttpResponse:
    lead = _lead(request, lead_id)
    form = NoteForm(request.POST)
    if not form.is_valid():
        messages.error(request, _("Write the note first."))
    elif not add_note(
        lead=lead, text=form.cleaned_data["text"], actor=request.user, now=clock.now()
    ):
        messages.error(request, _("This person was erased meanwhile: nothing is kept."))
    return redirect("campaigns:lead-detail", lead.pk)


@client_manager
@require_http_methods(["GET", "POST"])
def lead_erase(request: ClientRequest, lead_id: UUID) -> HttpResponse:
    lead = _lead(request, lead_id)
    form = EraseForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            erase_lead(
                lead=lead,
                reason=form.cleaned_data["reason"],
                actor=request.user,
                now=clock.now(),
            )
        except CallInProgress:
            form.add_error(
                None, _("A call with this person goes on, or has just ended. Try in ten minutes.")
            )
        else:
            messages.success(request, _("The person is erased, and is never called again."))
            return redirect("leads:lead-list")
    return _page(
        request,
        lead,
        form,
        title=_("Erase this person"),
        text=_(
            "Name, number, e-mail, consents, notes, transcripts and recordings are deleted for good. "
            "What stays is that minutes were used, and a hash of the number, so that nobody calls it. Retell "
            "deletes its copy of the calls within three days."
        ),
        submit=_("Erase for good"),
    )
