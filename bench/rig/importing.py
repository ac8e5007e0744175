"""One step of the import benchmark in a process of its own: the file, dry run, commit, undo, the peer."""

from __future__ import annotations

import json
import os
import random
import resource
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "convomono.settings.production")
django.setup()

import tablib  # type: ignore[import-untyped]  # has none

from accounts.models import Client, User
from campaigns.models import Campaign, Enrolment
from convomono.lib import db, lane, memory
from convomono.lib.phone import NumberRefused, read_number
from leads.imports import commit, undo
from leads.imports.columns import guess_mapping
from leads.imports.dry_run import check_rows
from leads.imports.targets import find_target
from leads.imports.work import Pace
from leads.models import Consent, Lead, LeadImport, Suppression
from leads.services.imports import check_import, commit_import, start_import, undo_import
from leads.services.people import ConsentStatement
from leads.services.suppressions import scope_key

AREAS = (202, 212, 213, 214, 216, 303, 305, 312, 313, 404, 412, 415, 503, 602, 617, 702, 713)
BAD = ("12", "", "4.1E+09", "999 200 1234", "800 234 5678")
SHARES = {"invalid": 0.03, "double": 0.05, "suppressed": 0.02}
FOLDER = Path(os.environ["VAR_DIR"])
SCRIPT = "Hello {{first_name}}, your plan {{plan}} in {{city}} ends."


def real_now() -> datetime:
    return datetime.now(UTC)


def prefixes() -> list[str]:
    """Return area codes with exchanges that somebody has."""
    found = []
    for area in AREAS:
        for exchange in range(200, 1000):
            try:
                read_number(f"{area}{exchange}1234")
            except NumberRefused:
                continue
            if exchange != 555:
                found.append(f"{area}{exchange}")
    return found


