"""The store: finished work by the digest of what it was made from; written aside, synced, renamed, never changed."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import shutil
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mendel.engine.errors import InputError, MendelError, RunError

FULL = (errno.ENOSPC, errno.EDQUOT)
"""What the operating system says of a disk, or a quota, without room."""
KINDS = ("rollouts", "students", "responses", "measurements", "scores", "speeds", "benches")


def default_store() -> Path:
    """`MENDEL_STORE`, or `~/.cache/mendel`."""
    return Path(os.environ.get("MENDEL_STORE") or Path.home() / ".cache" / "mendel")


class Store:
    """Finished work as folders `<kind>/<first two digits>/<digest>`, shared by all runs and processes.

    A folder is there whole or not at all: it is written under `tmp/`, synced to the disk and renamed into its
    place. Two processes that make the same entry do so once too often, and the first one stays.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> Store:
        """Makes the store's folder, removes what dead processes left; raises InputError if it cannot be written."""
        try:
            (self.root / "tmp").mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.root / "tmp"):
                pass
        except OSError as error:
            if error.errno in FULL:
                raise disk_error(error, self.root) from None
            raise InputError(
                f"the store cannot be written: {error.strerror}",
                where=str(self.root),
                fix="Name another folder with --store or MENDEL_STORE.",
            ) from None
        for left in (self.root / "tmp").iterdir():
            # Process ids mean something on their own host alone, and hosts may share a store.
            host, _, pid = left.name.rpartition("-")[0].rpartition("-")
            if host == socket.gethostname() and not _alive(pid):
                shutil.rmtree(left, ignore_errors=True)
        return self

    def path(self, kind: str, key: str) -> Path:
        """Where an entry stands, or would stand."""
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}")
        return self.root.joinpath(kind, key[:2], key)

    def has(self, kind: str, key: str) -> bool:
        """Whether an entry is there (and so complete)."""
        # Not Path.is_dir: a plan asks for ten thousand students.
        return os.path.isdir(self.path(kind, key))  # noqa: PTH112

    @contextlib.contextmanager
    def writing(self, kind: str, key: str) -> Iterator[Path]:
        """A folder to fill; it becomes the entry when the block ends, and vanishes if it raises.

        Raises RunError when the disk is full or the store cannot be written.
        """
        target = self.path(kind, key)
        try:
            (self.root / "tmp").mkdir(parents=True, exist_ok=True)
            aside = Path(
                tempfile.mkdtemp(prefix=f"{socket.gethostname()}-{os.getpid()}-", dir=self.root / "tmp")
            )
        except OSError as error:
            raise disk_error(error, self.root) from None
        try:
            yield aside
            self._place(aside, target)
        except OSError as error:
            raise disk_error(error, self.root) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def _place(self, aside: Path, target: Path) -> None:
        for file in aside.rglob("*"):
            sync(file)
        sync(aside)
        target.parent.mkdir(parents=True, exist_ok=True)
        # mkdtemp makes a private folder; an entry is as readable as its store.
        aside.chmod(0o755)
        try:
            aside.rename(target)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        sync(target.parent)

    def write_json(self, kind: str, key: str, value: Any) -> None:
        """An entry that is one JSON value."""
        with self.writing(kind, key) as folder:
            (folder / "value.json").write_text(json.dumps(value, indent=1))

    def read_json(self, kind: str, key: str) -> Any:
        """The value of `write_json`, or None where the entry is not there."""
        file = self.path(kind, key) / "value.json"
        return json.loads(file.read_text()) if file.exists() else None


def sync(path: Path) -> None:
    """fsync of a file or folder, so that a rename never outlives its content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: str | bytes, durable: bool = True) -> None:
    """Writes a file aside, syncs it (if `durable`) and renames it into place; raises RunError when the disk is full."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        aside.write_bytes(content.encode() if isinstance(content, str) else content)
        if durable:
            sync(aside)
        aside.replace(path)
    except OSError as error:
        raise disk_error(error, path.parent) from error
    finally:
        with contextlib.suppress(OSError):
            aside.unlink(missing_ok=True)


def disk_error(error: Exception, place: Path) -> MendelError:
    """What to tell the user of a write that failed: a full disk, a folder that cannot be written, or the reason.

    Libraries that write for us wrap the operating system's error, so its words count as its number does.
    """
    number = getattr(error, "errno", None)
    if number in FULL or "No space left" in str(error):
        return RunError(
            "the disk is full",
            where=str(place),
            fix="Free some space, or name a store elsewhere with --store, then run the same command: "
            "what is finished is kept.",
        )
    if number in (errno.EACCES, errno.EROFS, errno.EPERM):
        return InputError(f"the folder cannot be written: {error}", where=str(place), fix="Name another one.")
    return RunError(f"cannot write: {error}", where=str(place), fix="Then run the same command: it goes on.")


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        pass
    return True
