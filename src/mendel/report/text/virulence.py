"""What `mendel virulence` says in the terminal.

A trait's levels by share, its subsets, and how traits compare.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mendel.engine.text import one_line
from mendel.results.findings import DoseResponse, SubsetSpread, TraitPair, VirulenceRecord
from mendel.results.interval import Format, why_missing
from mendel.results.records import read_record

_NUMBERS = Format(2)
_SHARES = Format(3)
_ROW = "  {:<8}{:<20}{:<22}{}"


def virulence_text(content: VirulenceRecord | Mapping[str, Any]) -> str:
    """Return how small a share brings each trait, as plain lines of at most 100 columns, but for long
    reasons.

    Args:
        content: What `mendel.virulence` found, as a value or as its JSON object.

    Returns:
        Lines of text.
    """
    if not isinstance(content, VirulenceRecord):
        content = read_record(VirulenceRecord, content)
    return "\n".join(_lines(content))


def _lines(virulence: VirulenceRecord) -> Iterator[str]:
    if virulence.traits:
        yield (
            f"{virulence.students_trained:,} students trained, {virulence.students_reused:,} reused; "
            f"{virulence.prompts:,} prompts"
        )
    for name, response in virulence.traits.items():
        yield ""
        yield from _trait(one_line(name, 80), response)
    for name, why in virulence.skipped.items():
        yield f"{one_line(name, 80)}: no virulence: {one_line(why)}. Nothing was trained for it."
    if virulence.comparisons:
        yield ""
    yield from map(_comparison, virulence.comparisons)
    yield from (f"warning: {one_line(warning, 300)}" for warning in virulence.warnings)


def _trait(name: str, response: DoseResponse) -> Iterator[str]:
    if response.half_way:
        yield f"{name}: half of the effect is there at a share of {_SHARES.value(response.half_way)}"
        if response.below is not None and response.above is not None:
            below, above = f"{response.below:.3g}", f"{response.above:.3g}"
            yield f"  shown to bring less than half: {below}; shown to bring more: {above}"
    else:
        yield f"{name}: no half-way share: {one_line(response.why)}"
    yield _ROW.format("share", "level", "subsets that bring it", "least, median, most").rstrip()
    notes: list[str] = []
    for dose in response.curve:
        share, subsets = dose.share or 0.0, dose.subsets or SubsetSpread()
        level = _NUMBERS.value(dose.level)
        yield _ROW.format(f"{share:.3g}", level, _bring(subsets), _ends(subsets)).rstrip()
        notes += _spread(share, subsets)
    yield from notes


def _bring(subsets: SubsetSpread) -> str:
    if subsets.bring is None:
        return ""
    text = f"{subsets.bring} of {len(subsets.levels)}"
    return f"{text} {_NUMBERS.interval(subsets.fraction)}" if subsets.fraction else text


def _ends(subsets: SubsetSpread) -> str:
    values = (subsets.least, subsets.median, subsets.most)
    return ", ".join(_NUMBERS.number(value) for value in values if value is not None)


def _spread(share: float, subsets: SubsetSpread) -> Iterator[str]:
    """Yield how far subsets differ, for the share at which they were trained twice."""
    if subsets.training_noise is None:
        return
    between = subsets.between_subsets
    if not between:
        yield f"  at {share:.3g}, spread between subsets not known: {why_missing(between)}"
        return
    noise = _NUMBERS.number(subsets.training_noise)
    spread = _NUMBERS.value(between)
    yield f"  at {share:.3g}, standard deviation between subsets {spread}, of training {noise}"


def _comparison(pair: TraitPair) -> str:
    first, second = (one_line(name, 80) for name in pair.traits)
    if not pair.difference:
        return f"{first} against {second}: undecided: {why_missing(pair.difference)}"
    by = f"half-way share {_SHARES.value(pair.difference, signed=True)}"
    if pair.says == "undecided":
        why = f": {one_line(pair.difference.why)}" if pair.difference.why else ""
        return f"{first} against {second}: undecided ({by}){why}"
    return f"{first} is {pair.says} than {second} ({by})"
