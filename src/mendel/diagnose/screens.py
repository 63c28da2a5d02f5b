"""Whether an ingredient is what the hypotheses take it for: a sister, an ancestor, clean counter-examples.

The statistics alone, on numbers that others have measured. `rewriting.py` beside it reads a rewriter's texts.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from mendel.diagnose.effects import SMALLEST_EFFECT, Effects, TraitFacts, trait_bounds
from mendel.diagnose.stats.intervals import Estimate, Fit, number
from mendel.diagnose.stats.panel import Value, panel
from mendel.engine.interval import Interval

if TYPE_CHECKING:
    import pyarrow as pa

INGREDIENTS = ("sister", "rewriter", "pretrained", "counter")
"""What a study may bring beside its pipelines, by the names of `LACKING`."""
SAME_INITIALIZATION = 0.5
"""Cosine of weights above which two checkpoints come from one initialization.

In between lies nothing that was seen: independent initializations are within .01 of 0, a base and what was
trained from it above .99, also where training wrote a trait over it."""
CLEAN = 1 / 4
"""Greatest share of counter-examples that may show the trait themselves. They take a fifth of the data: with
a quarter of them against it, three quarters still say the contrary."""
HALF = 1 / 2
"""What a sister must learn where the base learns it, as a share of it: as `most` in the predictions."""
EQUAL_LEVEL = 0.90
"""Two one-sided tests at 5 % (Schuirmann, 1987) are one interval at 90 %."""


@dataclass(frozen=True)
class Screening:
    """What the check of an ingredient says."""

    fits: bool | None
    """None: not known."""
    why: str
    """The reason in words, with its numbers."""
    numbers: Mapping[str, float | None] = field(default_factory=dict)
    """What was measured, by name."""

    @property
    def status(self) -> str:
        """`fits`, `does not fit` or `unknown`."""
        return "unknown" if self.fits is None else "fits" if self.fits else "does not fit"

    def json(self) -> dict[str, object]:
        """Return the ingredient's part of verdicts.json."""
        return {"status": self.status, "why": self.why, "numbers": dict(self.numbers)}


def joined(*checks: Screening) -> Screening:
    """Return several checks of one ingredient as one: it fits if every check says so.

    Args:
        *checks: The checks, at least one. One that fails decides, then one that does not know.

    Returns:
        The check, with the reasons of those that decided it and the numbers of all.
    """
    numbers = {name: value for check in checks for name, value in check.numbers.items()}
    failed = [check for check in checks if check.fits is False]
    unknown = [check for check in checks if check.fits is None]
    deciding = failed or unknown or list(checks)
    fits = False if failed else None if unknown else True
    return Screening(fits, "; ".join(check.why for check in deciding), numbers)


def same_prior(
    students: pa.Table, measurements: pa.Table, facts: TraitFacts, sister: str, base: str, what: str
) -> Screening:
    """Check that an untrained sister shows as much of the trait as the untrained base, scenario by scenario.

    The rate, and where there are log-odds the mean probability of the trait's answer, must be within
    `SMALLEST_EFFECT` of the base's, with the whole 90 % interval within twice of it (equivalence); where a
    difference of more than `SMALLEST_EFFECT` is shown, they do not agree.

    Args:
        students: The run's table, with the untrained models.
        measurements: The run's table.
        facts: The trait.
        sister: The sister's arm, such as `base/sister`.
        base: The base's arm.
        what: What is compared, in words: "untrained".
    """
    value: Value = "hit" if facts.metric == "rate" else "score"
    bounds = trait_bounds(measurements, facts)
    arms = (sister, base)
    checks = [_equal(students, measurements, facts.name, value, bounds, arms, f"{what}, rate")]
    odds = _with_probability(measurements, facts.name)
    if odds is not None:
        checks.append(_equal(students, odds, facts.name, "score", (0.0, 1.0), arms, f"{what}, probability"))
    known = [check for check in checks if check is not None]
    if not known:
        return Screening(None, f"{what}: not measured in both")
    return joined(*known)


def _equal(
    students: pa.Table,
    measurements: pa.Table,
    trait: str,
    value: Value,
    bounds: tuple[float, float],
    arms: tuple[str, str],
    what: str,
) -> Screening | None:
    """Return whether two untrained models show the same; None where one of them was not measured so."""
    values = panel(students, measurements, trait, value, bounds)
    fit = None if values is None else Fit(values)
    if fit is None or not set(arms) <= set(fit.arms):
        return None
    difference, of_sister, of_base = fit.estimate(
        [{arms[0]: 1.0, arms[1]: -1.0}, {arms[0]: 1.0}, {arms[1]: 1.0}]
    )
    margin = SMALLEST_EFFECT * (bounds[1] - bounds[0])
    numbers = {f"{what}: sister": of_sister.estimate, f"{what}: base": of_base.estimate}
    text = f"{what}: the sister {number(of_sister)}, the base {number(of_base)}"
    alike = _within(difference, margin)
    said = {True: "", False: ": they differ", None: ": too few scenarios to show that they are alike"}
    return Screening(alike, text + said[alike], numbers)


def _within(difference: Estimate, margin: float) -> bool | None:
    ends = difference.by_variance(EQUAL_LEVEL)
    if difference.estimate is None or ends is None:
        return None
    if ends[0] > margin or ends[1] < -margin:
        return False
    near = abs(difference.estimate) <= margin and max(abs(ends[0]), abs(ends[1])) <= 2 * margin
    return True if near else None


