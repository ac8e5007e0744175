"""
The verdicts of one dry run, in an SQLite file of their own beside the upload.

A million rows cost the shared database nothing then, and webhooks don't wait. The file says itself
how far it is, so a killed worker's successor goes on where the last chunk ended.
"""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from convomono.lib.files import local_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

LOCK_SECONDS = 20.0
_BELOW = 2**40  # more than a file has rows
_SCHEMA = """
    PRAGMA journal_mode = TRUNCATE;
    PRAGMA synchronous = OFF;
    PRAGMA cache_size = -16000;
    CREATE TABLE IF NOT EXISTS progress (id INTEGER PRIMARY KEY, rows INTEGER, facts TEXT);
    CREATE TABLE IF NOT EXISTS kept (phone INTEGER PRIMARY KEY, number INTEGER NOT NULL);
    CREATE TABLE IF NOT EXISTS refusing (phone INTEGER PRIMARY KEY);
    CREATE TABLE IF NOT EXISTS said_no (phone INTEGER PRIMARY KEY, number INTEGER NOT NULL,
        said TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS listed (phone INTEGER, field TEXT, number INTEGER NOT NULL,
        said TEXT NOT NULL, checked TEXT NOT NULL, PRIMARY KEY (phone, field)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS part (kept INTEGER, number INTEGER, cells TEXT,
        PRIMARY KEY (kept, number)) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS verdict (number INTEGER PRIMARY KEY, verdict TEXT NOT NULL,
        place TEXT NOT NULL, reason TEXT NOT NULL, cells TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS warned (warning TEXT, number INTEGER, verdict TEXT NOT NULL,
        cells TEXT NOT NULL, PRIMARY KEY (warning, number)) WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS verdict_rows ON verdict (verdict, number);
    CREATE TEMP TABLE chunk (phone INTEGER NOT NULL, number INTEGER NOT NULL);
"""


class StoredRow(NamedTuple):
    """A row of the file with its verdict; `cells` as they stood there."""

    number: int
    verdict: str
    column: str
    reason: str
    cells: list[str]


class FileListing(NamedTuple):
    """That a row of the file says a number isn't to be called: by which column, in what words, as of when."""

    field: str
    number: int
    said: str
    checked: str = ""


@dataclass
class Progress:
    """How far a dry run is: rows done, verdicts counted, and kept rows by place and zones."""

    rows: int = 0
    counts: dict[str, int] = field(default_factory=dict)
    zones: dict[str, int] = field(default_factory=dict)
    # Where more than the first row of a number counts, all are gone through first: how many, and whether to the end.
    numbers: int = 0
    prepared: bool = False


_FACTS = ("counts", "zones", "numbers", "prepared")


