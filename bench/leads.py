"""How long the list of leads takes the server at a million leads, beside the list of a client with few."""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

NAMES = ("Ada", "Grace", "Alan", "Edsger", "Barbara", "Donald", "Ken", "Dennis", "Radia", "Guido")
# A search goes once through the index that holds the texts, which is what one without a hit does; so many
# times its CPU time, and it looked for them twice or read leads that don't match.
MOST_PASSES = 1.6
START = datetime(2026, 1, 1, tzinfo=UTC)
CHUNK = 2000
IMPORT = 100_000
FEW = 100  # leads of the control: a full page and no more work than that
ASKED = {
    "first_page": "",
    "status": "status=called",
    "status_rare": "status=converted",
    "tag": "tag=rare",
    "consent": "consent=revoked",
    "no_consent": "consent=none",
    "outcome": "outcome=machine",
    "zone_and_outcome": "zone=America/Chicago&outcome=machine",
    "score": "sort=score&score_from=90",
    "by_name": "sort=name",
    "by_last_call": "sort=last_call",
    "by_attempts": "sort=attempts",
    "search_name": "q=grace+n01234",
    "search_number": "q=%2B1+201+000+0042",
    "search_common": "q=grace",
    "search_some": "q=n01234",
    "search_digits": "q=0000421",
    "search_email": "q=person77777",
    "search_by_score": "q=n01234&sort=score",
    "search_status": "q=n01234&status=called",
    "search_none": "q=nobodyhasthis",
    "search_none_by_name": "q=nobodyhasthis&sort=name",
    "import_updates": "lead_import={lead_import}",
    "campaign": "campaign={campaign}",
    "campaign_by_score": "campaign={campaign}&sort=score",
    "campaign_status": "campaign={campaign}&status=called",
    "campaign_large": "campaign={large_campaign}",
    "attempts": "attempts=1",
    "zone": "zone=America/Chicago",
    "days": "added_from=2026-01-02&added_to=2026-01-02",
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leads", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DATABASE_URL"] = f"sqlite:///{Path(folder, 'bench.sqlite3')}"
        os.environ["DJANGO_SETTINGS_MODULE"] = "convomono.settings.test"
        figures = measure(options.leads, options.rounds)
    for line in table(figures):
        print(line)
    slow = too_slow(figures)
    for name in slow:
        print(f"{name} does more than look through the texts once.", file=sys.stderr)
    print(json.dumps({"bench": "leads", "leads": options.leads, **figures, "too_slow": slow}))
    return 1 if slow else 0


def too_slow(figures: dict[str, float]) -> list[str]:
    """Return the searches that take far more CPU time than a first page and one pass through the texts do."""
    most = figures["first_page_cpu"] + MOST_PASSES * figures["search_none_cpu"]
    return [name for name in ASKED if name.startswith("search_") and figures[f"{name}_cpu"] > most]


def table(figures: dict[str, float]) -> list[str]:
    """Return each page's time, CPU time and how many times the control's CPU time that is."""
    names = [name for name in figures if f"{name}_cpu" in figures]
    return [
        f"{name:<18} {figures[name]:>9.1f} ms  {figures[f'{name}_cpu']:>9.1f} ms CPU  "
        + (f"{figures[f'{name}_ratio']:>7.2f} times" if f"{name}_ratio" in figures else "")
        for name in names
    ]


