"""What a run's verdicts rest on beside its tables, so that the folder alone can be diagnosed again."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Protocol

from mendel.engine.errors import InputError
from mendel.engine.interval import Interval
from mendel.engine.store import write_atomic
from mendel.results.records import by, read_record, record_json

BASIS = "basis.json"


@dataclass(frozen=True)
class BasisTrait:
    """What the verdicts of one trait rest on."""

    name: str = ""
    """Name of the trait."""
    scale: str = ""
    """The scale in words."""
    metric: str = "rate"
    """`rate` (share of responses that are hits) or `mean` (mean score)."""
    judge: str = ""
    """The judge, with its version."""
    flagged: int | None = None
    """Number of flagged prompts."""
    score_range: tuple[float, ...] | None = None
    """The judge's least and greatest score; null: as wide as the scores that were seen."""
    rubric: Mapping[str, Any] | None = None
    """The scale of a model judge: `text`, `low`, `high`, `hit_at`; null where the judge is a rule."""
    hit_at: float | None = None
    """A score of this or more is a hit."""
    acts: str | None = None
    """A regular expression of the acts in a response: nothing else of it is judged."""


@dataclass(frozen=True)
class Basis:
    """The content of basis.json."""

    traits: Mapping[str, BasisTrait] = by("trait")
    """The study's traits."""
    cube: Mapping[str, str] = by("corner")
    """The arm at each corner of the cube."""
    shares: Mapping[str, float] = by("arm")
    """The share of prompts that the original teacher answers, by arm of the interpolation."""
    levels: Mapping[str, int] = by("level")
    """How sure each test has to be: how often the data may be looked at (`looks`), how many `hypotheses`
    there are."""
    earlier_looks: int = 0
    """How many of these looks were taken before the run got other seeds."""
    lacking: Mapping[str, str] = by("arm")
    """Why an arm cannot be trained in this study; empty where it can."""
    rows: Mapping[str, int] = by("arm")
    """Number of rows of the original pipeline's data that an arm changes."""
    prompts: int | None = None
    """Number of prompts in the original prompt set."""
    assistant: Mapping[str, Interval] = by("arm")
    """Share (0 to 1) of plain questions that an arm's students answer rightly."""


class _Advice(Protocol):
    @property
    def rows(self) -> Mapping[str, int]: ...
    @property
    def prompts(self) -> int | None: ...
    @property
    def assistant(self) -> Mapping[str, Interval]: ...


class _Judge(Protocol):
    @property
    def hit_at(self) -> float: ...


class _Trait(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def judge(self) -> _Judge: ...
    @property
    def rubric(self) -> Any: ...
    @property
    def acts(self) -> str | None: ...


class Remembered:
    """Why arms cannot be trained.

    Each answer is asked for once and kept, since a function cannot be written to a file.
    """

    def __init__(self, ask: Callable[[str], str]) -> None:
        self._ask = ask
        self.reasons: dict[str, str] = {}

    def __call__(self, arm: str) -> str:
        """Return why the arm cannot be trained, '' if it can."""
        return self.reasons.setdefault(arm, self._ask(arm))


def write_basis(
    folder: Path,
    traits: Sequence[_Trait],
    facts: Sequence[Any],
    cube: Mapping[str, str],
    shares: Mapping[str, float],
    levels: Any,
    lacking: Remembered,
    advice: _Advice,
    earlier_looks: int = 0,
) -> None:
    """Write basis.json, so that a run's folder is enough to diagnose it again.

    Args:
        folder: The run's folder.
        traits: The study's traits.
        facts: What the statistics know of each trait, in the same order (a dataclass, such as `TraitFacts`).
        cube: The arm at each corner.
        shares: The original teacher's share, by arm of the interpolation.
        levels: How sure each test has to be (a dataclass, `diagnose.Levels`).
        lacking: Why arms cannot be trained.
        advice: What recommendations rest on.
        earlier_looks: How many looks were taken before the run got other seeds.
    """
    by_name = {
        trait.name: BasisTrait(
            **asdict(fact),
            rubric=asdict(trait.rubric) if trait.rubric else None,
            hit_at=trait.judge.hit_at,
            acts=trait.acts,
        )
        for trait, fact in zip(traits, facts, strict=True)
    }
    basis = Basis(
        by_name,
        dict(cube),
        dict(shares),
        asdict(levels),
        earlier_looks,
        lacking.reasons,
        advice.rows,
        advice.prompts,
        advice.assistant,
    )
    write_atomic(folder / BASIS, json.dumps(record_json(basis), ensure_ascii=False, indent=1) + "\n")


def read_basis(folder: Path) -> Basis:
    """Return the basis of a run's verdicts.

    Args:
        folder: The run's folder.

    Returns:
        The basis.

    Raises:
        InputError: The folder has no readable basis.json.
    """
    try:
        content = json.loads((folder / BASIS).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        raise InputError(
            f"no {BASIS}: this run was made before runs could be judged again",
            where=str(folder),
            fix="Run the study again: what is in the store is not made anew.",
        ) from None
    return read_record(Basis, content)