class VerdictFile:
    """An open file of verdicts; one process writes it, pages read it."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def progress(self) -> Progress:
        """Return how far the dry run is; at its start zeros."""
        found = self.connection.execute("SELECT rows, facts FROM progress").fetchone()
        return Progress(found[0], **orjson.loads(found[1])) if found else Progress()

    def keep(self, pairs: Sequence[tuple[int, int]]) -> dict[int, int]:
        """
        Note (phone, row) where the phone is new; return for each other row the row that is kept.

        A second time the same rows get the same answer.
        """
        db = self.connection
        db.executemany("INSERT INTO chunk VALUES (?, ?)", pairs)
        db.execute("INSERT OR IGNORE INTO kept SELECT phone, number FROM chunk")
        others = db.execute(
            "SELECT chunk.number, kept.number FROM chunk JOIN kept USING (phone) "
            "WHERE chunk.number <> kept.number"
        ).fetchall()
        db.execute("DELETE FROM chunk")
        return dict(others)

    def keep_instead(self, phone: int, number: int) -> None:
        """Let this row stand for a number in place of the one that does."""
        self.connection.execute("UPDATE kept SET number = ? WHERE phone = ?", (number, phone))

    def keep_last(self, rows: Iterable[tuple[int, int, bool]]) -> None:
        """
        Note (phone, row, is good): a later row in place of an earlier one, a good one in place of any other.

        Others are noted below zero until `keep_others`.
        """
        self.connection.executemany(
            "INSERT INTO kept VALUES (?, ?) ON CONFLICT (phone) DO UPDATE SET number = "
            "max(number, excluded.number)",
            ((phone, number if is_good else number - _BELOW) for phone, number, is_good in rows),
        )

    def keep_others(self) -> None:
        """Let rows that aren't good stand for the numbers of which no row is."""
        self.connection.execute("UPDATE kept SET number = number + ? WHERE number < 0", (_BELOW,))

    def refuse(self, phones: Iterable[int]) -> None:
        """Note numbers of which a row says that the person didn't agree."""
        self.connection.executemany(
            "INSERT OR IGNORE INTO refusing VALUES (?)", [(phone,) for phone in phones]
        )

    def refusing(self, phones: Sequence[int]) -> set[int]:
        """Return those of a chunk's numbers of which some row says that the person didn't agree."""
        if not self._has("refusing"):
            return set()
        found = self.connection.execute(
            f"SELECT phone FROM refusing WHERE phone IN ({_marks(phones)})",  # noqa: S608  # nosec B608 # only marks
            phones,
        )
        return {phone for (phone,) in found}

    def note_noes(self, noes: Iterable[tuple[int, int, str]]) -> None:
        """Note numbers of which a row plainly says no: the number, the first such row, its cell."""
        self.connection.executemany("INSERT OR IGNORE INTO said_no VALUES (?, ?, ?)", noes)

    def noes(self, phones: Sequence[int]) -> dict[int, tuple[int, str]]:
        """Return of those of a chunk's numbers of which some row plainly says no that row and its cell."""
        if not self._has("said_no"):
            return {}
        found = self.connection.execute(
            f"SELECT phone, number, said FROM said_no WHERE phone IN ({_marks(phones)})",  # noqa: S608  # nosec B608 # only marks
            phones,
        )
        return {phone: (number, said) for phone, number, said in found}

    def note_listed(self, rows: Iterable[tuple[int, FileListing]]) -> None:
        """Note numbers that a row says are not to be called; the first row of each column stands."""
        self.connection.executemany(
            "INSERT OR IGNORE INTO listed VALUES (?, ?, ?, ?, ?)",
            [(phone, *found) for phone, found in rows],
        )

    def listed(self, phones: Sequence[int]) -> dict[int, list[FileListing]]:
        """Return of those of a chunk's numbers that some row says are not to be called what it says."""
        if not self._has("listed"):
            return {}
        found: dict[int, list[FileListing]] = {}
        for phone, *said in self.connection.execute(
            f"SELECT * FROM listed WHERE phone IN ({_marks(phones)})",  # noqa: S608  # nosec B608 # only marks
            phones,
        ):
            found.setdefault(phone, []).append(FileListing(*said))
        return found

    def _has(self, table: str) -> bool:
        """Tell whether the file has a table: one that is only read may be older than it."""
        asked = "SELECT 1 FROM sqlite_master WHERE name = ?"
        return self.connection.execute(asked, (table,)).fetchone() is not None

    def add_parts(self, parts: Iterable[tuple[int, int, list[str]]]) -> None:
        """Keep the cells of rows that another row takes in: (kept row, row, cells)."""
        self.connection.executemany(
            "INSERT OR REPLACE INTO part VALUES (?, ?, ?)",
            [(kept, number, orjson.dumps(cells).decode()) for kept, number, cells in parts],
        )

    def parts(self, first: int, last: int) -> dict[int, list[list[str]]]:
        """Return what the rows from first to last take in, in file order."""
        found: dict[int, list[list[str]]] = {}
        for kept, cells in self.connection.execute(
            "SELECT kept, cells FROM part WHERE kept BETWEEN ? AND ? ORDER BY kept, number",
            (first, last),
        ):
            found.setdefault(kept, []).append(orjson.loads(cells))
        return found

    def kept_row(self, phone: int) -> int | None:
        """Return the row that stands for this number; None if none has it."""
        found = self.connection.execute(
            "SELECT number FROM kept WHERE phone = ?", (phone,)
        ).fetchone()
        return found[0] if found else None

    def find_phone(self, is_wanted: Callable[[int], bool]) -> int | None:
        """Return the number, as an integer, that is wanted; None if no row has it."""
        found = (phone for (phone,) in self.connection.execute("SELECT phone FROM kept"))
        return next(filter(is_wanted, found), None)

    def forget(self, phone: int, is_theirs: Callable[[list[str]], bool]) -> None:
        """Take a person out: their number, and the cells of each row that `is_theirs`; verdicts stay."""
        db = self.connection
        kept = self.kept_row(phone)
        db.execute("DELETE FROM part WHERE kept = ?", (kept,))
        db.execute("DELETE FROM kept WHERE phone = ?", (phone,))
        db.execute("DELETE FROM refusing WHERE phone = ?", (phone,))
        db.execute("DELETE FROM said_no WHERE phone = ?", (phone,))
        db.execute("DELETE FROM listed WHERE phone = ?", (phone,))
        for table in ("verdict", "warned"):
            stored = db.execute(f"SELECT number, cells FROM {table}")  # noqa: S608  # nosec B608 # ours
            rows = ((number, orjson.loads(text)) for number, text in stored)
            gone = [
                (orjson.dumps([""] * len(cells)).decode(), number)
                for number, cells in rows
                if number == kept or is_theirs(cells)
            ]
            db.executemany(f"UPDATE {table} SET cells = ? WHERE number = ?", gone)  # noqa: S608  # nosec B608 # ours
        db.commit()
        db.execute("VACUUM")  # what was deleted would stay in free pages

    def save(self, rows: Iterable[StoredRow], progress: Progress, *, start: int) -> bool:
        """
        Store a chunk's verdicts and how far that is, and commit.

        False, and nothing is stored, if the file was not at `start` (any more).
        """
        db = self.connection
        done = db.execute("SELECT rows FROM progress").fetchone()
        if (done[0] if done else 0) != start:
            db.rollback()
            return False
        facts = {name: getattr(progress, name) for name in _FACTS}
        self.put(rows)
        db.execute(
            "INSERT OR REPLACE INTO progress VALUES (1, ?, ?)",
            (progress.rows, orjson.dumps(facts).decode()),
        )
        db.commit()
        return True

    def put(self, rows: Iterable[StoredRow]) -> None:
        """Store verdicts in place of what these rows had."""
        self.connection.executemany(
            "INSERT OR REPLACE INTO verdict VALUES (?, ?, ?, ?, ?)",
            [
                (row.number, row.verdict, row.column, row.reason, orjson.dumps(row.cells).decode())
                for row in rows
            ],
        )

    def warn(self, rows: Iterable[tuple[str, StoredRow]]) -> None:
        """Keep rows for the list of each of their warnings; `save` commits it."""
        self.connection.executemany(
            "INSERT OR REPLACE INTO warned VALUES (?, ?, ?, ?)",
            [
                (warning, row.number, row.verdict, orjson.dumps(row.cells).decode())
                for warning, row in rows
            ],
        )

    def warned(
        self, warning: str, *, after: int = 0, skip: int = 0, limit: int = -1
    ) -> Iterator[StoredRow]:
        """Yield the rows kept of a warning in file order, those behind row `after`."""
        if not self._has("warned"):
            return
        for number, verdict, cells in self.connection.execute(
            "SELECT number, verdict, cells FROM warned WHERE warning = ? AND number > ? "
            "ORDER BY number LIMIT ? OFFSET ?",
            (warning, after, limit, skip),
        ):
            yield StoredRow(number, verdict, "", "", orjson.loads(cells))

    def between(self, first: int, last: int) -> dict[int, str]:
        """Return the verdicts stored of the rows from first to last; new ones have none."""
        return dict(
            self.connection.execute(
                "SELECT number, verdict FROM verdict WHERE number BETWEEN ? AND ?", (first, last)
            )
        )

    def rows(
        self, verdicts: Sequence[str], *, after: int = 0, skip: int = 0, limit: int = -1
    ) -> Iterator[StoredRow]:
        """Yield rows with these verdicts in file order, those behind row `after`."""
        for row in self.connection.execute(
            "SELECT number, verdict, place, reason, cells FROM verdict "  # noqa: S608  # nosec B608 # only marks
            f"WHERE verdict IN ({_marks(verdicts)}) AND number > ? ORDER BY number LIMIT ? OFFSET ?",
            (*verdicts, after, limit, skip),
        ):
            yield _stored(row)

    def row(self, number: int) -> StoredRow | None:
        """Return one row with its verdict; None if it is plainly new."""
        found = self.connection.execute(
            "SELECT number, verdict, place, reason, cells FROM verdict WHERE number = ?", (number,)
        ).fetchone()
        return _stored(found) if found else None

    def verdict(self, number: int) -> str | None:
        """Return a row's verdict; None if it is plainly new."""
        found = self.connection.execute(
            "SELECT verdict FROM verdict WHERE number = ?", (number,)
        ).fetchone()
        return found[0] if found else None

    def count(self, verdict: str) -> int:
        """Return how many rows are stored with this verdict."""
        found = self.connection.execute(
            "SELECT count(*) FROM verdict WHERE verdict = ?", (verdict,)
        ).fetchone()
        return int(found[0])


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _stored(row: tuple[Any, ...]) -> StoredRow:
    return StoredRow(row[0], row[1], row[2], row[3], orjson.loads(row[4]))


@contextmanager
def written(name: str) -> Iterator[VerdictFile]:
    """
    Open the stored file for its writer; a broken one, after a power cut, begins anew.

    :raises sqlite3.OperationalError: if another worker holds it: that one goes on
    """
    with local_file(name, is_written=True) as path:
        try:
            connection = _connect(str(path))
        except sqlite3.OperationalError:
            raise  # locked, or the disk is full: what is in the file is sound
        except sqlite3.DatabaseError:
            path.unlink()
            connection = _connect(str(path))
        try:
            yield VerdictFile(connection)
        finally:
            connection.rollback()
            connection.close()


def _connect(path: str) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=LOCK_SECONDS)
    try:
        connection.executescript(_SCHEMA)
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def read(name: str) -> Iterator[VerdictFile | None]:
    """Open the stored file for reading; None if there is none."""
    if not name:
        yield None
        return
    try:
        with local_file(name) as path:
            connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=5)
            try:
                yield VerdictFile(connection)
            finally:
                connection.close()
    except FileNotFoundError:
        yield None
