"""The two errors that a user may meet: the input was wrong (exit 2), or the run could not be done (exit
1)."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Any


class MendelError(Exception):
    """What went wrong and how to mend it, in one message; the command line prints it without a traceback.

    `exit_code` is what `mendel` ends with: 1 the run failed, 2 the input was wrong, 3 the budget was spent or
    a batch is awaited.
    """

    exit_code = 1

    def __init__(
        self,
        what: str,
        *,
        where: str | None = None,
        value: object = None,
        allowed: str | None = None,
        fix: str | None = None,
    ) -> None:
        self.what, self.where, self.value, self.allowed, self.fix = what, where, value, allowed, fix
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """`where: what (got: value; allowed: ...). fix`."""
        text = f"{self.where}: {self.what}" if self.where else self.what
        details = []
        if self.value is not None:
            details.append(f"got {self.value!r}")
        if self.allowed:
            details.append(f"allowed: {self.allowed}")
        if details:
            text += f" ({'; '.join(details)})"
        return f"{text}. {self.fix}" if self.fix else text

    def __reduce__(self) -> tuple[object, ...]:
        # Keyword-only arguments do not survive the default pickling, and errors cross process borders.
        return (_rebuild, (type(self), self.what, self.where, self.value, self.allowed, self.fix))


class InputError(MendelError):
    """The user's input is wrong: `mendel` prints the message and exits with 2."""

    exit_code = 2


class RunError(MendelError):
    """The run could not go on, though the input was right: `mendel` prints the message and exits with 1."""

    exit_code = 1


class Stopped(MendelError):
    """A command ended early without a fault. Its results until then are written, and it can be continued."""

    exit_code = 3
    result: Any = None
    """What the command would have returned, as far as it came; None where it has nothing to show yet."""


class BudgetSpent(Stopped):
    """The budget is spent; partial results are written and `mendel` exits with 3."""


class Waiting(Stopped):
    """The command has to wait for somebody else, such as a provider's batch; `mendel` exits with 3."""


def _rebuild(
    kind: type[MendelError],
    what: str,
    where: str | None,
    value: object,
    allowed: str | None,
    fix: str | None,
) -> MendelError:
    return kind(what, where=where, value=value, allowed=allowed, fix=fix)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return a sentence that names the closest known word, or lists the known words where none is close.

    Args:
        word: The word that the user wrote.
        known: The words that are allowed.
    """
    options = sorted(known)
    close = difflib.get_close_matches(word, options, n=1, cutoff=0.6)
    return f"Did you mean {close[0]!r}?" if close else f"Known: {', '.join(options)}."
