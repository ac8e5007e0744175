"""The least valid rows of the telephony room."""

from __future__ import annotations

import factory
from factory.django import DjangoModelFactory

from convomono.lib.ids import uuid7
from telephony.models import Call, PhoneNumber, VoiceAgent
from telephony.services import PlacedAttempt
from tests.factories.accounts import NOW, ClientFactory


class PhoneNumberFactory(DjangoModelFactory[PhoneNumber]):
    """A number in stock; pass `client` for one that is lent."""

    phone_number = factory.Sequence(lambda n: f"+1415555{n % 10_000:04d}")
    created_at = NOW

    class Meta:
        model = PhoneNumber


class VoiceAgentFactory(DjangoModelFactory[VoiceAgent]):
    """A published agent of a campaign that needn't exist."""

    client = factory.SubFactory(ClientFactory)
    campaign_id = factory.LazyFunction(uuid7)
    provider_agent_id = factory.Sequence("agent_{}".format)
    provider_llm_id = factory.Sequence("llm_{}".format)
    published_version = 0
    created_at = NOW

    class Meta:
        model = VoiceAgent


class CallFactory(DjangoModelFactory[Call]):
    """A call that was placed and of which nothing was heard yet."""

    client = factory.SubFactory(ClientFactory)
    provider_call_id = factory.Sequence("call_{}".format)
    campaign_id = factory.LazyFunction(uuid7)
    from_number = "+14155550100"
    to_number = "+14155550101"
    created_at = NOW

    class Meta:
        model = Call


class PlacedAttemptFactory(factory.Factory[PlacedAttempt]):
    """What a dial hands over when Retell gave it a call; pass `client_id`."""

    client_id = factory.LazyFunction(uuid7)
    campaign_id = factory.LazyFunction(uuid7)
    batch_call_id = factory.LazyFunction(uuid7)
    enrolment_id = factory.LazyFunction(uuid7)
    attempt_id = factory.LazyFunction(uuid7)
    lead_id = factory.LazyFunction(uuid7)
    agent_id = "agent_1"
    agent_version = 0
    from_number = "+14155550100"
    to_number = "+14155550101"

    class Meta:
        model = PlacedAttempt
