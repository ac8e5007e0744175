"""What the voice platform takes, answers and refuses, as values and exceptions of our own."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

# Ids in this module are the provider's own; everywhere else they are called provider_..._id.


class ProviderError(Exception):
    """The voice platform did not do what we asked."""


class Rejected(ProviderError):
    """The platform understood and refused; nothing happened. Sending the same again is no use."""

    def __init__(self, message: str, status: int) -> None:
        super().__init__(message)
        self.message = message
        self.status = status


class NotFound(Rejected):
    """There is no such call, agent, number or knowledge base under our key."""


class Unauthorised(Rejected):
    """Our key is wrong or revoked: stop all dialling."""


class PaymentRequired(Rejected):
    """Our account with the platform can't pay: stop all dialling."""


class DoNotCall(Rejected):
    """The platform holds this number as do-not-call: suppress it."""


class RateLimited(ProviderError):
    """The platform is busy and did nothing; wait_seconds is None when it didn't say how long."""

    def __init__(self, message: str, wait_seconds: float | None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class Unavailable(ProviderError):
    """The request certainly had no effect: it never left, or it only reads."""


class UnknownOutcome(ProviderError):
    """The request may have taken effect; find out before asking again with another key."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalysisField:
    """
    One thing to read out of each finished call; choices belong to enums alone, examples to strings.

    A call without a `required` answer counts as unsuccessful. With a `condition`, in words, the answer
    is left out of calls that don't fulfil it; of a required one it is ignored.
    """

    name: str
    description: str
    kind: Literal["string", "enum", "boolean", "number"] = "string"
    choices: tuple[str, ...] = ()
    required: bool = False
    examples: tuple[str, ...] = ()
    condition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Voicemail:
    """What to do when a machine answers; text is spoken by static_text and guides prompt."""

    action: Literal["hangup", "static_text", "prompt"] = "hangup"
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LlmSettings:
    """
    The prompt engine of an agent.

    begin_message: None lets the model open the call in its own words (billed at ten seconds at
    least), an empty string waits for the person to speak.
    """

    general_prompt: str
    begin_message: str | None
    start_speaker: Literal["agent", "user"] = "agent"
    model: str | None = None
    model_temperature: float | None = None
    knowledge_base_ids: tuple[str, ...] = ()
    kb_top_k: int | None = None
    kb_filter_score: float | None = None
    default_dynamic_variables: Mapping[str, str] = field(default_factory=dict)
    general_tools: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSettings:
    """Everything we set on a voice agent; None keeps the platform's default."""

    agent_name: str
    voice_id: str
    language: str | tuple[str, ...] = "en-US"  # of several the first is the one it falls back to
    voice_model: str | None = None
    fallback_voice_ids: tuple[str, ...] = ()
    voice_speed: float | None = None
    voice_temperature: float | None = None
    volume: float | None = None
    responsiveness: float | None = None
    enable_dynamic_responsiveness: bool | None = None
    enable_dynamic_voice_speed: bool | None = None
    interruption_sensitivity: float | None = None
    enable_backchannel: bool | None = None
    backchannel_frequency: float | None = None
    backchannel_words: tuple[str, ...] = ()  # none: the platform's own
    ambient_sound: str | None = None
    ambient_sound_volume: float | None = None
    begin_message_delay_ms: int | None = None
    reminder_trigger_ms: int | None = None
    reminder_max_count: int | None = None
    end_call_after_silence_ms: int | None = None
    max_call_duration_ms: int | None = None
    ring_duration_ms: int | None = None
    voicemail: Voicemail | None = None
    enable_dnc_detection: bool = True
    ai_disclosure: bool = True
    scope_boundaries: bool = True
    manners: tuple[str, ...] = ()  # further names of Retell's handbook that are switched on
    hang_up_on_menus: bool = False
    voicemail_detection: str = ""  # what tells a machine, in words; empty: the platform's own
    menu_detection: str = ""
    screening: tuple[str, str] | None = None  # who calls and why, for phones that ask callers
    denoising_mode: str | None = None
    stt_mode: str | None = None
    custom_stt: tuple[str, int] | None = (
        None  # whose speech-to-text, and the pause in ms that ends a turn
    )
    vocab_specialization: str | None = None
    boosted_keywords: tuple[str, ...] = ()
    pronunciations: tuple[tuple[str, str], ...] = ()  # a word, and how it sounds in IPA
    timezone: str | None = None
    analysis: tuple[AnalysisField, ...] = ()
    post_call_analysis_model: str | None = None
    webhook_url: str | None = None
    webhook_events: tuple[str, ...] = ()
    webhook_timeout_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeText:
    title: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeFile:
    """A document; an open file is read piece by piece while it is sent."""

    filename: str
    content: bytes | IO[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchTask:
    """One call of a batch; metadata is all that ties it to an attempt of ours."""

    to_number: str
    dynamic_variables: Mapping[str, str]
    metadata: Mapping[str, str]
    agent_id: str | None = None
    agent_version: int | str | None = None
    max_call_duration_ms: int | None = None
    ring_duration_ms: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallTimeWindow:
    """Minutes since local midnight, half open, in one time zone for a whole batch."""

    windows: tuple[tuple[int, int], ...]
    timezone: str
    days: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    agent_id: str
    version: int
    is_published: bool
    name: str
    voice_id: str
    llm_id: str | None
    llm_version: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Llm:
    llm_id: str
    version: int
    is_published: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KnowledgeBase:
    """status: in_progress, complete, error or refreshing_in_progress; sources show when complete."""

    knowledge_base_id: str
    name: str
    status: str
    source_ids: tuple[str, ...]
    source_names: tuple[str, ...] = ()  # titles, addresses, file names
    errors: tuple[str, ...] = ()  # what Retell says of sources it didn't take


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderAgent:
    """A voice agent in the workspace's list."""

    agent_id: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderLlm:
    """A prompt engine in the workspace's list."""

    llm_id: str
    default_dynamic_variables: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """kind: retell-twilio, retell-telnyx or custom."""

    phone_number: str
    kind: str
    nickname: str
    outbound_agent_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class AvailableNumber:
    """One that a carrier would sell; locality and region are empty where it doesn't tell."""

    phone_number: str
    locality: str
    region: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CarrierNumber:
    """A number that is ours at a carrier; calls go through trunk_id (empty: through none)."""

    number_id: str
    phone_number: str
    name: str
    trunk_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trunk:
    """The SIP trunk that a carrier's numbers call through, and how Retell signs in to it."""

    trunk_id: str
    termination_uri: str
    username: str = ""
    password: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacedCall:
    call_id: str
    call_status: str
    agent_id: str
    agent_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderCall:
    """A call as the platform has it; payload is shaped like the `call` of a webhook."""

    call_id: str
    call_status: str
    metadata: Mapping[str, Any]
    payload: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallPage:
    """One page of calls without transcripts; pagination_key is None on the last one."""

    calls: tuple[ProviderCall, ...]
    pagination_key: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    batch_call_id: str
    name: str
    total_task_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    voice_id: str
    name: str
    provider: str
    gender: str
    accent: str
    age: str
    preview_audio_url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Concurrency:
    """Live calls of the whole workspace; outbound may use limit less reserved_inbound."""

    current: int
    limit: int
    reserved_inbound: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    org_id: str
    org_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundMessage:
    role: Literal["agent", "user"]
    content: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaygroundAnswer:
    """What the agent would say next, and which knowledge it looked up for that."""

    messages: tuple[PlaygroundMessage, ...]
    retrieved: tuple[str, ...]
    call_ended: bool
