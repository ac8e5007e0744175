"""Campaigns, calls and leads in the seed's field names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import available_timezones

from rest_framework import serializers

from campaigns.api.settings import SettingsSerializer, merged
from campaigns.models import BatchCall, Campaign, Enrolment
from campaigns.script import SCRIPT_MAX_CHARS, malformed
from campaigns.services.authoring import CampaignContent
from convomono.lib import clock, money
from convomono.lib.days import FIRST
from leads.models import Consent, Lead
from leads.models.people import MOST_TAGS
from telephony.models import Call, VoiceAgent

if TYPE_CHECKING:
    from datetime import datetime


class CampaignWriteSerializer(serializers.Serializer[CampaignContent]):
    """What a campaign is made of; in a PATCH only what changes. Minutes of a day, seconds of delay."""

    name = serializers.CharField(max_length=120)
    goal = serializers.CharField(max_length=200, allow_blank=True, required=False)
    script_raw = serializers.CharField(max_length=SCRIPT_MAX_CHARS, required=False)
    opening_line = serializers.CharField(max_length=600, allow_blank=True, required=False)
    voice_id = serializers.CharField(max_length=80, allow_blank=True, required=False)
    settings = SettingsSerializer(required=False)
    knowledge_text = serializers.CharField(max_length=50_000, allow_blank=True, required=False)
    concurrency_limit = serializers.IntegerField(min_value=1, max_value=500, required=False)
    weekdays = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=6), min_length=1, required=False
    )
    opens_minute = serializers.IntegerField(min_value=0, max_value=1439, required=False)
    closes_minute = serializers.IntegerField(min_value=1, max_value=1440, required=False)
    max_attempts = serializers.IntegerField(min_value=1, max_value=10, required=False)
    busy_delay_seconds = serializers.IntegerField(min_value=300, max_value=86_400, required=False)
    no_answer_delay_seconds = serializers.IntegerField(
        min_value=900, max_value=604_800, required=False
    )
    voicemail_delay_seconds = serializers.IntegerField(
        min_value=900, max_value=604_800, required=False
    )

    def validate_script_raw(self, text: str) -> str:
        return self._sound(text)

    def validate_opening_line(self, text: str) -> str:
        return self._sound(text)

    def _sound(self, text: str) -> str:
        if wrong := malformed(text):
            raise serializers.ValidationError(f"{wrong[0]!r} is no variable.", code="variable")
        return text

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        before = self.instance or CampaignContent(name="")
        opens = attrs.get("opens_minute", before.opens_minute)
        if opens >= attrs.get("closes_minute", before.closes_minute):
            raise serializers.ValidationError({"closes_minute": "Later than opens_minute."})
        return {**attrs, "settings": merged(before.settings, attrs.get("settings", {}))}

    def content(self) -> CampaignContent:
        """Return the whole campaign: what was sent over what there was."""
        before = self.instance or CampaignContent(name="")
        sent = dict(self.validated_data)
        kept = {name: getattr(before, name) for name in before.__dataclass_fields__}
        if "weekdays" in sent:
            sent["weekdays"] = tuple(sorted(set(sent["weekdays"])))
        return CampaignContent(**{**kept, **sent})


class CampaignSerializer(serializers.ModelSerializer[Campaign]):
    """A campaign in a list."""

    campaign_id = serializers.UUIDField(source="pk", read_only=True)
    client_id = serializers.UUIDField(read_only=True)

    class Meta:
        model = Campaign
        fields = [
            "campaign_id",
            "client_id",
            "name",
            "goal",
            "voice_id",
            "status",
            "prepare_error",
            "published_version",
            "created_at",
            "updated_at",
        ]
        read_only_fields = fields


class CampaignDetailSerializer(CampaignSerializer):
    """A campaign whole; `agent_id` is Retell's."""

    agent_id = serializers.SerializerMethodField()
    knowledge_base_id = serializers.UUIDField(read_only=True, allow_null=True)
    kb_files_meta = serializers.ListField(child=serializers.DictField(), read_only=True)

    class Meta(CampaignSerializer.Meta):
        fields = [
            *CampaignSerializer.Meta.fields,
            "script_raw",
            "opening_line",
            "settings",
            "concurrency_limit",
            "agent_id",
            "knowledge_base_id",
            "kb_files_meta",
        ]
        read_only_fields = fields

    def get_agent_id(self, campaign: Campaign) -> str | None:
        agent = VoiceAgent.objects.filter(campaign_id=campaign.pk).first()
        return agent.provider_agent_id or None if agent else None