def measure(leads: int, rounds: int) -> dict[str, float]:
    """Fill a database and return the best time of each page, in milliseconds of the server."""
    import django  # noqa: PLC0415  # after the environment says which database

    django.setup()
    from django.core.management import call_command  # noqa: PLC0415
    from django.test import Client as Browser  # noqa: PLC0415

    from accounts.models import Client, User  # noqa: PLC0415
    from billing.services import open_wallet  # noqa: PLC0415

    call_command("migrate", verbosity=0)

    def browse(name: str, count: int) -> Any:
        """Sign somebody of a new client with so many leads in."""
        client = Client.objects.create(name=name, created_at=START)
        user = User.objects.create_user(
            email=f"{name}@example.test",
            password=None,
            role="client",
            client=client,
            client_role="manager",
        )
        open_wallet(client=client, price_per_minute_micros=250_000, actor=user, now=START)
        fill(client.pk, count)
        oldest = oldest_of(client.pk, count // 10)
        named[name] = {
            "lead_import": update(client.pk, oldest[: count // 20]),
            "campaign": enrol(client.pk, oldest[: count // 40]),
            "large_campaign": enrol(client.pk, oldest),
        }
        browser = Browser()
        browser.force_login(user)
        return browser

    named: dict[str, dict[str, str]] = {}
    control, browser = browse("control", FEW), browse("bench", leads)
    figures: dict[str, float] = {}
    for name, query in ASKED.items():
        # The control first: it also pays for what is made once in a process.
        of_few = best(control, name, query.format_map(named["control"]), rounds)
        least = of_few[f"{name}_cpu"]
        figures |= best(browser, name, query.format_map(named["bench"]), rounds)
        figures[f"{name}_ratio"] = round(figures[f"{name}_cpu"] / max(least, 0.1), 2)
    deep = ""
    for _page in range(20):
        page = browser.get(f"/app/leads/?page={deep}").text
        (deep,) = re.findall(r'href="\?page=([\w-]+)"\s+rel="next"', page)
    return figures | best(browser, "page_20", f"page={deep}", rounds)


def best(browser: Any, name: str, query: str, rounds: int) -> dict[str, float]:
    """
    Return the quickest answer in milliseconds, and the least CPU time of one.

    On a quiet machine they are alike; on a busy one the second is the page's own.
    """
    times, cpu_times = [], []
    for _round in range(rounds):
        began, cpu_began = time.perf_counter(), time.process_time()
        answer = browser.get(f"/app/leads/?{query}")
        times.append((time.perf_counter() - began) * 1000)
        cpu_times.append((time.process_time() - cpu_began) * 1000)
        assert answer.status_code == 200, answer.status_code  # noqa: PLR2004
    return {name: round(min(times), 1), f"{name}_cpu": round(min(cpu_times), 1)}


def fill(client_id: Any, leads: int) -> None:
    from convomono.lib.bulk import insert_rows, new_row  # noqa: PLC0415
    from convomono.lib.db import atomic  # noqa: PLC0415
    from leads.models import Lead  # noqa: PLC0415

    rng = random.Random(1)  # noqa: S311  # the same rows each time
    for start in range(0, leads, CHUNK):
        rows = []
        for number in range(start, min(start + CHUNK, leads)):
            # An import gives all its leads one instant.
            at = START + timedelta(milliseconds=number // IMPORT * IMPORT * 250)
            lead = new_row(
                Lead,
                client_id=client_id,
                phone_number=f"+1{2010000000 + number}",
                first_name=rng.choice(NAMES),
                last_name=f"N{rng.randrange(200_000):06}",
                company=f"Company {number % 5000}",
                email=f"person{number}@example.test",
                country="US",
                time_zone=("America/New_York", "America/Chicago")[number % 2],
                tags=["rare"] if number % 50_000 == 0 else ["spring"],
                consent_status="revoked" if number % 100_000 == 7 else "given",  # noqa: PLR2004
                status="converted" if number % 90_000 == 3 else ("new", "called")[number % 2],  # noqa: PLR2004
                last_outcome="machine" if number % 40_000 == 1 else "",
                attempts_count=int(number % 40_000 == 1),
                score=rng.randrange(101),
                created_at=at,
                updated_at=at,
            )
            lead.note_texts()
            rows.append(lead)
        with atomic():
            insert_rows(rows)
        print(f"\r{start + len(rows):,} leads", end="", file=sys.stderr)
    print(file=sys.stderr)


def oldest_of(client_id: Any, leads: int) -> list[Any]:
    """Return the keys of the client's oldest leads, which stand last in the list."""
    from leads.models import Lead  # noqa: PLC0415

    rows = Lead.objects.filter(client_id=client_id).order_by("created_at", "pk")
    return list(rows.values_list("pk", flat=True)[:leads])


def update(client_id: Any, keys: list[Any]) -> str:
    """Let an import have met these leads; return its id."""
    from convomono.lib.bulk import new_row  # noqa: PLC0415
    from leads.models import LeadImport, LeadImportChange  # noqa: PLC0415

    done = LeadImport.objects.create(
        client_id=client_id, size_bytes=1, status="committed", created_at=START
    )
    met = {"client_id": client_id, "lead_import_id": done.pk, "stamped_at": START}
    insert([new_row(LeadImportChange, **met, lead_id=key) for key in keys])
    return str(done.pk)


def enrol(client_id: Any, keys: list[Any]) -> str:
    """Have these leads in a campaign; return its id."""
    from campaigns.models import Campaign, Enrolment  # noqa: PLC0415
    from convomono.lib.bulk import new_row  # noqa: PLC0415

    campaign = Campaign.objects.create(
        client_id=client_id, name="Bench", created_at=START, updated_at=START
    )
    same = {"client_id": client_id, "campaign_id": campaign.pk, "phone_number": "+12010000000"}
    same |= {"next_attempt_at": START, "created_at": START, "updated_at": START}
    insert([new_row(Enrolment, **same, lead_id=key) for key in keys])
    return str(campaign.pk)


def insert(rows: list[Any]) -> None:
    from convomono.lib.bulk import insert_rows  # noqa: PLC0415
    from convomono.lib.db import atomic  # noqa: PLC0415

    for start in range(0, len(rows), CHUNK):
        with atomic():
            insert_rows(rows[start : start + CHUNK])


if __name__ == "__main__":
    raise SystemExit(main())