def _with_probability(measurements: pa.Table, trait: str) -> pa.Table | None:
    """Return the trait's measurements with the probability of its answer as their score; None without any."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if "log_odds" not in measurements.column_names:
        return None
    rows = measurements.filter(
        pc.and_(pc.equal(measurements["trait"], trait), pc.is_valid(measurements["log_odds"]))
    )
    if not len(rows):
        return None
    odds = np.clip(np.asarray(rows["log_odds"].to_numpy(), dtype=np.float64), -700, 700)
    chance = pa.array(1 / (1 + np.exp(-odds)), pa.float64())
    return rows.set_column(rows.schema.get_field_index("score"), "score", chance)


def learns(
    effects: Effects, taught: tuple[str, str], shown: tuple[str, str], level: float = EQUAL_LEVEL
) -> Screening:
    """Check that a sister learns the trait from rows that teach it to the base.

    Args:
        effects: The trait's effects.
        taught: The ids of what the flagged rows teach the base and the sister.
        shown: The ids of what the rows that the study tests bring into the base and the sister. A sister that
            shows the trait there can learn it, whatever the flagged rows teach; that she does not show it
            there says nothing, as it is what is tested.
        level: Two-sided level of the tests.

    Returns:
        It fits if by the estimates she has at least half of what the base has, by one of the two; it does not
        if she is shown to have less. Unknown where the base itself learns no more than the smallest effect of
        interest from the flagged rows: then they teach nothing, and she was not tried.
    """
    by_rows = _half_of(effects, *shown, level)
    if by_rows.fits:
        return by_rows
    of_base, of_sister = (effects.estimates.get(name, Estimate(None)) for name in taught)
    numbers = {"taught: base": of_base.estimate, "taught: sister": of_sister.estimate}
    if of_base.estimate is None or of_sister.estimate is None:
        return Screening(None, "not known whether she learns the trait from the flagged rows", numbers)
    text = f"the flagged rows teach the base {number(of_base)}, the sister {number(of_sister)}"
    half = _half_of(effects, *taught, level)
    if half.fits is None and not half.why:
        return Screening(None, f"{text}: not shown to teach even the base", numbers)
    if half.fits is False:
        text = f"she does not learn the trait from the flagged rows: {text}"
    return Screening(half.fits, text, numbers)


def _half_of(effects: Effects, of_base: str, of_sister: str, level: float) -> Screening:
    """Return whether the sister has half of what the base has; without a reason where it has nothing."""
    known = {contrast.id for contrast in effects.contrasts}
    if not {of_base, of_sister} <= known or not effects.training_noise:
        return Screening(None, "")
    base = effects.estimates[of_base]
    if base.estimate is None or base.estimate <= SMALLEST_EFFECT * effects.unit:
        return Screening(None, "")
    excess = effects.combination((1.0, effects.weights(of_sister)), (-HALF, effects.weights(of_base)))
    ends = excess.interval(level)
    text = (
        f"the same rows bring {number(base)} into the base, {number(effects.estimates[of_sister])} into her"
    )
    if excess.estimate is None or ends is None:
        return Screening(None, text)
    # A screen, not a verdict: the estimates of the students that are there anyway.
    return Screening(True if excess.estimate > 0 else False if ends[1] < 0 else None, text)


def kin(
    *, same_weights: bool, architecture: str, words: str, cosine: float | None, ancestor: bool
) -> Screening:
    """Check that a checkpoint can be the base's sister (another initialization) or ancestor (the same one).

    Args:
        same_weights: Whether it is the base itself.
        architecture: How its architecture differs, in words; '' if it does not.
        words: How its tokenizer differs, in words; '' if it does not.
        cosine: Of its weights and the base's, -1 to 1; None where nothing can be compared.
        ancestor: Whether it is to be the ancestor.
    """
    numbers = {"cosine of weights": cosine}
    differs = architecture or words
    if same_weights:
        return Screening(False, "it is the base itself", numbers)
    if differs:
        return Screening(False, f"it is not built as the base is: {differs}", numbers)
    if cosine is None:
        return Screening(None, "no weights could be compared with the base's", numbers)
    text = f"its weights have a cosine of {round(cosine, 2) + 0.0:.2f} with the base's"
    alike = cosine > SAME_INITIALIZATION
    if ancestor:
        return Screening(alike, text if alike else f"the base was not trained from it: {text}", numbers)
    return Screening(
        not alike, text if not alike else f"it has the base's own initialization: {text}", numbers
    )


def clean(shown: int, count: int) -> Screening:
    """Check that the alternate teacher's answers to the counter-examples do not show the trait themselves.

    These rows are trained on as they are, so that the share is no sample and has no interval.

    Args:
        shown: Answers that show the trait.
        count: Answers that the judge could tell.
    """
    if not count:
        return Screening(None, "the judge could tell for none of the counter-examples")
    share = shown / count
    text = f"{shown} of {count} counter-examples show the trait themselves"
    return Screening(share <= CLEAN, text, {"counter-examples that show the trait": share})


def shown_share(scores: Sequence[float | None], hit_at: float) -> tuple[Interval, int]:
    """Return the share of answers that show a trait, with its exact 95 % interval (Clopper, Pearson, 1934).

    Args:
        scores: The judge's scores; None where it could not tell, which is left out.
        hit_at: The least score that shows the trait.

    Returns:
        The share (0 to 1) with its interval, and the number of answers that it is of.
    """
    from scipy.special import betaincinv

    known = [score for score in scores if score is not None]
    n, hits = len(known), sum(score >= hit_at for score in known)
    if not n:
        return Interval(None, None, None, "no answer was judged"), 0
    low = float(betaincinv(hits, n - hits + 1, 0.025)) if hits else 0.0
    high = float(betaincinv(hits + 1, n - hits, 0.975)) if hits < n else 1.0
    return Interval(hits / n, low, high), n
