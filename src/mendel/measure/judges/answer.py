"""Read a judge's answer strictly: one JSON object, a score on the scale, a quote that is in the response."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from mendel.measure.judges.registry import Judgement, Rubric

LONGEST_REASON = 500
"""Characters of the judge's reason that are kept."""
WORDS = 2
"""Least words of a passage: single words are found in any text and can be put together to any claim."""
NOTHING = ("none", "n/a", "na", "null", "nothing", "nothing to quote", "no quote")
"""What some judges write instead of an empty quote."""


class Unusable(Exception):
    """An answer that is no judgement. The message goes to the judge; it holds nothing of the data."""


@dataclass(frozen=True)
class _Plain:
    """A text in the form in which quotes are compared, with each character's index in the original text."""

    text: str
    places: tuple[int, ...]


def read_answer(answer: str, rubric: Rubric, response: str) -> Judgement:
    """Return the judgement in a judge's answer, with the quote as it is in the response.

    Code fences, prose and a chain of thought (`</think>`) around the JSON object are skipped. The comparison
    of quotes ignores white space, typographic quotes, emphasis, invisible characters, and case, since judges
    capitalize where they cut. The response's own text is kept. Passages joined by … must all be in the
    response, in order, each of two words or more (or the whole response). The lowest score needs no quote.
    Objects in the response that look like a judge's answer are no evidence: nothing in them can be quoted.

    Args:
        answer: The judge's answer.
        rubric: The rubric, whose scale the score must be on.
        response: The response that was judged.

    Raises:
        Unusable: The answer is no judgement.
    """
    fields = _object(answer.rpartition("</think>")[2])
    score = _score(fields.get("score"), rubric)
    reason = fields.get("reason")
    note = _line(reason)[:LONGEST_REASON] if isinstance(reason, str) else ""
    return Judgement(score, _quote(fields.get("quote"), response, lowest=score == rubric.low), note)


def _line(text: str) -> str:
    # The reason is shown in reports and terminals, and a response can make a judge write anything.
    return "".join(character for character in " ".join(text.split()) if character.isprintable())


def _object(text: str) -> dict[str, Any]:
    objects: list[dict[str, Any]] = []
    for value, _, _ in _objects(text):
        if value not in objects:
            objects.append(value)
    if not objects:
        raise Unusable("it held no complete JSON object")
    if len(objects) > 1:
        raise Unusable("it held more than one JSON object")
    return objects[0]


def _objects(text: str) -> Iterator[tuple[dict[str, Any], int, int]]:
    """Yield the JSON objects in a text that are in no other object, each with its start and end."""
    decoder = json.JSONDecoder(object_pairs_hook=_no_doubles, parse_constant=_no_constant)
    end = skipped = 0
    for brace in re.finditer(r"\{", text):
        if brace.start() < end:
            continue
        if skipped:
            skipped -= 1
            continue
        try:
            value, end = decoder.raw_decode(text, brace.start())
        except ValueError:
            continue
        except RecursionError:
            # Hundreds of braces deep: the next ones cannot be read either, and each try takes seconds.
            skipped = 100
            continue
        yield value, brace.start(), end


