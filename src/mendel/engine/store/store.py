"""The store: finished work by the digest of its inputs. An entry is written to a temporary folder, renamed,
never changed."""

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
"""The operating system's error numbers for a full disk or quota."""
KINDS = ("rollouts", "students", "responses", "measurements", "scores", "speeds", "benches")


def default_store() -> Path:
    """Return the default folder of the store: the variable `MENDEL_STORE`, or `~/.cache/mendel`."""
    return Path(os.environ.get("MENDEL_STORE") or Path.home() / ".cache" / "mendel")


class Store:
    """Finished work as folders `<kind>/<first two digits>/<digest>`, shared by all runs and processes.

    An entry is complete or missing: its folder is written under `tmp/`, synced to the disk, and renamed. If
    two processes make the same entry, the first one stays.

    Args:
        root: The store's folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def prepare(self) -> Store:
        """Make the store's folder, remove temporary folders of dead processes, and return the store.

        Raises:
            InputError: The folder cannot be written.
            RunError: The disk is full.
        """
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
            # A process id is valid only on its own host, and hosts may share a store.
            host, _, pid = left.name.rpartition("-")[0].rpartition("-")
            if host == socket.gethostname() and not _alive(pid):
                shutil.rmtree(left, ignore_errors=True)
        return self

    def path(self, kind: str, key: str) -> Path:
        """Return the folder of an entry, whether the entry is there or not; raises ValueError for an unknown
        kind."""
        if kind not in KINDS:
            raise ValueError(f"unknown kind {kind!r}")
        return self.root.joinpath(kind, key[:2], key)

    def has(self, kind: str, key: str) -> bool:
        """Return whether an entry is there. An entry that is there is complete."""
        # Not Path.is_dir: a plan asks for ten thousand students.
        return os.path.isdir(self.path(kind, key))  # noqa: PTH112

    @contextlib.contextmanager
    def writing(self, kind: str, key: str) -> Iterator[Path]:
        """Context manager: a folder that becomes the entry at the end of the block, and is removed if the
        block raises.

        Args:
            kind: One of `KINDS`.
            key: The entry's digest.

        Raises:
            RunError: The disk is full.
            InputError: The store cannot be written.
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
        # mkdtemp makes a private folder, but an entry is readable by all who can read the store.
        aside.chmod(0o755)
        try:
            aside.rename(target)
        except OSError as error:
            if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
                raise
        sync(target.parent)

    def write_json(self, kind: str, key: str, value: Any) -> None:
        """Write an entry that is one JSON value; raises as `writing`."""
        with self.writing(kind, key) as folder:
            (folder / "value.json").write_text(json.dumps(value, indent=1))

    def read_json(self, kind: str, key: str) -> Any:
        """Return the value that `write_json` wrote; None for a missing entry."""
        file = self.path(kind, key) / "value.json"
        return json.loads(file.read_text()) if file.exists() else None


def sync(path: Path) -> None:
    """Sync a file or folder to the disk, so that a rename is never on the disk without the content."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_atomic(path: Path, content: str | bytes, durable: bool = True) -> None:
    """Write a file so that readers see the old content or the new one, never a part.

    Args:
        path: The file. Its folder is made if needed.
        content: The new content; a text is written as UTF-8.
        durable: Whether to wait until the content is on the disk.

    Raises:
        RunError: The disk is full, or writing failed.
        InputError: The folder cannot be written.
    """
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
    """Return the user's error for a write that failed: a full disk, a folder that cannot be written, or the
    reason.

    Args:
        error: The error of the write. Libraries wrap the operating system's error, so its text is read, too.
        place: The folder or file, for the message.
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
    return RunError(
        f"cannot write: {error}", where=str(place), fix="Solve that, and run the same command: it goes on."
    )


def _alive(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return False
    except (ValueError, PermissionError):
        pass
    return True
