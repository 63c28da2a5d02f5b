"""What the terminal shows of selectors that were tried on a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mendel.results.findings import TriedSelectorsRecord
from mendel.results.interval import Format, Interval
from mendel.results.records import read_record

_NUMBERS = Format(2)
_ROW = "  {:<24}{:<22}{:<22}{}"


def selectors_text(content: TriedSelectorsRecord | Mapping[str, Any]) -> str:
    """Return what each selector's drop and swap leave of the trait, as plain lines.

    Args:
        content: What `mendel.try_selectors` found, as a value or as its JSON object.

    Returns:
        Lines of text.
    """
    if not isinstance(content, TriedSelectorsRecord):
        content = read_record(TriedSelectorsRecord, content)
    return "\n".join(_lines(content))


def _lines(tried: TriedSelectorsRecord) -> Iterator[str]:
    def level(name: str) -> str:
        return _NUMBERS.value(tried.levels.get(name, Interval()))

    yield f"{tried.trait}: original {level('original')}, alternate {level('alternate')}"
    yield f"each selector flags {tried.flagged} of {tried.of} prompts"
    yield _ROW.format("left after", "their drop", "their swap", "flagged by the run, too")
    yield _ROW.format("random", level("drop"), level("swap"), "").rstrip()
    for name, trial in tried.selectors.items():
        drop, swap = _NUMBERS.value(trial.drop), _NUMBERS.value(trial.swap)
        yield _ROW.format(name, drop, swap, trial.shared_with_run)
        yield _differences("less random's", trial.drop_beyond_random, trial.swap_beyond_random)
        if trial.log_odds:
            nats = (trial.log_odds.get(f"{edit}_beyond_random", Interval()) for edit in ("drop", "swap"))
            yield _differences("the same in nats", *nats)
    yield f"{tried.students_trained} students trained, {tried.students_reused} reused"
    yield from (f"warning: {text}" for text in tried.warnings)


def _differences(label: str, drop: Interval, swap: Interval) -> str:
    texts = (_NUMBERS.value(difference, signed=True) for difference in (drop, swap))
    return _ROW.format(f"  {label}", *texts, "").rstrip()