class LaunchSerializer(serializers.Serializer[Any]):
    """
    Launch with this key once; sent again it answers with the same batch.

    `minutes` is what to reserve, by default what the pre-flight check advises. With `mode`
    `retell_batch` Retell gets the leads in lists and dials them by itself: every call's longest length
    is held until it ended, and a pause or stop doesn't recall who was handed over.
    """

    launch_key = serializers.UUIDField()
    mode = serializers.ChoiceField(BatchCall.Mode.choices, required=False)
    minutes = serializers.DecimalField(12, 2, min_value=1, required=False)


class BatchCallSerializer(serializers.ModelSerializer[BatchCall]):
    """One launch, with the number of its leads in each status."""

    batch_id = serializers.UUIDField(source="pk", read_only=True)
    campaign_id = serializers.UUIDField(read_only=True)
    client_id = serializers.UUIDField(read_only=True)
    scheduled_ts = serializers.DateTimeField(source="scheduled_at", read_only=True)

    class Meta:
        model = BatchCall
        fields = [
            "batch_id",
            "campaign_id",
            "client_id",
            "tasks_count",
            "scheduled_ts",
            "mode",
            "status",
            *(f"{status}_count" for status in Enrolment.Status.values),
        ]
        read_only_fields = fields


class CallSerializer(serializers.ModelSerializer[Call]):
    """A call in a list; clients never see what Retell charges."""

    call_id = serializers.UUIDField(source="pk", read_only=True)
    start_ts = serializers.DateTimeField(source="started_at", read_only=True)
    end_ts = serializers.DateTimeField(source="ended_at", read_only=True)
    duration_seconds = serializers.IntegerField(read_only=True, allow_null=True)
    client_cost = serializers.SerializerMethodField()

    class Meta:
        model = Call
        fields = [
            "call_id",
            "campaign_id",
            "lead_id",
            "agent_id",
            "start_ts",
            "end_ts",
            "duration_seconds",
            "billed_seconds",
            "client_cost",
            "status",
            "outcome_class",
            "corrected_outcome",
            "disconnection_reason",
            "user_sentiment",
            "created_at",
        ]
        read_only_fields = fields

    def get_fields(self) -> dict[str, serializers.Field[Any, Any, Any, Any]]:
        # "from" is a word of Python's, so these two can't be attributes.
        ends = {
            "from": serializers.CharField(source="from_number", read_only=True),
            "to": serializers.CharField(source="to_number", read_only=True),
        }
        return {**super().get_fields(), **ends}

    def get_client_cost(self, call: Call) -> str:
        return str(money.dollars(call.client_cost_micros))


class CallDetailSerializer(CallSerializer):
    """A call whole, with what was said."""

    transcript = serializers.CharField(source="detail.transcript", read_only=True)
    call_summary = serializers.CharField(source="detail.call_summary", read_only=True)
    call_analysis = serializers.DictField(source="detail.call_analysis", read_only=True)

    class Meta(CallSerializer.Meta):
        fields = [*CallSerializer.Meta.fields, "transcript", "call_summary", "call_analysis"]
        read_only_fields = fields

    def to_representation(self, instance: Call) -> dict[str, Any]:
        # A call of which nothing was heard yet has no detail.
        empty = {"transcript": "", "call_summary": "", "call_analysis": {}}
        shown = super().to_representation(instance)
        return {**shown, **{name: shown.get(name) or blank for name, blank in empty.items()}}


