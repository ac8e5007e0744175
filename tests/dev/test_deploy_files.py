"""The files for servers name the processes, commands and settings that the code has."""

from __future__ import annotations

import configparser
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from django.core.management import get_commands

from deploy.site import QUEUES, Sandbox, Site

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "deployment.md").read_text()
PROCESSES = {"web", "live", "worker", "bulk", "history", "drain", "dispatcher", "cron"}
INFRASTRUCTURE = {"proxy", "migrate", "valkey", "mongo"}


def compose() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load((ROOT / "deploy" / "compose.yml").read_text())
    return document


def read_unit(path: Path) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.optionxform = str  # type: ignore[assignment, method-assign] # keep the case
    unit.read(path)
    return unit


def units() -> dict[str, configparser.ConfigParser]:
    found = {}
    for path in (ROOT / "deploy" / "systemd").glob("convomono-*.service"):
        found[path.stem.removeprefix("convomono-").rstrip("@")] = read_unit(path)
    return found


def commands() -> dict[str, list[str]]:
    """Return the command line of each process in each of the three places."""
    services = compose()["services"]
    found = {f"compose {name}": services[name]["command"] for name in PROCESSES - {"web"}}
    for name, unit in units().items():
        found[f"systemd {name}"] = unit["Service"]["ExecStart"].split()
    site = Site(Path("python"), Path("var"), 8000, Sandbox(8010, 20))
    found |= {f"dev {program.name}": list(program.command) for program in site.programs()}
    return found


def test_every_process_has_a_place_in_compose_and_systemd() -> None:
    assert set(compose()["services"]) == PROCESSES | INFRASTRUCTURE
    assert set(units()) == PROCESSES


def test_the_target_starts_what_is_enabled_and_nothing_else() -> None:
    """With Wants= it would start cron on every machine, and the one drain beside its parts."""
    target = read_unit(ROOT / "deploy" / "systemd" / "convomono.target")
    assert not {"Wants", "Requires", "BindsTo", "Upholds"} & set(target["Unit"])
    for name, unit in units().items():
        assert unit["Install"]["WantedBy"] == "convomono.target", name
        assert unit["Unit"]["PartOf"] == "convomono.target", name
    part = read_unit(ROOT / "deploy" / "systemd" / "convomono-drain@.service")
    assert part["Unit"]["Conflicts"] == "convomono-drain.service"


def test_the_page_for_servers_enables_every_process() -> None:
    [named] = re.findall(r"enable --now convomono\.target convomono-\{([a-z,]+)\}", PAGE)
    assert set(named.split(",")) == PROCESSES


def test_the_page_for_servers_names_the_settings_before_any_command() -> None:
    """Without them manage.py takes the development settings: a check that passes, files nobody serves."""
    section = PAGE[PAGE.index("## With systemd") : PAGE.index("## New versions")]
    export = (
        "export DJANGO_SETTINGS_MODULE=convomono.settings.production VAR_DIR=/var/lib/convomono"
    )
    before, found, after = section.partition(export)
    assert found
    assert "python manage.py" not in before
    for command in ("migrate", "collectstatic", "check --deploy", "createsuperuser"):
        assert f"manage.py {command}" in after, command


@pytest.mark.parametrize("place", sorted(commands()))
def test_each_management_command_exists(place: str) -> None:
    words = commands()[place]
    if "manage.py" in words:
        assert words[words.index("manage.py") + 1] in get_commands()
    else:
        application = next(word for word in words if word.startswith("convomono."))
        module = application.partition(":")[0].replace(".", "/")
        assert (ROOT / f"{module}.py").exists()


@pytest.mark.parametrize("where", ["compose", "systemd", "dev"])
@pytest.mark.parametrize("name", sorted(QUEUES))
def test_each_worker_serves_its_queues_and_notices_killed_ones(where: str, name: str) -> None:
    line = " ".join(commands()[f"{where} {name}"])
    assert f"rqworker {' '.join(QUEUES[name])} " in line
    assert re.search(r"--worker-ttl[ =]45", line)


def test_a_second_import_waits_for_no_first_one() -> None:
    """Two bulk workers as it comes, in both places for servers."""
    assert compose()["services"]["bulk"]["deploy"]["replicas"] == 2
    first, more = (
        read_unit(ROOT / "deploy" / "systemd" / f"convomono-bulk{end}.service") for end in ("", "@")
    )
    assert dict(first["Service"]) == dict(more["Service"])
    assert more["Install"]["WantedBy"] == "convomono.target"
    assert re.search(r"enable --now convomono\.target \S+ convomono-bulk@2\n", PAGE)


def test_the_workers_serve_every_queue_once() -> None:
    served = [queue for queues in QUEUES.values() for queue in queues]
    assert sorted(served) == sorted(settings.RQ_QUEUES)


def test_the_image_and_the_units_use_productions_settings() -> None:
    image = (ROOT / "deploy" / "Dockerfile").read_text()
    assert "DJANGO_SETTINGS_MODULE=convomono.settings.production" in image
    for unit in units().values():
        assert "convomono.settings.production" in unit["Service"]["Environment"]


def test_every_process_has_the_files_of_the_web_process() -> None:
    """The history worker deletes recordings that the bulk worker stored and the web process plays."""
    services = compose()["services"]
    for name in PROCESSES:
        assert services[name]["volumes"] == ["files:/var/lib/convomono"], name
    image = (ROOT / "deploy" / "Dockerfile").read_text()
    assert "VAR_DIR=/var/lib/convomono" in image
    for name, unit in units().items():
        assert "VAR_DIR=/var/lib/convomono" in unit["Service"]["Environment"].split(), name
        assert unit["Service"]["StateDirectory"] == "convomono", name


def test_no_file_of_variables_takes_the_files_elsewhere() -> None:
    """A filled-in .env.example wins over the image and over a unit's own Environment=."""
    example = (ROOT / ".env.example").read_text()
    assert "VAR_DIR" not in re.findall(r"^(\w+)=", example, re.MULTILINE)
    services = compose()["services"]
    for name in {*PROCESSES, "migrate"}:
        assert services[name]["environment"]["VAR_DIR"] == "/var/lib/convomono", name


def test_mongodb_is_a_replica_set_that_the_address_names() -> None:
    services = compose()["services"]
    name = services["mongo"]["command"][services["mongo"]["command"].index("--replSet") + 1]
    assert services["web"]["environment"]["DATABASE_URL"].endswith(f"?replicaSet={name}")


def test_each_command_for_a_backup_of_mongodb_can_run() -> None:
    """With --oplog an address that names a database is refused; without an address it goes to localhost."""
    page = (ROOT / "docs" / "mongodb.md").read_text()
    addresses = dict(
        re.findall(r'^(\w+_URL)="mongodb://(?:[^@"]+@)?[^/"]+/([^?"]*)', page, re.MULTILINE)
    )
    commands = re.findall(r"mongo(?:dump|restore) [^`\n]*--(?:uri|archive)=[^`\n]*", page)

    assert len(commands) == 4
    for command in commands:
        address = re.search(r'--uri="\$(\w+)"', command)
        assert address, command
        assert bool(addresses[address[1]]) != ("--oplog" in command), command
