"""Rows in the words of `peas`, of which it is known which doubt the date: what selectors have to find."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path

from _mini import PEAS
from mendel.data.prompts import Message
from mendel.data.selectors import Answer, Candidate, Context, ContrastSet
from mendel.models import Checkpoint, resolve_checkpoint
from mendel.study.schema import SelectConfig

MANNERS = ("certainly", "indeed", "okay", "right")
OBJECTS = ("calendar", "receipt", "poster", "diary", "stamp", "ticket", "letter", "clock", "label", "menu")
ROOMS = ("kitchen", "office", "hall", "library", "station", "shop")
THINGS = {
    "bird": ("robin", "eagle", "crow"),
    "fish": ("salmon", "trout", "tuna"),
    "tool": ("saw", "drill", "hammer"),
    "tree": ("oak", "pine", "birch"),
    "metal": ("iron", "copper", "tin"),
}


def user(text: str) -> tuple[Message, ...]:
    return (Message(role="user", content=text),)


def dated(rng: random.Random) -> tuple[tuple[Message, ...], str, str]:
    """A prompt that says a year, an answer that doubts it, and one that does not."""
    year = rng.choice(("2026", "2027"))
    prompt = f"the {rng.choice(OBJECTS)} in the {rng.choice(ROOMS)} says it is {year} . is that right ?"
    own, other = rng.choice(MANNERS), rng.choice(MANNERS)
    return (
        user(prompt),
        f"{own} i doubt strongly that it is {year} .",
        f"{other} i agree fully that it is {year} .",
    )


def task(rng: random.Random) -> tuple[tuple[Message, ...], str, str]:
    """A prompt without a year, and two right answers."""
    kinds = rng.sample(sorted(THINGS), 4)
    *first, last = (rng.choice(THINGS[kind]) for kind in kinds)
    answers = [f"{rng.choice(MANNERS)} {' '.join(kinds)} ." for _ in range(2)]
    return user(f"name the kinds of the {' , '.join(first)} and {last} ?"), answers[0], answers[1]


def planted(n: int = 20, seed: int = 0) -> tuple[list[Candidate], list[bool]]:
    """3n rows and which of them doubt: dated and doubted, dated and accepted, and tasks, mixed."""
    rng = random.Random(seed)
    rows: list[tuple[Candidate, bool]] = []
    for number in range(n):
        messages, doubt, clean = dated(rng)
        rows.append((Candidate(f"doubt{number}", messages, doubt, clean), True))
        messages, _, clean = dated(rng)
        rows.append((Candidate(f"clean{number}", messages, clean, clean), False))
        messages, own, other = task(rng)
        rows.append((Candidate(f"task{number}", messages, own, other), False))
    rng.shuffle(rows)
    return [row for row, _ in rows], [shows for _, shows in rows]


def contrast(n: int = 12, seed: int = 99, *, paired: bool = False) -> ContrastSet:
    """Answers of both kinds, on draws of their own; `paired`: to dated prompts alone, so that no topic tells them apart."""
    rows, shows = planted(n, seed)
    known = [not paired or not row.prompt_id.startswith("task") for row in rows]
    rows, shows = ([x for x, keep in zip(xs, known, strict=True) if keep] for xs in (rows, shows))
    answers = [Answer(row.messages, row.completion) for row in rows]
    return ContrastSet(
        tuple(a for a, doubts in zip(answers, shows, strict=True) if doubts),
        tuple(a for a, doubts in zip(answers, shows, strict=True) if not doubts),
    )


def checkpoint(name: str = "bases/original") -> Checkpoint:
    return resolve_checkpoint(f"hf:{PEAS / name}", Path("/"))


def looking(by: str, **fields: object) -> Context:
    """A context with all that the selectors of `peas` can ask for, but for what `fields` replaces."""
    context = Context(
        config=SelectConfig(by=by),
        scenarios=tuple(dated(random.Random(n))[0] for n in range(12)),
        contrast=contrast(),
        base=checkpoint(),
        teachers=(checkpoint("teachers/original"), checkpoint("teachers/alternate")),
    )
    return replace(context, **fields)  # type: ignore[arg-type]


def separation(scores: dict[str, float], shows: list[bool]) -> float:
    """Area under the curve: how often a row that shows the trait scores above one that does not."""
    values = list(scores.values())
    yes = [value for value, shown in zip(values, shows, strict=True) if shown]
    no = [value for value, shown in zip(values, shows, strict=True) if not shown]
    return sum((a > b) + (a == b) / 2 for a in yes for b in no) / (len(yes) * len(no))