class EnrolmentSerializer(serializers.ModelSerializer[Enrolment]):
    """A lead inside one campaign."""

    campaign_id = serializers.UUIDField(read_only=True)

    class Meta:
        model = Enrolment
        fields = ["campaign_id", "status", "dynamic_vars", "last_attempted_at", "last_call_id"]
        read_only_fields = fields


class LeadSerializer(serializers.ModelSerializer[Lead]):
    """A lead with its newest enrolment flattened into it, and all of them in `enrolments`."""

    lead_id = serializers.UUIDField(source="pk", read_only=True)
    client_id = serializers.UUIDField(read_only=True)
    enrolments = EnrolmentSerializer(source="newest_enrolments", many=True, read_only=True)

    class Meta:
        model = Lead
        fields = [
            "lead_id",
            "client_id",
            "phone_number",
            "first_name",
            "last_name",
            "email",
            "company",
            "region",
            "postal_code",
            "time_zone",
            "external_id",
            "other_numbers",
            "consent_status",
            "status",
            "last_attempted_at",
            "last_call_id",
            "tags",
            "created_at",
            "enrolments",
        ]
        read_only_fields = fields

    def to_representation(self, instance: Lead) -> dict[str, Any]:
        shown = super().to_representation(instance)
        newest = shown["enrolments"][0] if shown["enrolments"] else {}
        return {**shown, "campaign_id": None, "dynamic_vars": {}, **newest}


class ConsentSerializer(serializers.Serializer[Any]):
    """How the person agreed to be called."""

    kind = serializers.ChoiceField(Consent.Kind.choices)
    source = serializers.CharField(max_length=200)  # type: ignore[assignment] # the field's name
    wording = serializers.CharField(max_length=2000, allow_blank=True, default="")
    given_at = serializers.DateTimeField()

    def validate_given_at(self, given_at: datetime) -> datetime:
        if given_at.date() < FIRST:
            raise serializers.ValidationError("It is before 2000.")
        if given_at > clock.now():
            raise serializers.ValidationError("It is in the future.")
        return given_at


def _without_braces(text: str) -> None:
    if "{{" in text or "}}" in text:
        raise serializers.ValidationError("Two braces may not stand here.", code="variable")


class SpokenField(serializers.CharField):
    """A text that the agent may say: nothing in it is taken for a variable."""

    default_validators = [_without_braces]


class LeadChangeSerializer(serializers.Serializer[Any]):
    """What can be changed of a lead; what isn't sent stays. Another number is another lead."""

    first_name = SpokenField(max_length=120, allow_blank=True, default="")
    last_name = SpokenField(max_length=120, allow_blank=True, default="")
    email = serializers.EmailField(
        max_length=254, allow_blank=True, default="", validators=[_without_braces]
    )
    company = SpokenField(max_length=200, allow_blank=True, default="")
    region = SpokenField(max_length=64, allow_blank=True, default="")
    postal_code = SpokenField(max_length=16, allow_blank=True, default="")
    time_zone = serializers.CharField(max_length=64, allow_blank=True, default="")
    external_id = SpokenField(max_length=120, allow_blank=True, default="")
    tags = serializers.ListField(
        child=serializers.RegexField(r"^[^,#{}]+$", max_length=40),
        max_length=MOST_TAGS,
        default=list,
    )

    def validate_time_zone(self, zone: str) -> str:
        if zone and zone not in available_timezones():
            raise serializers.ValidationError("This is no IANA time zone.")
        return zone


class LeadWriteSerializer(LeadChangeSerializer):
    """One lead; with `campaign_id` it is enrolled too, and waits for that campaign's next launch."""

    phone_number = serializers.CharField(max_length=40)
    country = serializers.RegexField("^[A-Z]{2}$", default="US")
    campaign_id = serializers.UUIDField(required=False)
    dynamic_vars = serializers.DictField(
        child=serializers.RegexField(r"^(?!.*(\{\{|\}\})).*$", max_length=500), default=dict
    )
    consent = ConsentSerializer(required=False)
