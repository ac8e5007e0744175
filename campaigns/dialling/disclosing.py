"""What the agent has to say first in a call that is about to be made."""

from __future__ import annotations

from typing import TYPE_CHECKING

from campaigns.settings_schema import languages, with_defaults

if TYPE_CHECKING:
    from campaigns.dialling.candidates import Candidate
    from campaigns.models import CampaignVersion
    from telephony.disclosure import MustSay


def must_say(candidate: Candidate, version: CampaignVersion) -> MustSay:
    """Return it as things stand, to be kept with the dial: a later name or rule changes no judgement."""
    return {
        "business": candidate.batch_call.client.name,
        "languages": list(languages(with_defaults(version.settings))),
        "notices": list(candidate.rules.notices),
        "rules": candidate.rules.notices_rule.split(),
    }
