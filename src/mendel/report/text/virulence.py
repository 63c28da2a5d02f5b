"""What `mendel virulence` says in the terminal: a trait's levels by share, its subsets, and how traits compare."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mendel.engine.text import one_line
from mendel.results.values import Format, as_dict, as_float, as_list, as_text, read_estimate, why_missing

_NUMBERS = Format(2)
_SHARES = Format(3)
_ROW = "  {:<8}{:<20}{:<22}{}"


def virulence_text(found: Mapping[str, Any]) -> str:
    """The result of `mendel.virulence` (its `to_json`) as plain lines of at most 100 columns, but for long reasons."""
    return "\n".join(_lines(found))


def _lines(found: Mapping[str, Any]) -> Iterator[str]:
    trained, reused = as_float(found.get("students_trained")), as_float(found.get("students_reused"))
    if as_dict(found.get("traits")):
        yield f"{trained:,.0f} students trained, {reused:,.0f} reused; {found['prompts']:,} prompts"
    for name, trait in as_dict(found.get("traits")).items():
        yield ""
        yield from _trait(one_line(name, 80), as_dict(trait))
    for name, why in as_dict(found.get("skipped")).items():
        yield f"{one_line(name, 80)}: no virulence: {one_line(as_text(why))}. Nothing was trained for it."
    if as_list(found.get("comparisons")):
        yield ""
    for pair in as_list(found.get("comparisons")):
        yield _comparison(as_dict(pair))
    for warning in as_list(found.get("warnings")):
        yield f"warning: {one_line(as_text(warning), 300)}"


def _trait(name: str, trait: Mapping[str, Any]) -> Iterator[str]:
    half = read_estimate(trait.get("half_way"))
    if half is None:
        yield f"{name}: no half-way share: {one_line(as_text(trait.get('why')))}"
    else:
        yield f"{name}: half of the effect is there at a share of {_SHARES.value(half)}"
        below, above = as_float(trait.get("below")), as_float(trait.get("above"))
        if below is not None and above is not None:
            yield f"  shown to bring less than half: {below:.3g}; shown to bring more: {above:.3g}"
    yield _ROW.format("share", "level", "subsets that bring it", "least, median, most").rstrip()
    notes = []
    for dose in map(as_dict, as_list(trait.get("curve"))):
        share, subsets = as_float(dose.get("share")), as_dict(dose.get("subsets"))
        level = _NUMBERS.value(read_estimate(dose.get("level")))
        yield _ROW.format(f"{share:.3g}", level, _bring(subsets), _ends(subsets)).rstrip()
        notes += list(_spread(share, subsets))
    yield from notes


def _bring(subsets: Mapping[str, Any]) -> str:
    bring, fraction = subsets.get("bring"), read_estimate(subsets.get("fraction"))
    if not subsets or bring is None:
        return ""
    text = f"{bring} of {len(as_list(subsets.get('levels')))}"
    return text if fraction is None else f"{text} {_NUMBERS.interval(fraction)}"


def _ends(subsets: Mapping[str, Any]) -> str:
    values = [as_float(subsets.get(key)) for key in ("least", "median", "most")]
    return ", ".join(_NUMBERS.number(value) for value in values if value is not None)


def _spread(share: float | None, subsets: Mapping[str, Any]) -> Iterator[str]:
    """How far subsets differ, for the share at which they were trained twice."""
    training = as_float(subsets.get("training_noise"))
    if training is None:
        return
    between = read_estimate(subsets.get("between_subsets"))
    if between is None:
        yield f"  at {share:.3g}, spread between subsets not known: {why_missing(subsets.get('between_subsets'))}"
        return
    noise = _NUMBERS.number(training)
    yield f"  at {share:.3g}, standard deviation between subsets {_NUMBERS.value(between)}, of training {noise}"


def _comparison(pair: Mapping[str, Any]) -> str:
    first, second = (one_line(as_text(name), 80) for name in as_list(pair.get("traits")))
    difference = read_estimate(pair.get("difference"))
    if difference is None:
        return f"{first} against {second}: undecided: {why_missing(pair.get('difference'))}"
    by = f"half-way share {_SHARES.value(difference, signed=True)}"
    if pair.get("says") == "undecided":
        why = f": {one_line(difference.why)}" if difference.why else ""
        return f"{first} against {second}: undecided ({by}){why}"
    return f"{first} is {pair['says']} than {second} ({by})"
