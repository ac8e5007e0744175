"""Agents as they exist at Retell, and calls as Retell reports them."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from accounts.models import ClientOwned, ClientOwnedQuerySet
from convomono.lib.models import BaseModel
from telephony import transfers
from telephony.corrections import as_corrected


class VoiceAgent(ClientOwned):
    """
    A campaign's agent as it exists at Retell, with the version that calls use.

    `fingerprint` is the hash of the settings that were last published, so that making the same
    settings ready again asks Retell nothing.
    """

    campaign_id = models.UUIDField(unique=True)
    provider_agent_id = models.CharField(max_length=80, blank=True)
    provider_llm_id = models.CharField(max_length=80, blank=True)
    provider_knowledge_base_id = models.CharField(max_length=80, blank=True)
    published_version = models.PositiveIntegerField(null=True, blank=True)
    fingerprint = models.CharField(max_length=64, blank=True)
    # Real time: until then one job writes the agent at Retell, and no other does.
    busy_until = models.DateTimeField(null=True, blank=True)
    tries_count = models.PositiveIntegerField(
        default=0
    )  # that broke off since it was last published
    created_at = models.DateTimeField()
    published_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["client", "campaign_id"], name="agent_by_campaign")]

    def __str__(self) -> str:
        return self.provider_agent_id or "–"


class Call(ClientOwned):
    """
    What Retell reports about one attempt, or about an inbound or web call.

    `status` is Retell's word: registered, ongoing, then ended, not_connected or error, and never
    back. `outcome_class` is ours (`telephony/rules.py`), with the version of the rules that made
    it; it may change when the analysis arrives. `duration_ms` is connected time as Retell bills it.
    Ids of rows above (campaign, attempt, …) are soft references. `corrected_outcome` is what a person
    who looked into it says instead: lists and reports go by that, the charge and what is dialled next
    don't. `is_test` marks a call to a phone of one's own, which only its charge is counted of. `swept_at` is
    when Retell was asked about it last, because its news didn't come.

    `agent_first_word_ms` is how long the called person waited for the agent's first word
    (`telephony/first_words.py`): `NEVER_SPOKE_MS` where the agent never spoke, None where that isn't
    known. `transfer_status` is the furthest that a transfer got, empty where none was tried;
    `transfer_destination` is whom that one was to, a number or a SIP address, empty if no event said.

    `must_say` is what the agent had to say first (`MustSay`; empty: nothing is asked, as of calls of no campaign),
    `disclosure` what its first turns came to (`telephony/disclosure`): "given", or what they left out. It says
    something only of calls that a person answered.
    """

    class Status(models.TextChoices):
        REGISTERED = "registered", _("Dialling")
        ONGOING = "ongoing", _("In call")
        ENDED = "ended", _("Ended")
        NOT_CONNECTED = "not_connected", _("Not connected")
        ERROR = "error", _("Failed")

    class OutcomeClass(models.TextChoices):
        NOT_PLACED = "not_placed", _("Not placed")
        NO_CONTACT = "no_contact", _("No answer")
        NUMBER_TROUBLE = "number_trouble", _("Caller number trouble")
        MACHINE = "machine", _("Voicemail")
        HUMAN = "human", _("Person answered")
        TECHNICAL = "technical", _("Technical failure")

    class Direction(models.TextChoices):
        OUTBOUND = "outbound", _("Outbound")
        INBOUND = "inbound", _("Inbound")

    class Transfer(models.TextChoices):
        STARTED = transfers.STARTED, _("Begun")
        CANCELLED = transfers.CANCELLED, _("Nobody took it")
        BRIDGED = transfers.BRIDGED, _("Handed over")

    class Correction(models.TextChoices):
        GOAL = "goal", _("A person answered, and the goal was reached")
        HUMAN = "human", _("A person answered, the goal was not reached")
        MACHINE = "machine", _("Only a machine answered")
        NO_CONTACT = "no_contact", _("Nobody was reached")

    LIVE = (Status.REGISTERED, Status.ONGOING)
    OVER = frozenset({Status.ENDED, Status.NOT_CONNECTED, Status.ERROR})

    provider_call_id = models.CharField(max_length=100, unique=True)
    call_type = models.CharField(max_length=16, default="phone_call")
    campaign_id = models.UUIDField(null=True, blank=True)
    batch_call_id = models.UUIDField(null=True, blank=True)
    enrolment_id = models.UUIDField(null=True, blank=True)
    attempt_id = models.UUIDField(null=True, blank=True, unique=True)
    lead_id = models.UUIDField(null=True, blank=True)
    agent_id = models.CharField(max_length=80, blank=True)  # Retell's, as the seed names it
    agent_version = models.PositiveIntegerField(null=True, blank=True)
    direction = models.CharField(max_length=8, choices=Direction, default=Direction.OUTBOUND)
    from_number = models.CharField(max_length=32, blank=True)
    to_number = models.CharField(max_length=32, blank=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.REGISTERED)
    disconnection_reason = models.CharField(max_length=64, blank=True)
    outcome_class = models.CharField(max_length=16, choices=OutcomeClass, blank=True)
    outcome_rules_version = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    analyzed_at = models.DateTimeField(null=True, blank=True)
    duration_ms = models.PositiveBigIntegerField(null=True, blank=True)
    user_spoke = models.BooleanField(default=False)
    in_voicemail = models.BooleanField(null=True, blank=True)
    is_successful = models.BooleanField(null=True, blank=True)
    user_sentiment = models.CharField(max_length=16, blank=True)
    agent_first_word_ms = models.PositiveIntegerField(null=True, blank=True)
    transfer_status = models.CharField(max_length=9, choices=Transfer, blank=True, default="")
    transfer_destination = models.CharField(max_length=200, blank=True, default="")
    must_say = models.JSONField(default=dict)
    disclosure = models.CharField(max_length=24, blank=True, default="")
    last_line = models.CharField(max_length=160, blank=True)  # what was said last, for lists
    retell_cost_micros = models.PositiveBigIntegerField(default=0)
    billed_seconds = models.PositiveBigIntegerField(default=0)
    client_cost_micros = models.PositiveBigIntegerField(default=0)
    end_requested_at = models.DateTimeField(null=True, blank=True)  # a person wants it hung up
    swept_at = models.DateTimeField(null=True, blank=True)
    corrected_outcome = models.CharField(max_length=16, choices=Correction, blank=True)
    corrected_by_email = models.CharField(max_length=254, blank=True)
    corrected_at = models.DateTimeField(null=True, blank=True)
    is_test = models.BooleanField(default=False)
    # What this call adds to its day in reporting's counters, so that nothing is counted twice.
    counted = models.JSONField(default=dict)
    # Counts the changes that news made: who read the call ahead compares it when it writes.
    revision = models.PositiveIntegerField(default=0)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "-created_at"], name="call_by_age"),
            models.Index(fields=["client", "campaign_id", "-created_at"], name="call_by_campaign"),
            models.Index(fields=["client", "lead_id", "-created_at"], name="call_by_lead"),
            models.Index(fields=["client", "status", "-created_at"], name="call_by_status"),
            models.Index(fields=["client", "from_number"], name="call_by_caller"),
            models.Index(fields=["client", "to_number"], name="call_by_called"),
            models.Index(fields=["batch_call_id", "status"], name="call_live_in_batch"),
            models.Index(fields=["status", "created_at"], name="call_overdue"),
        ]

    def __str__(self) -> str:
        return self.provider_call_id

    @property
    def duration_seconds(self) -> int | None:
        """The seed's field: connected time in whole seconds, rounded up; None while unknown."""
        return None if self.duration_ms is None else -(-self.duration_ms // 1000)

    @property
    def person_number(self) -> str:
        """The number of the person we talked with, whoever called; empty for a call on the web."""
        inbound = self.direction == self.Direction.INBOUND
        return self.from_number if inbound else self.to_number

    @property
    def is_over(self) -> bool:
        return self.status in self.OVER

    @property
    def shown_outcome(self) -> str:
        """The outcome class that lists and reports go by; empty until the call is settled."""
        return as_corrected(self.outcome_class, self.is_successful, self.corrected_outcome)[0]

    @property
    def shown_outcome_label(self) -> str:
        """The same as people read it."""
        shown = self.shown_outcome
        return str(self.OutcomeClass(shown).label) if shown in self.OutcomeClass.values else shown


class CallDetail(BaseModel):
    """The large parts of a call, loaded only where they are shown."""

    call = models.OneToOneField(Call, models.CASCADE, related_name="detail")
    transcript = models.TextField(blank=True)
    transcript_object = models.JSONField(default=list)
    # What was done between the lines: functions called, keys pressed, messages sent (`happenings.py`).
    happenings = models.JSONField(default=list)
    call_summary = models.TextField(blank=True)
    call_analysis = models.JSONField(default=dict)
    call_cost = models.JSONField(default=dict)
    product_costs = models.JSONField(default=list)  # of it, the dearest first (`ProductCost`)
    latency = models.JSONField(default=dict)
    dynamic_variables = models.JSONField(default=dict)
    recording_url = models.CharField(max_length=1000, blank=True)
    knowledge_url = models.CharField(max_length=1000, blank=True)
    # How new each part is (`telephony/merging.py`): an older event never replaces a newer one's.
    stamps = models.JSONField(default=dict)

    def __str__(self) -> str:
        return str(self.call_id)


class Recording(ClientOwned):
    """
    Our copy of a call's recording, which at Retell may expire after a day.

    Status: `stored` names the file in our storage; `failed` was tried five times, `error` says why.
    `attempts` counts failed tries; `next_try_at` is when a worker may take it up (None: at once).
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("Waiting")
        STORED = "stored", _("Stored")
        FAILED = "failed", _("Failed")

    call = models.OneToOneField(Call, models.CASCADE, related_name="recording")
    status = models.CharField(max_length=8, choices=Status, default=Status.PENDING)
    stored_name = models.CharField(max_length=200, blank=True)
    content_type = models.CharField(max_length=40, blank=True)
    size_bytes = models.PositiveBigIntegerField(default=0)
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)
    next_try_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()
    stored_at = models.DateTimeField(null=True, blank=True)

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["client", "created_at"], name="recording_by_client"),
            models.Index(fields=["status", "created_at"], name="recording_by_status"),
        ]

    def __str__(self) -> str:
        return self.stored_name or str(self.call_id)


class CallLookup(ClientOwned):
    """
    What an agent looked up in its knowledge base during one call.

    Written `pending` with the event that says where Retell lists it; a job fetches it. `passages`
    are {"text", "response_id"}: the id is the one that Retell's transcript gives the answer they were
    looked up for, or None. `failed` was tried five times, `error` says why; `next_try_at`
    is when a worker may take it up (None: at once).
    """

    class Status(models.TextChoices):
        PENDING = "pending", _("Waiting")
        STORED = "stored", _("Stored")
        FAILED = "failed", _("Failed")

    call = models.OneToOneField(Call, models.CASCADE, related_name="lookup")
    campaign_id = models.UUIDField(null=True, blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.PENDING)
    passages = models.JSONField(default=list)
    attempts = models.PositiveIntegerField(default=0)
    error = models.CharField(max_length=200, blank=True)
    next_try_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    objects = ClientOwnedQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(
                fields=["client", "campaign_id", "-created_at"], name="lookup_by_campaign"
            ),
            models.Index(fields=["status", "created_at"], name="lookup_by_status"),
        ]

    def __str__(self) -> str:
        return str(self.call_id)
