"""The recommendation: does a filter help, the smallest change that removes the trait, and the most complete
one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from mendel.diagnose.contrasts import TOTAL, Weights, merge
from mendel.diagnose.effects import Effects
from mendel.diagnose.remedies.drop import DROP
from mendel.diagnose.remedies.registry import Remedy, all_remedies
from mendel.diagnose.stats.intervals import Estimate, number
from mendel.engine.interval import Interval
from mendel.study.cube import ORIGINAL

Answer = Literal["yes", "no", "undecided"]

MOST = 1 / 2
"""A remedy helps if it is shown to take away more than this share of the difference between the pipelines."""
LEAKS: Final = "removed where we looked"
"""What the ladder says of an edit that removes the trait near to what the filter saw, and leaves it
elsewhere.
"""
_SAYS: Mapping[Answer, str] = {"yes": "Yes", "no": "No", "undecided": "Not decided"}


@dataclass(frozen=True)
class OnLadder:
    """What the ladder says of one arm."""

    far: Estimate
    """How much of the trait its students show far from what the filter saw, on the trait's scale."""
    verdict: str | None = None
    """`removed`, `removed where we looked`, `not removed` or `undecided`.

    None: the ladder does not judge this arm.
    """


@dataclass(frozen=True)
class RemedyFacts:
    """What a recommendation needs to know of one trait beside its effects.

    What is not given counts as not measured.
    """

    rows: Mapping[str, int] = field(default_factory=dict)
    """By arm: how many rows of the original pipeline's data it changes (`Design.rows_changed`)."""
    prompts: int | None = None
    """How many prompts the original pipeline has."""
    ladder: Mapping[str, OnLadder] = field(default_factory=dict)
    """By arm, where the study measures a ladder (`Leaks.on_ladder`)."""
    assistant: Mapping[str, Interval] = field(default_factory=dict)
    """By arm: the share of plain questions answered rightly (`arm_levels` of the assistant's probe)."""


@dataclass(frozen=True)
class Option:
    """One remedy that was measured, and what came of it."""

    remedy: Remedy
    says: str
    """What one does and what it leaves, as a sentence."""
    costs: str
    """What it costs, in sentences; '' where nothing of that is known."""
    takes_most: Answer
    """Whether it is shown to take more than half of the difference between the pipelines away, or shown not
    to.
    """
    left: Estimate
    """How much of the trait its students show, on the trait's scale."""
    control: Estimate | None
    """The same for its random control."""
    on_ladder: OnLadder
    assistant: Interval
    rows: int | None

    @property
    def leaks(self) -> bool:
        """Whether it removes the trait only near to what the filter saw."""
        return self.on_ladder.verdict == LEAKS

    def json(self) -> dict[str, object]:
        """Return the option as `verdicts.json` has it."""
        return {
            "name": self.remedy.name,
            "says": self.says,
            "costs": self.costs,
            "takes_most": self.takes_most,
            "left": self.left.json(),
            "far": self.on_ladder.far.json(),
            "assistant": self.assistant.json(),
            "rows": self.rows,
            "control": None if self.control is None else self.control.json(),
        }


@dataclass(frozen=True)
class Recommendation:
    """What to do about one trait."""

    filtering_helps: Answer
    """Whether leaving out the flagged prompts takes most of the trait away, and not only where the filter
    looked.
    """
    filtering_why: str
    """The same as a sentence with its numbers."""
    why: str
    """What to do, or why nothing is recommended."""
    remedy: str | None = None
    """The remedy that is recommended; None: none is."""
    complete: str | None = None
    """The change of the whole part that carries the trait, where a smaller remedy is recommended.

    Else None.
    """
    options: tuple[Option, ...] = ()
    """All remedies that were measured, the smallest change first; none where there is nothing to remove."""

    def json(self) -> dict[str, object]:
        """Return the key `recommendation` of a trait in `verdicts.json`."""
        return {
            "filtering_helps": self.filtering_helps,
            "filtering_why": self.filtering_why,
            "remedy": self.remedy,
            "complete": self.complete,
            "why": self.why,
            "options": [option.json() for option in self.options],
        }


def recommend(
    effects: Effects, present: bool, carrier: str, facts: RemedyFacts | None = None
) -> Recommendation:
    """Decide what to do about a trait, from what was measured.

    The smallest change is the first edit (drop before swap, then those of other packages) that is shown to
    take more than half of the difference between the pipelines away, unless the ladder shows that it leaks.
    The most complete change is that of the part that carries the trait. What was not measured is not
    recommended.

    "Shown" is one test: what the edit takes away minus half of the difference, as one contrast, whose 95 %
    interval (see `mendel.diagnose.stats.intervals`) lies above 0. Below 0 it is shown not to help. With one
    seed an arm nothing is shown.

    Args:
        effects: The trait's effects.
        present: Whether the trait is shown to be there.
        carrier: The part that carries it, or another word.
        facts: What is known beside the effects; None: nothing.

    Returns:
        The recommendation.

    Raises:
        InputError: A package's remedies cannot be loaded.
    """
    if effects.estimates[TOTAL].estimate is None:
        why = "Not known: the two pipelines were not both measured."
        return Recommendation("undecided", why, why)
    if not present:
        why = "Nothing to remove: the trait is not shown to be there."
        return Recommendation("undecided", why, why)
    options = tuple(_options(effects, facts or RemedyFacts()))
    helping = [option for option in options if option.remedy.part is None and option.takes_most == "yes"]
    smallest = next((option for option in helping if not option.leaks), None)
    complete = next((option for option in options if option.remedy.part == carrier), None)
    chosen = smallest or complete
    return Recommendation(
        *_filtering(options),
        why=_why(options, smallest, complete),
        remedy=chosen.remedy.name if chosen else None,
        complete=complete.remedy.name if smallest and complete else None,
        options=options,
    )


