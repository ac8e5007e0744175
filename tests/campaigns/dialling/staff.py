"""Histories with workers beside the dispatcher and the drain: jobs run late, in any order, and die."""

from __future__ import annotations

from contextlib import nullcontext, suppress
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from django.db import connection
from django.db.models import Q

from campaigns import jobs, line_jobs, rounds
from campaigns.models import (
    AutomationRun,
    BatchCall,
    Campaign,
    Enrolment,
    FollowUp,
    TopUp,
)
from campaigns.services import launching, lifecycle, steering
from campaigns.services.recurring import set_top_up
from convomono.lib.db import atomic, in_transaction
from convomono.lib.ids import uuid7
from telephony.models import Call
from tests.campaigns.dialling.conftest import EVERY_DAY
from tests.campaigns.dialling.histories import CLOSES, OPENS, REASONS, History
from tests.factories.billing import sell
from tests.factories.campaigns import TESTS, campaign_content, enrol
from webhooks import jobs as inbox_jobs

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from datetime import datetime

    from accounts.models import User
    from campaigns.models import Attempt
    from tests.campaigns.dialling.conftest import Rig

    type Job = Callable[[], object]

# What cron has done again and again; what is about other things than launches is left out.
PERIODIC: tuple[Callable[..., object], ...] = (
    jobs.resume_campaigns,
    jobs.resume_funded,
    jobs.check_launches,
    jobs.hang_up_left,
    jobs.remind_follow_ups,
    rounds.launch_new_leads,
    rounds.run_automation,
    inbox_jobs.sweep_calls,
    inbox_jobs.sweep_parked,
    inbox_jobs.resolve_lost_answers,
    inbox_jobs.expire_lost_holds,
)
HOURS: dict[str, Any] = {
    "weekdays": EVERY_DAY,
    "opens_minute": OPENS * 60,
    "closes_minute": CLOSES * 60,
}
ON = Q(is_active=True, paused_at=None)  # new leads are launched by themselves
MOST_LEADS = 9
MISHAPS = 15  # looks at the end in which workers die still


