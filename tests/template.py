"""One migrated database of each engine, kept between runs: migrating takes ten seconds, copying it none."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import django
from django.apps import apps
from django.conf import settings
from django.db import connection

from billing import triggers
from convomono.lib import mongodb
from deploy import mongodb as server
from tests import mongo

FOLDER = Path(settings.VAR_DIR) / "tests"


def start_from_template() -> bool:
    """Put a copy of the migrated database where the test database goes; False where there is none yet."""
    if not _template().exists() or not mongo.may_have_template():
        return False
    if settings.ON_MONGODB:
        mongo.fill(_template())
    else:
        shutil.copyfile(_template(), connection.settings_dict["TEST"]["NAME"])
    return True


def keep_as_template() -> None:
    """Keep the database that was just migrated for the next runs and for the other workers."""
    if _template().exists() or not mongo.may_have_template():
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    for outdated in FOLDER.glob(f"*.{connection.vendor}"):
        outdated.unlink(missing_ok=True)
    own = FOLDER / f"{os.getpid()}.tmp"
    if settings.ON_MONGODB:
        mongo.dump(own)
    else:
        with connection.cursor() as cursor:
            cursor.execute("VACUUM INTO %s", [str(own)])
    own.replace(_template())  # whoever comes second replaces it by the same


def _template() -> Path:
    """Name the file after everything that went into it: another migration is another file."""
    digest = hashlib.sha256(django.__version__.encode())
    for path in (Path(triggers.__file__), *_engine(), *_migrations()):
        digest.update(path.read_bytes())
    return FOLDER / f"{digest.hexdigest()[:16]}.{connection.vendor}"


def _engine() -> list[Path]:
    """List what makes tables of migrations on MongoDB: our engine, the pins and the server's corrections."""
    pins = settings.BASE_DIR / "requirements.txt"
    return [*sorted(Path(mongodb.__file__).parent.glob("*.py")), pins, Path(server.__file__)]


def _migrations() -> list[Path]:
    folders = [Path(config.path) / "migrations" for config in apps.get_app_configs()]
    return sorted(path for folder in folders for path in folder.glob("*.py"))
