"""
Runs the whole product for the browser tests: `python tests/browser/whole_site.py FOLDER`.

Every process of an installation, the sandbox included, on a clock 60 times as fast, with a small
agency in its database. Prints one line of JSON when all is ready: the address, and the id of each
kind of row. Ends at SIGTERM, and when whoever started it is gone.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from deploy import runs  # noqa: E402 # found through the line above
from deploy.site import Sandbox, Site  # noqa: E402
from deploy.supervisor import Output, Program, Stopped, Supervisor  # noqa: E402

CLOCK_FACTOR = 60.0
DATA = "tests.browser.small_agency"


def main(folder: Path) -> int:
    """Start everything, fill the database, tell where it is, and wait for the end."""
    sandbox = Sandbox(runs.free_port(0), CLOCK_FACTOR, runs.DEMO_LIMITS)
    site = Site(Path(sys.executable), folder, runs.free_port(0), sandbox)
    env = site.environment() | {
        "REDIS_URL": "",
        "DATABASE_URL": f"sqlite:///{folder / 'site.sqlite3'}",
        "DJANGO_SETTINGS_MODULE": "convomono.settings.development",
        "RETELL_CALLS_PER_SECOND": str(dict(runs.DEMO_LIMITS)["calls-per-second"]),
    }
    ids = folder / "ids.json"
    with (folder / "site.log").open("w") as log, Supervisor(env, Output(log)) as supervisor:
        try:
            runs.set_clock(supervisor, site)
            runs.start_site(supervisor, site, has_demo_data=False)
            if supervisor.run(Program("data", [sys.executable, "-m", DATA, str(ids)])):
                return 1
            ready = {"url": site.url, "ids": json.loads(ids.read_text())}
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()
            while True:
                supervisor.step()
        except Stopped:
            return 0


if __name__ == "__main__":
    raise SystemExit(main(Path(sys.argv[1])))