class Meanwhile:
    """Somebody who acts while a process works: between two of its transactions, after so many reads."""

    def __init__(self, act: Callable[[], object], after: int) -> None:
        self._act, self._left = act, after

    def __call__(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if not in_transaction() and not sql.startswith("BEGIN"):
            self._left -= 1
            if self._left == -1:
                self._act()
        return execute(sql, params, many, context)


class Staffed(History):
    """A history whose jobs lie in the queue until a worker takes one, and perhaps dies of it."""

    reasons = (*REASONS, "sip_routing_error")  # which halts the campaign

    def __init__(
        self,
        rig: Rig,
        campaign: Campaign,
        seed: int,
        *,
        take: Callable[[], list[Job]],
        launcher: User,
    ) -> None:
        super().__init__(rig, BatchCall(client=campaign.client), seed)
        self.campaign, self.take, self.launcher = campaign, take, launcher
        self.queued: list[Job] = []
        self.leads = 0
        self.launched: int | None = (
            None  # when new leads were switched off or paused; None while they are on
        )

    # Workers

    def receive(self, share: float) -> None:
        """Take what was enqueued; a share is lost, as while Redis is away."""
        self.queued += [one for one in self.take() if self.rng.random() >= share]

    def work(self) -> None:
        """Let a worker run a job, perhaps not to its end: then it is run again, or left to what sweeps."""
        self.receive(0.2)
        if not self.queued or self.rng.random() < 0.5:
            self.work_again(self.rng.choice(PERIODIC), share=0.4)
            return
        one = self.queued.pop(self.rng.randrange(len(self.queued)))
        is_done = self.run(one, name="enqueued", is_killed=self.rng.random() < 0.5)
        if self.rng.random() < (0.1 if is_done else 0.6):
            self.queued.append(one)

    def work_again(self, job: Callable[..., object], *, share: float) -> None:
        """Do what cron has done, or die of it; now and then new leads are switched off in the middle of it."""
        is_killed = self.rng.random() < share
        somebody: AbstractContextManager[None] = nullcontext()
        is_on = job is rounds.launch_new_leads and TopUp.objects.filter(ON).exists()
        if is_on and share and not is_killed:
            off = self.rng.choice((self.switch_off, self.stop_all, self.pause))
            somebody = connection.execute_wrapper(Meanwhile(off, self.rng.choice((0, 3, 8, 20))))
        with somebody:
            self.run(job, name=job.__name__, is_killed=is_killed)

    def work_all(self, *, share: float) -> None:
        """Run every job there is; a share dies of it, and is run again or left to what sweeps."""
        for job in self.rng.sample(PERIODIC, len(PERIODIC)):
            self.work_again(job, share=share)
        self.receive(share / 2)
        waiting, self.queued = self.queued, []
        for one in waiting:
            is_done = self.run(one, name="enqueued", is_killed=self.rng.random() < share)
            if not is_done and self.rng.random() < 0.5:
                self.queued.append(one)

    # What people do

    def launch(self) -> None:
        """Have the campaign made ready and launch its leads; a page that dies is sent again."""
        self.enrol(4)
        lifecycle.prepare_campaign(campaign=self.campaign, actor=TESTS, now=self.rig.now)
        while self.campaign.status != Campaign.Status.READY:
            self.rig.tick(self.rng.choice((5, 61, 200)))
            self.work()
            self.campaign.refresh_from_db()
        key, seconds = uuid7(), self.rng.choice((350, 700))
        while not self.run(
            lambda: lifecycle.launch_campaign(
                campaign=self.campaign, launch_key=key, seconds=seconds,
                actor=TESTS, now=self.rig.now, is_sandbox=True,
            ),
            name="page", is_killed=self.rng.random() < 0.5,
        ):  # fmt: skip
            self.rig.tick(5)

    def enrol(self, count: int) -> None:
        enrol(self.campaign, count, start=self.leads, at=self.rig.now)
        self.leads += count

    def add_leads(self) -> None:
        if self.leads < MOST_LEADS:
            self.enrol(self.rng.choice((1, 2)))

    def edit(self) -> None:
        """Change what is said, and have it published."""
        self.campaign.refresh_from_db()
        words = f"Hi {{{{first_name}}}}, it is {self.rig.now:%H:%M:%S} at Acme Dental, I am an AI."
        content = campaign_content(opening_line=words, **HOURS)
        asked: dict[str, Any] = {"campaign": self.campaign, "actor": TESTS, "now": self.rig.now}
        if lifecycle.update_campaign(content=content, **asked):
            self.campaign.refresh_from_db()
            lifecycle.prepare_campaign(**asked)

    def change_hours(self) -> None:
        """Have everybody who waits for hours decided on anew, by hours that are as they were."""
        of = {"client_id": self.campaign.client_id, "campaign_id": self.campaign.pk}
        with atomic():
            line_jobs.ask_to_decide_again(**of, now=self.rig.now)

    def hang_up(self) -> None:
        live = list(Call.objects.filter(status__in=Call.LIVE).order_by("provider_call_id"))
        if live:
            lifecycle.end_call(call=self.rng.choice(live), actor=TESTS, now=self.rig.now)

    def buy(self) -> None:
        sell(self.campaign.client, seconds=700, now=self.rig.now)

    def long_pause(self) -> None:
        # What is left of follow-ups is looked for within the hour.
        self.run(jobs.remind_follow_ups, name="", is_killed=False)
        super().long_pause()

    def pause(self) -> None:
        with suppress(steering.BatchCallNotRunning):
            lifecycle.pause_campaign(campaign=self.campaign, actor=TESTS, now=self.rig.now)
        self.launched = BatchCall.objects.count()

    def resume(self) -> None:
        self.stays_off()
        with suppress(steering.BatchCallNotPaused):
            lifecycle.resume_campaign(campaign=self.campaign, actor=TESTS, now=self.rig.now)
        if TopUp.objects.filter(ON).exists():
            self.launched = None

    def stop(self) -> None:
        """End a launch for good, on a page that may die of it: who waits in it is called no more."""
        live = steering.live_batch_calls(self.campaign)
        if live:
            ended = self.rng.choice(live)
            self.run(
                lambda: lifecycle.stop_batch_call(
                    batch_call=ended, actor=TESTS, now=self.rig.now
                ),
                name="page", is_killed=self.rng.random() < 0.5,
            )  # fmt: skip

    def stop_all(self) -> None:
        """Stop the campaign: nobody is launched any more until somebody switches it on again."""
        with suppress(steering.BatchCallOver):
            lifecycle.stop_campaign(campaign=self.campaign, actor=TESTS, now=self.rig.now)
        self.launched = BatchCall.objects.count()

    def switch_off(self) -> None:
        self.switch(is_active=False, next_at=TopUp.objects.get().next_at)
        self.launched = BatchCall.objects.count()

    def switch_on(self) -> None:
        self.stays_off()
        self.switch(is_active=True, next_at=self.rig.now + timedelta(minutes=10))
        if TopUp.objects.filter(ON).exists():  # held, it stays held
            self.launched = None

    def stays_off(self) -> None:
        """Once it was switched off or paused it stays so, and nothing was launched since."""
        if self.launched is not None:
            assert not TopUp.objects.filter(ON).exists()
            assert BatchCall.objects.count() == self.launched

    def switch(self, *, is_active: bool, next_at: datetime) -> None:
        """Say in the form whether new leads are launched by themselves."""
        set_top_up(
            campaign=self.campaign, is_active=is_active, every_minutes=30, next_at=next_at,
            most_seconds=600, actor=self.launcher, now=self.rig.now,
        )  # fmt: skip

    def over(self) -> list[str]:
        """A call that somebody wants ended goes on until Retell is asked to end it."""
        wanted = Call.objects.exclude(end_requested_at=None)
        goes_on = set(wanted.values_list("provider_call_id", flat=True)) - set(
            self.rig.retell.stopped
        )
        return [call_id for call_id in self.unsaid if call_id not in goes_on]

    def end(self, call_id: str, attempt: Attempt, reason: str) -> None:
        """End a call as ever; of one in six nothing arrives, and the sweeper has to ask."""
        before = len(self.on_the_way)
        super().end(call_id, attempt, reason)
        if self.rng.random() < 1 / 6:
            del self.on_the_way[before:]

    def act(self) -> None:
        dice = self.rng.random()
        rare = (self.add_leads, self.edit, self.change_hours, self.hang_up, self.buy)
        if dice < 0.4:
            self.work()
        elif dice < 0.5:
            self.rng.choice(rare)()
        elif dice < 0.51:
            self.stop()
        elif dice < 0.54 and self.launched is not None:
            self.switch_on()
        else:
            super().act()

    # The end

    def come_to_an_end(self) -> None:
        """Let everything be told and done; after a while without further deaths."""
        self.rig.retell._script.clear()
        for look in range(200):
            is_safe = look >= MISHAPS
            self.kill_next = not is_safe and self.rng.random() < 0.5
            if is_safe or self.rng.random() < 0.4:
                self.buy()
                self.resume()
            if is_safe and self.launched is not None:
                self.switch_on()
            self.step()
            if not is_safe and self.rng.random() < 0.3:
                self.hang_up()
            self.hear()
            self.work_all(share=0 if is_safe else 0.5)
            due = self.due()
            if due is None and is_safe:
                return
            self.rig.tick(max(200.0, ((due or self.rig.now) - self.rig.now).total_seconds()))
        raise AssertionError("It comes to no end.")

    def due(self) -> datetime | None:
        """Return when something is due next; None once everything is done."""
        mine = Enrolment.objects.filter(campaign=self.campaign, status="queued")
        pending = AutomationRun.objects.filter(status="pending")
        untold = FollowUp.objects.filter(reminded_at=None, status="open")
        due = [
            *mine.exclude(batch_call=None).values_list("next_attempt_at", flat=True),
            *pending.values_list("due_at", flat=True),
            *untold.values_list("due_at", flat=True),
        ]
        waiting = launching.waiting_leads(self.campaign)
        if waiting.exclude(phone_number__in=list(self.opted_out)).exists():
            due += TopUp.objects.filter(ON).values_list("next_at", flat=True)
        if due:
            return min(due)
        self.campaign.refresh_from_db()
        is_at_rest = (
            self.campaign.status == Campaign.Status.READY
            and not steering.live_batch_calls(self.campaign)
            and not self.unsaid
            and not self.queued
            and not Call.objects.filter(status__in=Call.LIVE).exists()
        )
        return None if is_at_rest else self.rig.now + timedelta(seconds=61)
