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
from mendel.diagnose.remedies.prior import BesidePrior, Prior, beside_prior, prior_of
from mendel.diagnose.remedies.registry import Remedy, all_remedies
from mendel.diagnose.sentences import say
from mendel.diagnose.stats.intervals import Estimate, number
from mendel.engine.interval import Interval
from mendel.study.cube import ORIGINAL

Answer = Literal["yes", "no", "undecided"]
State = Literal["difference", "shared", "absent", "undecided"]
"""What is shown of the trait in the two pipelines."""

MOST = 1 / 2
"""A remedy helps if it is shown to take away more than this share of the difference between the pipelines:
beyond its random control, where it declares one.
"""
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
    raised: Mapping[str, Estimate] = field(default_factory=dict)
    """By rung: how much its students show where that is shown to be more than in the original pipeline."""


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
    to. With a random control it is what it takes beyond that; without a usable one it is undecided.
    """
    takes: Estimate
    """What it takes away, beyond its random control where it declares one."""
    beside_prior: BesidePrior
    """What it leaves, beside what is there where the situation was never answered; for edits only."""
    left: Estimate
    """How much of the trait its students show, on the trait's scale."""
    control: Estimate | None
    """The same for its random control."""
    on_ladder: OnLadder
    assistant: Interval
    rows: int | None

    @property
    def leaks(self) -> bool:
        """Whether it is shown to remove the trait only near to what the filter saw, or to raise it on a
        rung.
        """
        return self.on_ladder.verdict == LEAKS or bool(self.on_ladder.raised)

    @property
    def elsewhere(self) -> str:
        """What a leaking remedy does far from the filter, as a clause."""
        ladder = self.on_ladder
        if ladder.raised:
            rungs = ", ".join(f"{rung} ({number(level)})" for rung, level in ladder.raised.items())
            return f"raises it above the original pipeline on {rungs}"
        return "leaves it elsewhere"

    def json(self) -> dict[str, object]:
        """Return the option as `verdicts.json` has it."""
        return {
            "name": self.remedy.name,
            "says": self.says,
            "costs": self.costs,
            "takes_most": self.takes_most,
            "takes": self.takes.json(),
            "beside_prior": self.beside_prior.against,
            "prior_why": self.beside_prior.why,
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
    """All remedies that were measured, the smallest change first; none where no difference is shown."""
    prior: Prior | None = None
    """What students show for which the situation was never answered; None where no difference is shown."""

    def json(self) -> dict[str, object]:
        """Return the key `recommendation` of a trait in `verdicts.json`."""
        return {
            "filtering_helps": self.filtering_helps,
            "filtering_why": self.filtering_why,
            "remedy": self.remedy,
            "complete": self.complete,
            "why": self.why,
            "options": [option.json() for option in self.options],
            **({} if self.prior is None else {"prior": self.prior.json()}),
        }


def recommend(
    effects: Effects, state: State, carrier: str, facts: RemedyFacts | None = None
) -> Recommendation:
    """Decide what to do about a trait, from what was measured.

    The smallest change is the first edit (drop before swap, then those of other packages) that is shown to
    take more than half of the difference between the pipelines away, unless the ladder shows that it leaks or
    raises the trait. The most complete change is that of the part that carries the trait, or, where none is
    named, of a part whose change is shown to take most of it away. What was not measured is not recommended.

    "Shown" is one test: what the edit takes away beyond its random control, minus half of the difference, as
    one contrast, whose 95 % interval (see `mendel.diagnose.stats.intervals`) lies above 0. Below 0 it is
    shown not to help. With one seed an arm nothing is shown, nor where a control that the remedy declares has
    no usable student.

    Args:
        effects: The trait's effects.
        state: What is shown of the trait in the two pipelines.
        carrier: The part that carries it, or another word.
        facts: What is known beside the effects; None: nothing.

    Returns:
        The recommendation.

    Raises:
        InputError: A package's remedies cannot be loaded.
    """
    if effects.estimates[TOTAL].estimate is None:
        why = say("advice-unmeasured").text
        return Recommendation("undecided", why, why)
    if state != "difference":
        why = _without_difference(effects, state)
        return Recommendation("undecided", why, why)
    prior = prior_of(effects)
    options = tuple(_options(effects, facts or RemedyFacts(), prior))
    helping = [option for option in options if option.remedy.part is None and option.takes_most == "yes"]
    smallest = next((option for option in helping if not option.leaks), None)
    parts = [option for option in options if option.remedy.part is not None]
    # Without a carrier, any part whose change is shown to take most of it away will do.
    complete = next(
        (option for option in parts if option.remedy.part == carrier),
        next((option for option in parts if option.takes_most == "yes"), None),
    )
    chosen = smallest or complete
    return Recommendation(
        *_filtering(options, effects.estimates[TOTAL]),
        why=_why(options, smallest, complete),
        remedy=chosen.remedy.name if chosen else None,
        complete=complete.remedy.name if smallest and complete else None,
        options=options,
        prior=prior,
    )


def _without_difference(effects: Effects, state: State) -> str:
    """Say why there is nothing to choose from."""
    unmeasured = Estimate(None, why="no such arm")
    original, alternate = (
        number(effects.levels.get(effects.cube[corner], unmeasured)) for corner in ("OOO", "AAA")
    )
    return say(f"advice-{state}", original=original, alternate=alternate).text


def _options(effects: Effects, facts: RemedyFacts, prior: Prior) -> Iterator[Option]:
    original = effects.cube[ORIGINAL]
    for remedy in all_remedies():
        arm = remedy.trait_arm(effects.trait, effects.cube)
        # A change of a part that the pipelines share is no change.
        if arm == original or not effects.counts.get(arm):
            continue
        left, rows = effects.levels[arm], facts.rows.get(arm)
        control = remedy.control_arm(effects.trait, effects.cube)
        taken = merge([(control or original, 1.0), (arm, -1.0)])
        does = " ".join(remedy.does.format(**_numbers(rows, facts.prompts)).split())
        yield Option(
            remedy,
            says=f"{does}: {number(left)} is left.",
            costs=" ".join(_costs(remedy, rows, arm, original, facts)),
            takes_most=_takes_most(effects, taken),
            takes=effects.combination((1.0, taken)),
            beside_prior=BesidePrior() if remedy.part else beside_prior(effects, remedy.name, arm, prior),
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


_BESIDE_HALF: Mapping[Answer, str] = {
    "yes": "more than half of",
    "no": "less than half of",
    "undecided": "neither shown to be more nor less than half of",
}


def _filtering(options: tuple[Option, ...], total: Estimate) -> tuple[Answer, str]:
    drop = next((option for option in options if option.remedy.name == DROP.name), None)
    if drop is None:
        return "undecided", "Not measured: the drop of the flagged prompts has no usable student."
    count = f"{drop.rows:,} " if drop.rows is not None else ""
    left, prior = f"{number(drop.left)} is left", f" {drop.beside_prior.why}".rstrip()
    if drop.takes.estimate is None:
        why = f"with the {count}flagged prompts dropped, {left}, and what dropping as many random ones leaves"
        return "undecided", f"Not decided: {why} is not known ({drop.takes.why}).{prior}"
    taken = (
        f"dropping the {count}flagged prompts takes {number(drop.takes)} away beyond dropping as many random "
        f"ones, {_BESIDE_HALF[drop.takes_most]} the difference between the pipelines ({number(total)})"
    )
    if drop.takes_most == "yes" and drop.leaks:
        far = drop.on_ladder.far
        beyond = drop.elsewhere if drop.on_ladder.raised else f"leaves {number(far)}"
        return (
            "no",
            f"No: {taken}, where the filter looked; {left} there, but far from it it {beyond}.{prior}",
        )
    return drop.takes_most, f"{_SAYS[drop.takes_most]}: {taken}; {left}.{prior}"


def _why(options: tuple[Option, ...], smallest: Option | None, complete: Option | None) -> str:
    """Say what to do: the smaller change if one is shown to help, else the complete one, else that nothing is
    shown to.
    """
    edits = [option for option in options if option.remedy.part is None]
    leaky = [option for option in edits if option.takes_most == "yes" and option.leaks]
    warned = "".join(
        f" ({option.remedy.name} is not enough: it removes the trait where the filter looked, and "
        f"{option.elsewhere}.)"
        for option in leaky
    )
    if smallest:
        # What the drop leaves is said where it is said whether filtering helps.
        prior = "" if smallest.remedy.name == DROP.name else f" {smallest.beside_prior.why}".rstrip()
        return f"{smallest.says}{prior}{warned}"
    if complete:
        shown = "" if complete.takes_most == "yes" else " It is not shown to take more than half of it away."
        tail = " No edit of the flagged prompts is shown to take more than half of it away."
        return f"{complete.says}{shown}{tail if edits and not leaky else ''}{warned}"
    return f"No measured change is shown to take most of it away.{warned}"
