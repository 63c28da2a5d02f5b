"""Search over all responses of a run.

DuckDB straight on the run's Parquet files, shut off from everything else.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mendel.engine.text import clean

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

THREADS, MEMORY = 2, "512MB"
"""Threads and memory of a search, which runs beside a run that needs the machine."""
SECONDS = 30.0
"""A search that takes longer is broken off."""
TEXT = 2000
"""Characters of a prompt and of a response that are shown; around the match, where a response is longer."""
BEFORE = 200
"""Characters before the match, where what is shown begins in the middle of a response."""
MOST_ROWS, MOST_OFFSET, MOST_QUERY = 200, 100_000_000, 500


class SearchError(Exception):
    """Why there is no answer, in a sentence; `status` is the HTTP status that fits."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class ResponseQuery:
    """What is looked for; empty and None mean any."""

    query: str = ""
    """Part of the response, whatever its case; no character in it means anything but itself."""
    trait: str = ""
    arm: str = ""
    hit: bool | None = None
    min_score: float | None = None
    offset: int = 0
    limit: int = 50

    def bound(self) -> dict[str, Any]:
        """Return the parameters of the statements, which are never a part of their text."""
        return {
            "query": self.query,
            "trait": self.trait or None,
            "arm": self.arm or None,
            "hit": self.hit,
            "min_score": self.min_score,
        }


# DuckDB holds NaN to be greater than any number.
_MATCHING = """
from read_parquet($measurements, file_row_number = true) as m
left join read_parquet($students) as s on m.student = s.student
where ($trait is null or m.trait = $trait)
  and ($arm is null or s.arm = $arm)
  and ($hit is null or m.hit = $hit)
  and ($min_score is null or (m.score >= $min_score and not isnan(m.score)))
  and ($query = '' or contains(lower(m.response), lower($query)))
"""
_COUNT = f"select count(*) {_MATCHING}"
# Where the match stands, so that a long response is shown around it.
_PAGE = f"""
select s.arm, m.student, m.trait, m.scenario, m.sample, m.turn, m.score, m.hit,
  left(m.prompt, $text) as prompt, length(m.prompt) as prompt_length,
  greatest(0, case when length(m.response) <= $text or $query = '' then 0
    else strpos(lower(m.response), lower($query)) - 1 - $before end) as start,
  substr(m.response, start + 1, $text) as response, length(m.response) as response_length
{_MATCHING}
order by m.file_row_number limit $limit offset $offset
"""
_FACETS = """
select (select list(distinct trait order by trait) from read_parquet($measurements)),
  (select list(distinct arm order by arm) from read_parquet($students))
"""


class ResponseFiles:
    """The responses in a run's folder, as far as they are written; one search at a time, from any thread."""

    def __init__(self, folder: Path) -> None:
        self._files = {name: folder.absolute() / f"{name}.parquet" for name in ("measurements", "students")}
        self._lock = threading.Lock()
        self._opened: DuckDBPyConnection | None = None
        self._closed = False
        self._facets: tuple[object, dict[str, list[str]]] = (None, {})
        self._total: tuple[object, int] = (None, 0)

    @property
    def there(self) -> bool:
        """Whether the run has written its tables."""
        return all(file.is_file() for file in self._files.values())

    def find(self, search: ResponseQuery) -> dict[str, Any]:
        """Return `total`, the `rows` from `offset` on, in the order of the file, and the run's `traits` and
        `arms`.

        Raise SearchError where there is nothing to search in, for a file that cannot be read, and after
        half a minute.
        """
        if not self.there:
            raise SearchError("The responses can be searched when the run has written its tables.", 404)
        with self._connection() as connection:
            bound = {**search.bound(), **{name: str(file) for name, file in self._files.items()}}
            total = self._count(connection, bound)
            rows: list[dict[str, Any]] = []
            if search.offset < total:
                paged = {"limit": search.limit, "offset": search.offset, "text": TEXT, "before": BEFORE}
                page = connection.execute(_PAGE, {**bound, **paged})
                names = [column[0] for column in page.description or ()]
                rows = [_row(dict(zip(names, row, strict=True))) for row in page.fetchall()]
            return {"total": total, "offset": search.offset, "rows": rows, **self._known(connection)}

    def close(self) -> None:
        """Stop a search that is running, and close the files."""
        self._closed, opened = True, self._opened
        if opened is not None:
            opened.interrupt()
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _count(self, connection: DuckDBPyConnection, bound: dict[str, Any]) -> int:
        """Return how many responses match; the next page of the same search does not count again."""
        search = (bound, self._seen())
        if self._total[0] != search:
            self._total = (search, connection.execute(_COUNT, bound).fetchall()[0][0])
        return self._total[1]

    def _seen(self) -> list[tuple[int, int, int]]:
        """Return what tells a file from the one that replaced it."""
        stats = [file.stat() for file in self._files.values()]
        return [(stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in stats]

    def _known(self, connection: DuckDBPyConnection) -> dict[str, list[str]]:
        """Return traits and arms to choose from; read again when a file was replaced."""
        seen = self._seen()
        if self._facets[0] != seen:
            files = {name: str(file) for name, file in self._files.items()}
            traits, arms = connection.execute(_FACETS, files).fetchall()[0]
            self._facets = (seen, {"traits": traits or [], "arms": arms or []})
        return self._facets[1]

    @contextlib.contextmanager
    def _connection(self) -> Iterator[DuckDBPyConnection]:
        import duckdb

        if not self._lock.acquire(timeout=SECONDS):
            raise SearchError("Another search is still under way.", 503)
        try:
            if self._closed:
                raise SearchError("The server is being closed.", 503)
            connection = self._opened = self._opened or _open([str(file) for file in self._files.values()])
            clock = threading.Timer(SECONDS, connection.interrupt)
            clock.daemon = True
            clock.start()
            try:
                yield connection
            finally:
                # Joined, so that no thread that holds the connection is left when the process ends: DuckDB
                # aborts then.
                clock.cancel()
                clock.join()
        except duckdb.InterruptException:
            raise SearchError(f"The search took more than {SECONDS:.0f} seconds.", 503) from None
        except (duckdb.Error, OSError) as error:
            raise SearchError(f"The responses cannot be read: {clean(str(error))[:300]}", 500) from None
        finally:
            self._lock.release()


def _open(files: list[str]) -> DuckDBPyConnection:
    """Open a DuckDB that can read these files and nothing else.

    No other file, no network, no extension, no settings.
    """
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "allow_community_extensions": False,
        "allow_persistent_secrets": False,
        "threads": THREADS,
        "memory_limit": MEMORY,
        "temp_directory": "",
    }
    connection = duckdb.connect(":memory:", config=settings)
    # A statement that sets something takes no parameters; a quote in a path is doubled.
    paths = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    connection.execute(f"set allowed_paths = [{paths}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
    return connection


def _row(row: dict[str, Any]) -> dict[str, Any]:
    """Return a row of the page: its texts made inert, with the number of characters left out before and
    after."""
    shown = {name: clean(value) if isinstance(value, str) else value for name, value in row.items()}
    length, start = row["response_length"], row["start"]
    score = row["score"]
    return {
        **{name: shown[name] for name in ("arm", "student", "trait", "scenario", "sample", "turn", "hit")},
        "score": score if score is not None and abs(score) != float("inf") and score == score else None,
        "prompt": shown["prompt"],
        "prompt_cut": max(0, (row["prompt_length"] or 0) - TEXT),
        "response": shown["response"],
        "cut_before": start or 0,
        "cut_after": max(0, (length or 0) - (start or 0) - TEXT),
    }
