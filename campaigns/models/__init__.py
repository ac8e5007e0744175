"""What is said to whom and when, and each try to say it."""

from __future__ import annotations

from campaigns.models.approvals import LaunchRequest, LaunchRule
from campaigns.models.automation import AutomationRule, AutomationRun
from campaigns.models.calling_rules import ClientLimits, RuleReview
from campaigns.models.campaign import (
    CallingWindow,
    Campaign,
    CampaignVersion,
    RetryPolicy,
)
from campaigns.models.dialling import Attempt, BatchCall, DispatcherLease, Enrolment, PersonPace
from campaigns.models.experiments import Experiment
from campaigns.models.follow_ups import FollowUp, FollowUpRule
from campaigns.models.handovers import Handover
from campaigns.models.knowledge import (
    KnowledgeAnswer,
    KnowledgeBase,
    KnowledgeQuestion,
    KnowledgeSource,
)
from campaigns.models.policies import ClientShare, SafetyPolicy, TopUp
from campaigns.models.shares import CallShare
from campaigns.models.stops import DialGate
from campaigns.models.templates import CampaignTemplate, TemplateVersion
from campaigns.models.trials import TrialCall
from campaigns.models.variables import ScriptVariable

__all__ = [
    "Attempt",
    "AutomationRule",
    "AutomationRun",
    "BatchCall",
    "CallShare",
    "CallingWindow",
    "Campaign",
    "CampaignTemplate",
    "CampaignVersion",
    "ClientLimits",
    "ClientShare",
    "DialGate",
    "DispatcherLease",
    "Enrolment",
    "Experiment",
    "FollowUp",
    "FollowUpRule",
    "Handover",
    "KnowledgeAnswer",
    "KnowledgeBase",
    "KnowledgeQuestion",
    "KnowledgeSource",
    "LaunchRequest",
    "LaunchRule",
    "PersonPace",
    "RetryPolicy",
    "RuleReview",
    "SafetyPolicy",
    "ScriptVariable",
    "TemplateVersion",
    "TopUp",
    "TrialCall",
]
