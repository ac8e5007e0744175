"""Periodic work of the room that sees all others: news that never came, money and dials left open."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any
from uuid import UUID

from django.conf import settings

from billing.services import (
    differences_to_fetch,
    expire_holds,
    mark_fetched,
    reopen,
    settle_fetched,
)
from campaigns.services.dialling import resolve_unknown_attempts
from convomono.lib import clock
from convomono.lib.jobs import enqueue
from telephony.provider import ProviderError, Rejected, Unauthorised
from telephony.retell import retell_gateway
from webhooks import alerts, client_events, erasing, outgoing, retention, sweeper

# In ten minutes: three times what 1,000 lines fill in them.
PURGE_SECONDS = 300
_PURGE_PAUSE_SECONDS = 0.01


def sweep_calls(**_later: Any) -> int:
    """Fetch calls that have been silent for too long."""
    return sweeper.sweep_calls(gateway=retell_gateway(), now=clock.now())


def sweep_parked(**_later: Any) -> int:
    """Fetch the calls of events that nobody claims."""
    return sweeper.sweep_parked(gateway=retell_gateway(), now=clock.now())


def expire_lost_holds(**_later: Any) -> int:
    """Give back the minutes of dials that nobody ever heard of again."""
    return expire_holds(now=clock.now())


def resolve_lost_answers(**_later: Any) -> None:
    """Find out what became of dials whose answer was lost."""
    resolve_unknown_attempts(now=clock.now())


def give_up_parked(**_later: Any) -> int:
    """Stop trying events of nobody's calls."""
    return retention.give_up_parked(now=clock.now())


def erase_bodies(**_later: Any) -> int:
    """Take people who were erased out of stored events."""
    return erasing.erase_bodies(now=clock.now())


def purge_events(**_later: Any) -> int:
    """Delete events older than WEBHOOK_RETENTION_DAYS, and the log of what was sent after a month."""
    before = clock.now() - timedelta(days=settings.WEBHOOK_RETENTION_DAYS)
    log_before = clock.real_now() - retention.SENT_FOR
    purge = retention.Purge(seconds=PURGE_SECONDS, pause=_let_others_write)
    purged = retention.purge_events(before=before, purge=purge)
    return purged + retention.purge_sent(before=log_before, purge=purge)


def delete_removed(**_later: Any) -> int:
    """Delete addresses that people removed, with the log of what was sent there."""
    purge = retention.Purge(seconds=PURGE_SECONDS, pause=_let_others_write)
    return retention.delete_removed(purge=purge)


def _let_others_write() -> None:
    time.sleep(_PURGE_PAUSE_SECONDS)


def watch_webhooks(**_later: Any) -> list[str]:
    """Tell the agency if events don't come, aren't taken or aren't applied."""
    now, real_now = clock.now(), clock.real_now()
    signals = alerts.read_signals(now=now, real_now=real_now, factor=clock.CLOCK.factor)
    return alerts.raise_alerts(
        signals, now=now, real_now=real_now, base_url=settings.PUBLIC_BASE_URL
    )


def watch_credits(**_later: Any) -> int:
    """Tell clients' systems whose minutes run low."""
    return client_events.tell_low_credits(now=clock.now())


def send_client_events(**_later: Any) -> int:
    """Put the outbox in line at clients' addresses, and have what is due sent, each address by itself."""
    now = clock.real_now()
    while outgoing.route_events(now=now):
        pass
    outgoing.resend_failed(now=now)
    found = outgoing.claim_endpoints(now=now)
    for endpoint_id in found:
        enqueue(send_to_endpoint, endpoint_id=str(endpoint_id))
    return len(found)


def send_soon(endpoint_id: UUID) -> None:
    """Have what is due at an address sent at once; if somebody sends there already, within seconds."""
    if outgoing.claim_endpoint(endpoint_id=endpoint_id, now=clock.real_now()):
        enqueue(send_to_endpoint, endpoint_id=str(endpoint_id))


def send_to_endpoint(*, endpoint_id: str, **_later: Any) -> int:
    """Send what is due at one address of a client; beside another run of itself it sends nothing twice."""
    sender = outgoing.Sender(trusted=settings.OUTBOUND_TRUSTED)
    pk = UUID(endpoint_id)
    sent = outgoing.send_due(endpoint_id=pk, now=clock.real_now(), sender=sender)
    outgoing.release_endpoint(endpoint_id=pk, now=clock.real_now())
    return sent


def fetch_differences(**_later: Any) -> int:
    """
    Fetch the calls that somebody comparing the books wants Retell's news of.

    Return how many were asked for. What the news put right is resolved once it was applied.
    """
    done = 0
    for difference in differences_to_fetch():
        try:
            sweeper.fetch_call(
                gateway=retell_gateway(), call_id=difference.provider_call_id, now=clock.now()
            )
        except Unauthorised:
            break  # the key is wrong, and the question may be right
        except Rejected:
            reopen(difference=difference)  # asking again would be refused again
            continue
        except ProviderError:
            break  # it is away or busy: asked again the next time
        mark_fetched(difference=difference, now=clock.now())
        done += 1
    settle_fetched(now=clock.now())
    return done
