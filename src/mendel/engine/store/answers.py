"""Answers of endpoints and judges, in one SQLite file of the store: each is paid for only once."""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from mendel.engine.errors import InputError, MendelError, RunError
from mendel.engine.store.store import disk_error

FILE = "answers.sqlite"
WAIT = 30.0
"""Seconds to wait while another process writes."""
AT_ONCE = 500
"""Keys of one query, because SQLite takes a limited number of parameters."""


class AnswerCache:
    """JSON values by kind and key. A value is on the disk when `put` returns, and survives a killed process.

    Several processes and threads can use it at the same time; the first value of a key stays. Every method
    raises InputError that names the file if it is damaged, and RunError if the disk is full.

    Args:
        store_root: The store's folder.
    """

    def __init__(self, store_root: Path) -> None:
        self.path = store_root / FILE
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def get(self, kind: str, key: str) -> Any:
        """Return a key's value; None for a key without one."""
        return self.get_many(kind, [key]).get(key)

    def get_many(self, kind: str, keys: Iterable[str]) -> dict[str, Any]:
        """Return the values of the keys that have one, by key."""
        wanted = list(dict.fromkeys(keys))
        rows: list[tuple[str, str]] = []
        for start in range(0, len(wanted), AT_ONCE):
            part = wanted[start : start + AT_ONCE]
            marks = ",".join("?" * len(part))
            rows += self._query(
                f"SELECT key, value FROM answers WHERE kind = ? AND key IN ({marks})", (kind, *part)
            )
        try:
            return {key: json.loads(value) for key, value in rows}
        except (TypeError, ValueError):
            raise self._damaged("a value is no JSON") from None

    def put(self, kind: str, key: str, value: Any) -> None:
        """Keep a value for a key without one; raises TypeError or ValueError for what JSON cannot hold."""
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        # A lone surrogate, which a server can send as \\ud800, has no UTF-8, but JSON can escape it.
        text = text if _storable(text) else json.dumps(value, allow_nan=False)
        self._query("INSERT OR IGNORE INTO answers (kind, key, value) VALUES (?, ?, ?)", (kind, key, text))

    def close(self) -> None:
        """Close the file. The next use opens it again."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    def _query(self, sql: str, values: tuple[str, ...]) -> list[Any]:
        with self._lock:
            try:
                if self._connection is None:
                    self._connection = _opened(self.path)
                # The driver commits each statement by itself (isolation_level None).
                return self._connection.execute(sql, values).fetchall()
            except sqlite3.Error as error:
                raise self._explained(error) from None
            except OSError as error:
                raise disk_error(error, self.path.parent) from None

    def _explained(self, error: sqlite3.Error) -> MendelError:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            return disk_error(OSError(28, "No space left on device"), self.path.parent)
        if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return RunError(
                f"another process has kept the answers locked for {WAIT:.0f} s",
                where=str(self.path),
                fix="Run the same command again.",
            )
        if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
            return InputError(
                f"the answers' file cannot be opened or written: {error}",
                where=str(self.path),
                fix="Name another store with --store or MENDEL_STORE.",
            )
        if code == sqlite3.SQLITE_IOERR:
            return RunError(f"the answers' file cannot be read or written: {error}", where=str(self.path))
        return self._damaged(str(error))

    def _damaged(self, why: str) -> InputError:
        return InputError(
            f"the file of paid answers is damaged: {why}",
            where=str(self.path),
            fix=f"Remove {self.path} (and {FILE}-wal and {FILE}-shm beside it). Its answers are "
            "then paid for again.",
        )


def _opened(path: Path) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, timeout=WAIT, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        # In WAL mode a commit is in the file before it returns, so a killed process loses none. Only a crash
        # of the machine can lose the last ones, and waiting for the disk after every answer would cost more.
        connection.execute("PRAGMA synchronous=NORMAL")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS answers (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, "
            "PRIMARY KEY (kind, key)) WITHOUT ROWID"
        )
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _storable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