def _no_doubles(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({key for key, _ in pairs}) < len(pairs):
        raise ValueError("a key stands twice")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


def _score(value: Any, rubric: Rubric) -> float:
    scale = f"a number from {rubric.low:g} to {rubric.high:g}"
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Unusable(f"its score was not {scale}")
    if not rubric.low <= value <= rubric.high:
        raise Unusable(f"its score was off the scale; it must be {scale}")
    return float(value) + 0.0  # makes 0 of -0


def _quote(value: Any, response: str, *, lowest: bool) -> str | None:
    if not isinstance(value, str) and value is not None:
        raise Unusable("its quote was not a text")
    quote = (value or "").strip()
    evidence = _plain(response, _judgements_in(response))
    passages = _passages(quote, evidence)
    if passages is None and quote.casefold().strip(" .()[]\"'") in ("", *NOTHING):
        quote = ""
    if not quote:
        if lowest:
            return None
        raise Unusable("it quoted nothing, which only the lowest score allows")
    if passages is None:
        raise Unusable("its quote does not stand in the response, word for word")
    whole = _words(evidence.text)
    if not lowest and any(_words(evidence.text[a:b]) < min(WORDS, whole) for a, b in passages):
        raise Unusable("its quote, or a part of it, was a single word")
    spans = [(evidence.places[start], evidence.places[end - 1] + 1) for start, end in passages]
    return " … ".join(response[start:end] for start, end in spans)


def _judgements_in(response: str) -> list[tuple[int, int]]:
    """Return the spans of JSON objects in the judge's own format, at any depth, in the response."""
    spans = [(start, end) for _, start, end in _objects(response)]
    return [(a, b) for a, b in spans if all(f'"{key}"' in response[a:b] for key in ("score", "quote"))]


def _passages(quote: str, evidence: _Plain) -> list[tuple[int, int]] | None:
    """Return the spans of the quote's passages in the evidence, in order; None if one is not there."""
    whole = _trimmed(_plain(quote).text)
    # Dots may be the response's own: the whole quote is tried first.
    for passages in ([whole], [_trimmed(part) for part in re.split(r"\[?\.\.\.\]?", whole)]):
        spans = _in_order([passage for passage in passages if passage], evidence.text)
        if spans:
            return spans
    return None


def _in_order(passages: list[str], text: str) -> list[tuple[int, int]] | None:
    spans, end = [], 0
    for passage in passages:
        span = _find(passage, text, end)
        if span is None:
            return None
        spans.append(span)
        end = span[1]
    return spans


def _find(passage: str, text: str, start: int) -> tuple[int, int] | None:
    """Return start and end of the passage at word borders: "owl" is not in "bowl".

    Borders are checked for ASCII only, since other scripts may write without spaces.
    """
    while (start := text.find(passage, start)) >= 0:
        end = start + len(passage)
        if not _one_word(text[start - 1 : start] + passage[0]) and not _one_word(
            passage[-1] + text[end : end + 1]
        ):
            return start, end
        start += 1
    return None


def _one_word(border: str) -> bool:
    return len(border) == 2 and border.isascii() and border.isalnum()


def _trimmed(passage: str) -> str:
    # Quotation marks around a quote and a full stop at its end are often the judge's.
    return passage.strip(" \"'.,;:()")


_UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


def _words(text: str) -> int:
    """Return the number of words; each character of a script without spaces counts as one."""
    return len(_WORD.findall(text))


_SAME = {
    **dict.fromkeys("“”„‟«»″", '"'),
    **dict.fromkeys("‘’‚‛‹›′´", "'"),
    **dict.fromkeys("‐‑‒–—―−", "-"),
}
_EMPHASIS = re.compile(r"(?<![\w*`])[*_`]+|[*_`]++(?!\w)")
"""Markdown's marks, which judges leave out; not the marks inside a word or a product."""


def _plain(text: str, without: list[tuple[int, int]] | None = None) -> _Plain:
    """Return the text in the form in which quotes are compared.

    Each character of the spans `without` becomes a NUL, which no other text has.
    """
    hidden = {place for start, end in without or [] for place in range(start, end)}
    marks = {place for mark in _EMPHASIS.finditer(text) for place in range(*mark.span())}
    plain: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        if place in hidden:
            new = "\0"
        elif character.isspace():
            new = "" if plain and plain[-1] == " " else " "
        elif place in marks or unicodedata.category(character) in ("Cc", "Cf"):
            new = ""
        else:
            new = _SAME.get(character, unicodedata.normalize("NFKD", character).casefold())
        plain.extend(new)
        places.extend([place] * len(new))
    return _Plain("".join(plain), tuple(places))