def write_file(rows: int, path: Path) -> dict[str, Any]:
    """Write the spreadsheet and return what a plain count says must come out."""
    rng, places = random.Random(7), prefixes()
    space = len(places) * 10_000
    taken, suppressed = bytearray(space), []
    counts: Counter[str] = Counter()
    earlier: list[int] = []
    with path.open("w", encoding="utf-8") as out:
        out.write("First name,Last name,Phone,City,Plan\n")
        for n in range(rows):
            dice = rng.random()
            if dice < SHARES["invalid"]:
                phone = rng.choice(BAD)
                counts["bad"] += 1
            elif dice < SHARES["invalid"] + SHARES["double"] and earlier:
                one = rng.choice(earlier)
                phone = f"+1 {places[one // 10_000]} {one % 10_000:04}"
                counts["dup_file"] += 1
            else:
                one = rng.randrange(space)
                while taken[one]:
                    one = rng.randrange(space)
                taken[one] = 1
                if len(earlier) < 50_000:
                    earlier.append(one)
                prefix = places[one // 10_000]
                phone = f"({prefix[:3]}) {prefix[3:]}-{one % 10_000:04}"
                if rng.random() < SHARES["suppressed"]:
                    suppressed.append(f"+1{prefix}{one % 10_000:04}")
                    counts["suppressed_client"] += 1
                else:
                    counts["new"] += 1
            out.write(f"Ann{n % 977},Smith{n % 3571},{phone},City{n % 91},Gold\n")
    return {"counts": dict(counts), "suppressed": suppressed}


def prepare(options: dict[str, Any]) -> dict[str, Any]:
    now = real_now()
    client = Client.objects.create(name="Bench", created_at=now)
    User.objects.create_user(
        email="bench@bench.test",
        password=None,
        is_active=False,
        client=client,
        role="client",
        client_role="owner",
    )
    told = write_file(options["rows"], FOLDER / "people.csv")
    rows = [
        Suppression(
            level="client",
            client=client,
            phone_number=number,
            scope_key=scope_key(
                level="client", client_id=client.pk, campaign_id=None, phone_number=number
            ),
            source="import",
            created_at=now,
        )
        for number in told["suppressed"]
    ]
    Suppression.objects.bulk_create(rows, batch_size=200)
    campaign_id = None
    if options["campaign"]:
        campaign_id = Campaign.objects.create(
            client=client, name="Bench", script_raw=SCRIPT, created_at=now, updated_at=now
        ).pk
    user = User.objects.get()
    with (FOLDER / "people.csv").open("rb") as stream:
        row = start_import(
            client=client,
            campaign_id=campaign_id,
            file_name="people.csv",
            stream=stream,
            consent=ConsentStatement("written", "Web form", "Yes, call me.", now),
            actor=user,
            now=now,
        )
    target = find_target(client_id=client.pk, campaign_id=campaign_id)
    mapping = guess_mapping(
        row.detected, variables=target.variables if target else (), remembered=None
    )
    check_import(lead_import=row, mapping=mapping, options=row.options, now=now, real_now=now)
    (FOLDER / "told.json").write_text(json.dumps(told["counts"]))
    return {"rows": options["rows"]}


def check(options: dict[str, Any]) -> dict[str, Any]:
    row, began = LeadImport.objects.get(), time.perf_counter()
    check_rows(lead_import=row, pace=Pace(real_now), now=real_now())
    seconds = time.perf_counter() - began
    row.refresh_from_db()
    now = real_now()
    commit_import(lead_import=row, actor=User.objects.get(), now=now, real_now=now)
    return {
        "dry_run_rows_per_s": round(options["rows"] / seconds),
        "dry_run_peak_rss_mb": peak_mb(),
    }


def timed_writes() -> list[float]:
    """Have the transactions of this process's slices timed, from lock to commit."""
    took: list[float] = []
    plain = db.run_atomic

    def run_atomic(block: Any, **how: Any) -> Any:
        began: list[float] = []

        def held() -> Any:
            began[:] = [time.perf_counter()]
            return block()

        result = plain(held, **how)
        took.append(time.perf_counter() - began[0])
        return result

    lane.run_atomic = run_atomic  # type: ignore[attr-defined]  # for this process alone
    return took


def commit_step(options: dict[str, Any]) -> dict[str, Any]:
    took, began = timed_writes(), time.perf_counter()
    row = LeadImport.objects.select_related("client").get()
    commit.commit_rows(lead_import=row, pace=Pace(real_now), now=real_now())
    seconds = time.perf_counter() - began
    row.refresh_from_db()
    took.sort()
    return {
        "commit_rows_per_s": round(options["rows"] / seconds),
        "commit_peak_rss_mb": peak_mb(),
        "write_p99_ms": round(took[int(len(took) * 0.99)] * 1000, 2),
        "longest_write_ms": round(took[-1] * 1000, 2),
        "wrong": wrong(row),
    }


def wrong(row: LeadImport) -> str:
    """Compare the import with the plain count of the file; empty if it is right to the row."""
    told = json.loads((FOLDER / "told.json").read_text())
    counts = dict(row.counts)
    bad = sum(number for name, number in counts.items() if name.startswith("phone_"))
    found = {name: counts.get(name, 0) for name in told if name != "bad"} | {"bad": bad}
    if found != told:
        return f"{found} instead of {told}"
    leads = Lead.objects.count()
    return "" if leads == told["new"] else f"{leads} leads instead of {told['new']}"


def undo_step(_options: dict[str, Any]) -> dict[str, Any]:
    """Take the whole import back: every lead it made goes, with consent and enrolment."""
    row, now, leads = LeadImport.objects.select_related("client").get(), real_now(), Lead.objects
    before = leads.count()
    undo_import(lead_import=row, actor=User.objects.get(), now=now, real_now=now)
    took, began = timed_writes(), time.perf_counter()
    undo.undo_rows(lead_import=row, pace=Pace(real_now), now=now)
    seconds = time.perf_counter() - began
    row.refresh_from_db()
    took.sort()
    left = [leads.count(), Consent.objects.count(), Enrolment.objects.count()]
    is_right = not any(left) and row.undo_counts.get("removed") == before
    return {
        "undo_leads_per_s": round(before / seconds),
        "undo_peak_rss_mb": peak_mb(),
        "undo_write_p99_ms": round(took[int(len(took) * 0.99)] * 1000, 2),
        "undo_longest_write_ms": round(took[-1] * 1000, 2),
        "undo_wrong": "" if is_right else f"{row.status} {row.undo_counts} left {left}",
    }


def peer(options: dict[str, Any]) -> dict[str, Any]:
    """Import as django-import-export does by itself: a model resource, row by row."""
    from import_export import resources  # noqa: PLC0415  # the peer alone needs it

    class Plain(resources.ModelResource):  # type: ignore[misc]  # has no types
        class Meta:
            model = Lead
            import_id_fields = ("client", "phone_number")  # what the table has an index for
            fields = ("id", "client", "phone_number", "first_name", "last_name")

        def before_save_instance(self, instance: Lead, row: Any, **_more: Any) -> None:
            instance.created_at = instance.updated_at = now

    client, now = Client.objects.get(), real_now()
    rows = [
        (str(client.pk), f"+1999{n:07}", f"Ann{n % 977}", f"Smith{n % 3571}")
        for n in range(options["peer_rows"])
    ]
    data = tablib.Dataset(*rows, headers=["client", "phone_number", "first_name", "last_name"])
    began = time.perf_counter()
    result = Plain().import_data(data, raise_errors=True)
    assert result.totals["new"] == options["peer_rows"]
    return {"peer_rows_per_s": round(options["peer_rows"] / (time.perf_counter() - began))}


def peak_mb() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


STEPS = {
    "prepare": prepare,
    "check": check,
    "commit": commit_step,
    "undo": undo_step,
    "peer": peer,
}

if __name__ == "__main__":
    options = {
        "rows": int(sys.argv[2]),
        "peer_rows": int(sys.argv[3]),
        "campaign": sys.argv[4] == "campaign",
    }
    memory.settle()  # as the worker does
    print(json.dumps(STEPS[sys.argv[1]](options)))
