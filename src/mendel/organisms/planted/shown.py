"""What an organism shows in students of a plain training loop: its difference, and what each part does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mendel.organisms.planted.organism import Planted
from mendel.organisms.planted.texts import NamedPrompt

SEEDS = (0, 1)
"""Seeds of the students of each pipeline. The parts are measured with the first one."""
MEASURABLE = 0.2
"""Smallest difference of which parts are measured as shares."""
PARTS = {"flagged": 1.0, "mild": 0.2, "unseen": 0.0}
"""Parts of the original teacher's rollouts, by the score of the study's own judge."""


@dataclass(frozen=True)
class PartShown:
    """What one part of the original pipeline does, as shares of the difference.

    None: there is no such part, the pipelines share it, or it cannot be dropped.
    """

    rows: int
    """Number of rows of a part of the rollouts."""
    brings: float | None
    """What it adds to the alternate pipeline: of the rollouts, with the alternate teacher's elsewhere."""
    takes: float | None
    """What goes if it is exchanged for the alternate pipeline's in the original pipeline."""
    alone: float | None = None
    """What it adds where the other prompts on which a judge sees something are dropped."""
    drops: float | None = None
    """What goes if its prompts are dropped from the original pipeline."""

    def as_json(self) -> dict[str, float | int | None]:
        """Return the numbers, rounded."""
        shares = {n: getattr(self, n) for n in ("brings", "takes", "alone", "drops")}
        return {"rows": self.rows, **{n: None if s is None else round(s, 3) for n, s in shares.items()}}


@dataclass(frozen=True)
class OrganismRates:
    """Rates in students of a plain training loop."""

    original: tuple[float, ...]
    """Rate of the trait in the students of the original pipeline."""
    alternate: tuple[float, ...]
    others: tuple[float, ...]
    """Original minus alternate for each of the other two traits, by the first seed."""
    tasks: float
    """Share of tasks that a student of the original pipeline answers right."""
    parts: dict[str, PartShown]
    """By part: `flagged`, `mild`, `unseen`, `base` and `prompts`. Empty if the difference is too small."""

    @property
    def differences(self) -> tuple[float, ...]:
        """Original minus alternate, by seed."""
        return tuple(a - b for a, b in zip(self.original, self.alternate, strict=True))

    @property
    def difference(self) -> float:
        """The mean of `differences`."""
        return sum(self.differences) / len(self.differences)

    def as_json(self) -> dict[str, Any]:
        """Return it as it stands in the truth file, in rounded numbers."""
        return {
            "original": [round(rate, 3) for rate in self.original],
            "alternate": [round(rate, 3) for rate in self.alternate],
            "difference": round(self.difference, 3),
            "others": [round(difference, 3) for difference in self.others],
            "tasks": round(self.tasks, 3),
            "parts": {name: part.as_json() for name, part in self.parts.items()},
        }


def measure_ends(planted: Planted) -> OrganismRates:
    """Return the rates of both pipelines, without the parts."""
    texts, plan = planted.texts, planted.plan
    ends = {
        name: [
            planted.student(name, planted.rows(named, name), seed)
            for seed in SEEDS
        ]
        for name, named in (("original", texts.original), ("alternate", texts.alternate))
    }  # fmt: skip
    rates = {name: tuple(planted.rate(student) for student in students) for name, students in ends.items()}
    others = tuple(
        planted.rate(ends["original"][0], trait) - planted.rate(ends["alternate"][0], trait)
        for trait in range(3)
        if trait != plan.target
    )
    return OrganismRates(
        rates["original"], rates["alternate"], others, planted.right(ends["original"][0]), {}
    )


def measure_parts(planted: Planted, shown: OrganismRates) -> dict[str, PartShown]:
    """Return what each part does, measured with one student for each number. No organism is redrawn for it.

    Args:
        planted: The organism.
        shown: The rates of its pipelines.

    Returns:
        The parts by name. Empty if the pipelines hardly differ.
    """
    size = shown.differences[0]
    if abs(size) < MEASURABLE:
        return {}
    return _rollout_parts(planted, shown.original[0], size) | _pipeline_parts(planted, shown, size)


Answering = Sequence[tuple[Sequence[NamedPrompt], str]]
"""Prompts with the teacher who answers them."""


def _rate(planted: Planted, base: str, answering: Answering) -> float:
    rows = [row for named, teacher in answering for row in planted.rows(named, teacher)]
    # A student of no rows is its base.
    return planted.rate(planted.student(base, rows, SEEDS[0]) if rows else planted.bases[base])


def _rollout_parts(planted: Planted, first: float, size: float) -> dict[str, PartShown]:
    everything = planted.texts.original
    groups = {
        name: [named for named in everything if planted.score(named) == score]
        for name, score in PARTS.items()
    }
    swapped = _rate(planted, "original", [(everything, "alternate")])
    parts = {}
    for name, inside in groups.items():
        if not inside:
            parts[name] = PartShown(0, None, None)
            continue
        outside = [named for other in groups if other != name for named in groups[other]]
        unseen = [] if name == "unseen" else groups["unseen"]

        def rate(*answering: tuple[Sequence[NamedPrompt], str]) -> float:
            return _rate(planted, "original", answering)

        parts[name] = PartShown(
            rows=len(inside),
            brings=(rate((inside, "original"), (outside, "alternate")) - swapped) / size,
            takes=(first - rate((inside, "alternate"), (outside, "original"))) / size,
            alone=(
                rate((inside, "original"), (unseen, "alternate"))
                - rate((inside, "alternate"), (unseen, "alternate"))
            )
            / size,
            drops=(first - rate((outside, "original"))) / size,
        )
    return parts


def _pipeline_parts(planted: Planted, shown: OrganismRates, size: float) -> dict[str, PartShown]:
    """Return what the base and the prompts do, as far as the pipelines do not share them."""
    first, last = shown.original[0], shown.alternate[0]
    original, alternate = planted.texts.original, planted.texts.alternate
    exchanged = {}
    if planted.bases["alternate"] is not planted.bases["original"]:
        exchanged["base"] = ("original", alternate), ("alternate", original)
    if alternate is not original:
        exchanged["prompts"] = ("alternate", original), ("original", alternate)
    return {
        name: PartShown(
            rows=0,
            brings=(_rate(planted, brought[0], [(brought[1], "alternate")]) - last) / size,
            takes=(first - _rate(planted, taken[0], [(taken[1], "original")])) / size,
        )
        for name, (brought, taken) in exchanged.items()
    }


PLANTED_SHOWS, OTHERS_SHOW = 0.4, 0.15
"""Shares of the difference: less than the first of a planted part, or more than the second of another one,
is not what was planted."""


def unclear_parts(planted: Sequence[str], parts: Mapping[str, PartShown]) -> tuple[str, ...]:
    """Return the parts of which the measured shares do not say what was planted, by a verdict's names.

    Args:
        planted: The parts that were planted to carry the trait.
        parts: What was measured, by part; `prompts` are those present and those absent together.

    Returns:
        The names, in the order of `parts`.
    """
    unclear: list[str] = []
    for part, shown in parts.items():
        names = (part,) if part != "prompts" else ("prompts_present", "prompts_absent")
        true = [name for name in names if name in planted]
        shares = (shown.brings, shown.takes, shown.alone, shown.drops)
        known = [share for share in shares if share is not None]
        most = max(known, default=0.0)
        if true and most < PLANTED_SHOWS:
            unclear += true
        if not true and most > OTHERS_SHOW:
            unclear += names
    return tuple(unclear)
