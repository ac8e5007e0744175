"""Campaigns and calls in the seed's field names."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from campaigns.api.settings import SettingsSerializer, merged
from campaigns.models import BatchCall, Campaign, Enrolment
from campaigns.script import SCRIPT_MAX_CHARS, malformed
from campaigns.services.authoring import CampaignContent, knowledge_text
from campaigns.voices import known_name
from convomono.lib import money
from telephony.models import Call, VoiceAgent


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
    declined_delay_seconds = serializers.IntegerField(
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
        if sent.get("voice_id", before.voice_id) != before.voice_id:
            sent["voice_name"] = known_name(sent["voice_id"])
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


def _rule(name: str) -> serializers.IntegerField:
    return serializers.IntegerField(source=name, read_only=True)


class CampaignDetailSerializer(CampaignSerializer):
    """A campaign whole: all that can be written of it, and more; `agent_id` is Retell's."""

    knowledge_text = serializers.SerializerMethodField()
    weekdays = serializers.ListField(
        source="calling_window.weekdays", child=serializers.IntegerField(), read_only=True
    )
    opens_minute = _rule("calling_window.opens_minute")
    closes_minute = _rule("calling_window.closes_minute")
    max_attempts = _rule("retry_policy.max_attempts")
    busy_delay_seconds = _rule("retry_policy.busy_delay_seconds")
    no_answer_delay_seconds = _rule("retry_policy.no_answer_delay_seconds")
    voicemail_delay_seconds = _rule("retry_policy.voicemail_delay_seconds")
    declined_delay_seconds = _rule("retry_policy.declined_delay_seconds")
    agent_id = serializers.SerializerMethodField()
    knowledge_base_id = serializers.UUIDField(read_only=True, allow_null=True)
    kb_files_meta = serializers.ListField(child=serializers.DictField(), read_only=True)

    class Meta(CampaignSerializer.Meta):
        fields = [
            *CampaignSerializer.Meta.fields,
            "script_raw",
            "opening_line",
            "settings",
            "knowledge_text",
            "concurrency_limit",
            "weekdays",
            "opens_minute",
            "closes_minute",
            "max_attempts",
            "busy_delay_seconds",
            "no_answer_delay_seconds",
            "voicemail_delay_seconds",
            "declined_delay_seconds",
            "agent_id",
            "knowledge_base_id",
            "kb_files_meta",
        ]
        read_only_fields = fields

    def get_knowledge_text(self, campaign: Campaign) -> str:
        return knowledge_text(campaign)

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
            "disclosure",
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
