"""
Every periodic job of the product; the cron process runs them and stands alone: `rqcron convomono.schedule`.

Each is safe to run twice and to miss: it acts on rows that are due, not on the time it runs at.
"""

from __future__ import annotations

from django.core.management import call_command

from billing.jobs import (
    audit_ledgers,
    expire_minutes,
    issue_statements,
    purge_hours,
    reconcile_hourly,
    reconcile_nightly,
    resume_grants,
    resume_pdfs,
    show_due_rates,
    tell_low_balances,
)
from campaigns.jobs import (
    check_launches,
    hang_up_left,
    judge_experiments,
    remind_follow_ups,
    resume_campaigns,
    resume_funded,
    retire_agents,
    retire_knowledge,
)
from campaigns.knowledge_jobs import purge_knowledge_files
from campaigns.rounds import launch_new_leads, purge_automation, run_automation
from campaigns.trial_jobs import settle_trial_calls
from convomono.lib.jobs import periodic
from leads.jobs import (
    end_abandoned,
    purge_files,
    purge_operation_rows,
    purge_parts,
    purge_requests,
    resume_forgetting,
    resume_imports,
    resume_listings,
    resume_operations,
    resume_scoring,
)
from reporting.jobs import (
    count_duplicate_dials,
    delete_reports_of_erased,
    purge_told,
    resume_reports,
    watch_system,
)
from telephony.jobs import (
    copy_recordings,
    delete_erased_calls,
    fetch_lookups,
    purge_recordings,
    settle_orders,
    tend_twilio_numbers,
    watch_numbers,
)
from webhooks.jobs import (
    delete_removed,
    erase_bodies,
    expire_lost_holds,
    fetch_differences,
    give_up_parked,
    purge_events,
    resolve_lost_answers,
    send_client_events,
    sweep_calls,
    sweep_parked,
    watch_credits,
    watch_webhooks,
)
from webhooks.replay_jobs import remove_remains, resume_replays

DAY = 24 * 3600

periodic(call_command, "clearsessions", every_seconds=DAY)
periodic(resume_imports, every_seconds=60)
periodic(end_abandoned, every_seconds=DAY)
periodic(purge_files, every_seconds=DAY)
periodic(purge_operation_rows, every_seconds=DAY)
periodic(purge_parts, every_seconds=DAY)
periodic(purge_told, every_seconds=DAY)
periodic(purge_requests, every_seconds=DAY)
periodic(resume_operations, every_seconds=60)
periodic(resume_listings, every_seconds=60)
periodic(resume_forgetting, every_seconds=600)
periodic(resume_scoring, every_seconds=600)
periodic(sweep_calls, every_seconds=30, queue="calls")
periodic(sweep_parked, every_seconds=60, queue="calls")
periodic(send_client_events, every_seconds=5)
periodic(copy_recordings, every_seconds=60)
periodic(purge_recordings, every_seconds=600, queue="history")
periodic(fetch_lookups, every_seconds=60)
periodic(settle_trial_calls, every_seconds=60, queue="calls")
periodic(resume_replays, every_seconds=60)
periodic(remove_remains, every_seconds=300, queue="history")  # where rebuilds are made
periodic(watch_credits, every_seconds=60)
periodic(watch_webhooks, every_seconds=60, queue="calls")
periodic(give_up_parked, every_seconds=3600)
periodic(purge_events, every_seconds=600, queue="history")
periodic(delete_removed, every_seconds=60, queue="history")
periodic(erase_bodies, every_seconds=600)
periodic(expire_lost_holds, every_seconds=60)
periodic(expire_minutes, every_seconds=60)
periodic(show_due_rates, every_seconds=60)
periodic(tell_low_balances, every_seconds=60)
periodic(resume_grants, every_seconds=60)
periodic(purge_hours, every_seconds=DAY)
periodic(issue_statements, every_seconds=3600, queue="reports")
periodic(resume_pdfs, every_seconds=60)
periodic(audit_ledgers, every_seconds=600, queue="reports", timeout_seconds=3600)
periodic(reconcile_hourly, every_seconds=600, queue="reports")
periodic(reconcile_nightly, every_seconds=600, queue="reports")
periodic(fetch_differences, every_seconds=15, queue="calls")
periodic(resolve_lost_answers, every_seconds=15, queue="calls")
periodic(hang_up_left, every_seconds=10, queue="calls")
periodic(resume_campaigns, every_seconds=5)
periodic(retire_knowledge, every_seconds=3600)
periodic(purge_knowledge_files, every_seconds=DAY)
periodic(retire_agents, every_seconds=3600)
periodic(judge_experiments, every_seconds=60)
periodic(resume_funded, every_seconds=10)
periodic(check_launches, every_seconds=60)
periodic(purge_automation, every_seconds=DAY)
periodic(launch_new_leads, every_seconds=5)
periodic(run_automation, every_seconds=5)
periodic(watch_numbers, every_seconds=60)
periodic(settle_orders, every_seconds=60)
periodic(tend_twilio_numbers, every_seconds=60)
periodic(delete_erased_calls, every_seconds=300)
periodic(resume_reports, every_seconds=60)
periodic(watch_system, every_seconds=60, queue="calls")
periodic(count_duplicate_dials, every_seconds=DAY, queue="reports")
periodic(delete_reports_of_erased, every_seconds=600)
periodic(remind_follow_ups, every_seconds=60)