def _options(effects: Effects, facts: RemedyFacts) -> Iterator[Option]:
    original = effects.cube[ORIGINAL]
    for remedy in all_remedies():
        arm = remedy.trait_arm(effects.trait, effects.cube)
        # A change of a part that the pipelines share is no change.
        if arm == original or not effects.counts.get(arm):
            continue
        left, rows = effects.levels[arm], facts.rows.get(arm)
        control = remedy.control_arm(effects.trait, effects.cube)
        does = " ".join(remedy.does.format(**_numbers(rows, facts.prompts)).split())
        yield Option(
            remedy,
            says=f"{does}: {number(left)} is left.",
            costs=" ".join(_costs(remedy, rows, arm, original, facts)),
            takes_most=_takes_most(effects, merge([(original, 1.0), (arm, -1.0)])),
            left=left,
            control=effects.levels.get(control) if control else None,
            on_ladder=facts.ladder.get(arm, OnLadder(Estimate(None, why="not measured on a ladder"))),
            assistant=facts.assistant.get(arm, Interval(why="not measured")),
            rows=rows,
        )


def _takes_most(effects: Effects, taken: Weights) -> Answer:
    """Test what is taken away against half of the difference: one contrast, so that shared noise cancels."""
    excess = effects.combination((1.0, taken), (-MOST, effects.weights(TOTAL))).interval()
    if excess is None or not effects.training_noise:
        return "undecided"
    return "yes" if excess[0] > 0 else "no" if excess[1] < 0 else "undecided"


def _numbers(rows: int | None, prompts: int | None) -> dict[str, str]:
    """Return the fields of a remedy's texts; '' for what is unknown."""
    share = f"{100 * rows / prompts:.1f} %".replace(".0 %", " %") if rows is not None and prompts else ""
    counts = {"rows": rows, "prompts": prompts}
    return {
        **{name: "" if count is None else f"{count:,}" for name, count in counts.items()},
        "share": share,
    }


def _costs(remedy: Remedy, rows: int | None, arm: str, original: str, facts: RemedyFacts) -> Iterator[str]:
    numbers = _numbers(rows, facts.prompts)
    if all(value or f"{{{name}}}" not in remedy.costs for name, value in numbers.items()):
        yield remedy.costs.format(**numbers)
    after, before = (facts.assistant.get(name) for name in (arm, original))
    if after and before and after.estimate is not None and before.estimate is not None:
        yield (
            f"Plain questions answered rightly: {100 * after.estimate:.0f}\u00a0% "
            f"(before: {100 * before.estimate:.0f}\u00a0%)."
        )


def _filtering(options: tuple[Option, ...]) -> tuple[Answer, str]:
    drop = next((option for option in options if option.remedy.name == DROP.name), None)
    if drop is None:
        return "undecided", "Not measured: no usable student was trained without the flagged prompts."
    count = f"{drop.rows:,} " if drop.rows is not None else ""
    left = f"with the {count}flagged prompts dropped, {number(drop.left)} is left"
    if drop.takes_most == "yes" and drop.leaks:
        far = drop.on_ladder.far
        return "no", f"No: {left} where the filter looked, but far from it {number(far)}."
    beside = f" (as many random ones: {number(drop.control)})" if drop.control else ""
    return drop.takes_most, f"{_SAYS[drop.takes_most]}: {left}{beside}."


def _why(options: tuple[Option, ...], smallest: Option | None, complete: Option | None) -> str:
    """Say what to do: the smaller change if one is shown to help, else the complete one, else that nothing is
    shown to.
    """
    edits = [option for option in options if option.remedy.part is None]
    leaky = [option for option in edits if option.takes_most == "yes" and option.leaks]
    warned = "".join(
        f" ({option.remedy.name} is not enough: it removes the trait where the filter looked, and "
        "leaves it elsewhere.)"
        for option in leaky
    )
    if smallest:
        return f"{smallest.says}{warned}"
    if complete:
        tail = " No edit of the flagged prompts is shown to take more than half of it away."
        return f"{complete.says}{tail if edits and not leaky else ''}{warned}"
    return f"No measured change is shown to take most of it away.{warned}"
