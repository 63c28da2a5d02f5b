"""What a design asks for: the first students, and then those that can still change a verdict.

The order is that in which students decide soonest:

1. a few students of the two pipelines: is there a difference?
2. one look at every arm that locates the trait or that a hypothesis predicts, with the same few seeds;
3. more seeds for the arms of the hypotheses that nothing speaks against, as many as would decide them;
4. what goes when a located part is taken out, and more seeds for the location;
5. where the study asks for robustness, the arms that decided once more, under other recipes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from mendel.design.arms import EDITS
from mendel.design.catalogue import Catalogue
from mendel.design.names import trait_arm
from mendel.design.shared import VARIANTS
from mendel.diagnose.carrier import MOST_OF_IT
from mendel.diagnose.contrasts import TOTAL, Weights, combine
from mendel.diagnose.effects import SMALLEST_EFFECT
from mendel.diagnose.findings import Checked, Finding, Levels
from mendel.diagnose.hypotheses import MOST
from mendel.diagnose.location import COMBINATION, LOCATED, PLACES
from mendel.diagnose.reached import Verdict
from mendel.diagnose.remedies import edited_kinds
from mendel.diagnose.robustness import FEWEST_SEEDS, most_repeated, variant_arms
from mendel.diagnose.seeds import OpenTest, deciding_seeds
from mendel.diagnose.state import AGREE, half_as_much
from mendel.study.cube import ALTERNATE, ORIGINAL

FIXED = ("effects", "grid")
"""Designs that look once."""
DECIDING_SEEDS = 12
"""Most students of an arm that decides a verdict, where the study sets no `max_seeds`. Eight that agree just
show that most of the trait is there; with twelve nearly all clear causes are named
(docs/decisions/009-agreement.md)."""
DISAGREE = 2
"""More students for an arm of a prediction that students who agree with those so far would not decide."""

Wanted = Mapping[str, int]


@dataclass(frozen=True)
class Request:
    """Students to train next: arms with the number of seeds that each shall have, and why."""

    arms: Mapping[str, int]
    why: str


def seed_limit(catalogue: Catalogue) -> int:
    """Return the largest number of students that an arm may get."""
    config = catalogue.config
    if config.design in FIXED:
        return config.seeds
    # With one seed the noise of training is unknown, which is said and not mended.
    automatic = max(config.seeds, DECIDING_SEEDS) if config.seeds > 1 else 1
    return config.max_seeds or automatic


def looks(catalogue: Catalogue) -> int:
    """Return how often a verdict can be reached: with the first seeds, and once with those that decide.

    What comes after is for other tests, or for the same one with the few seeds that were still missing.
    """
    return 1 if seed_limit(catalogue) == catalogue.config.seeds else 2


def first_request(catalogue: Catalogue) -> Request:
    """Return the students that are trained before anything is known.

    Args:
        catalogue: The arms that the study can have.

    Returns:
        For `grid` every arm; for `standard` and `effects` the cube, the edits, the interpolation and the arms
        of remedies that other packages bring; for `adaptive` the two pipelines.

    Raises:
        InputError: A package's remedies cannot be loaded.
    """
    seeds = catalogue.config.seeds
    if catalogue.config.design == "grid":
        return Request(dict.fromkeys(catalogue.grid(), seeds), "every arm")
    if catalogue.config.design in ("standard", "effects"):
        arms = [*catalogue.standard(), *_remedy_arms(catalogue)]
        return Request(dict.fromkeys(arms, seeds), "the cube, the edits, the interpolation")
    ends = (catalogue.cube[ORIGINAL], catalogue.cube[ALTERNATE])
    return Request(dict.fromkeys(ends, seeds), "is there a difference?")


def _remedy_arms(catalogue: Catalogue) -> list[str]:
    """Return the arms of remedies and of their random controls that are beyond the standard ones and can be
    made.
    """
    kinds = [kind for pair in edited_kinds().items() for kind in pair if kind and kind not in EDITS]
    arms = [trait_arm(kind, trait) for trait in catalogue.materials for kind in dict.fromkeys(kinds)]
    return [arm for arm in arms if not catalogue.lacking(arm)]


def most_students(catalogue: Catalogue) -> int:
    """Return how many students the design can have at most: every arm, with all the seeds that it may get."""
    config = catalogue.config
    fixed = config.design in FIXED
    arms = [*first_request(catalogue).arms] if fixed else catalogue.grid()
    repeated = min(len(arms), most_repeated(len(catalogue.materials))) if config.robustness else 0
    again = len(VARIANTS) * repeated * max(config.seeds, FEWEST_SEEDS)
    return len(arms) * (config.seeds if fixed else seed_limit(catalogue)) + again


def next_request(
    catalogue: Catalogue, trained: Mapping[str, int], verdicts: Mapping[str, Verdict], levels: Levels
) -> Request | None:
    """Return the students that can still change the verdict of any trait.

    Args:
        catalogue: The arms that the study can have.
        trained: The number of seeds that each arm has.
        verdicts: The verdict of each trait, from the students so far.
        levels: How sure each test has to be.

    Returns:
        Arms with the number of seeds that each shall have; None: no student can change a verdict.
    """
    stages: tuple[tuple[str, Callable[[_TraitRequests], Wanted]], ...] = (
        ("a difference", _TraitRequests.ends),
        ("new arms", _TraitRequests.screening),
        ("seeds that decide", _TraitRequests.deciding),
        ("where it sits", _TraitRequests.locating),
        ("other recipes", _TraitRequests.repeating),
    )
    for what, stage in stages[-1:] if catalogue.config.design in FIXED else stages:
        wanted: dict[str, int] = {}
        reasons = []
        for name, verdict in verdicts.items():
            more = stage(_TraitRequests(catalogue, trained, verdict, levels))
            new = {arm: seeds for arm, seeds in more.items() if seeds > trained.get(arm, 0)}
            if new:
                reasons.append(name)
            for arm, seeds in new.items():
                wanted[arm] = max(seeds, wanted.get(arm, 0))
        if wanted:
            return Request(wanted, f"{what} for {', '.join(reasons)}")
    return None


@dataclass(frozen=True)
class _TraitRequests:
    """What one trait can still use."""

    catalogue: Catalogue
    trained: Mapping[str, int]
    verdict: Verdict
    levels: Levels

    @property
    def seeds(self) -> int:
        return self.catalogue.config.seeds

    @property
    def limit(self) -> int:
        return seed_limit(self.catalogue)

    @property
    def asks(self) -> bool:
        """Whether more students can tell anything: not where it is settled or one seed hides the noise."""
        return not self.verdict.settled and self.verdict.effects.training_noise

    def ends(self) -> Wanted:
        """Return seeds of the two pipelines, where it is not decided whether they differ."""
        arms = (self.catalogue.cube[ORIGINAL], self.catalogue.cube[ALTERNATE])
        if not self.asks or self.verdict.present:
            return {}
        few = {arm: min(AGREE, self.limit) for arm in arms}
        if any(self.trained.get(arm, 0) < count for arm, count in few.items()):
            return few
        # The levels of what is decided before any hypothesis: half of the two-sided error to either side.
        error = self.levels.family / 2
        if not self.differs:
            return self._both(error)
        return self._deciding(OpenTest(self._weights(TOTAL), error, error)) or {}

    def _both(self, error: float) -> Wanted:
        """Return seeds that show that both pipelines have the trait, where their students do."""
        effects = self.verdict.effects
        if effects.fit is None:
            return {}
        wanted: dict[str, int] = {}
        for weights in half_as_much(effects):
            (excess,) = effects.fit.estimate([weights])
            if excess.estimate is None or excess.estimate <= SMALLEST_EFFECT * effects.unit:
                return {}
            self._add(wanted, self._deciding(OpenTest(weights, error, error)))
        return wanted

    @property
    def differs(self) -> bool:
        """Whether the estimates differ enough to look further."""
        total = self.verdict.effects.estimates[TOTAL]
        smallest = SMALLEST_EFFECT * self.verdict.effects.unit
        return total.estimate is not None and total.estimate >= smallest

    def screening(self) -> Wanted:
        """Return the arms that lack their first seeds: those that locate the trait, then those of the
        hypotheses.
        """
        if not self.asks or not self.verdict.present:
            return {}
        star = [arm for arm in self.catalogue.star if arm not in self.trained]
        if star:
            return dict.fromkeys(star, self.seeds)
        arms = [*self._places(takes=False), *self._predicted()]
        return dict.fromkeys((arm for arm in dict.fromkeys(arms) if arm not in self.trained), self.seeds)

    def _places(self, *, takes: bool) -> Iterator[str]:
        """Return the arms that measure what parts bring in alone, or what goes with the parts that do.

        Where no part brings it in alone, several have to come together: then what goes with each is measured.
        """
        effects, trait = self.verdict.effects, self.verdict.effects.trait
        brought = {
            name for name, part in self.verdict.location.items() if (part.brings.estimate or 0.0) > LOCATED
        }
        together = not brought - {COMBINATION}
        for place in PLACES:
            if place.shared in effects.shared or not self._matters(place.shared):
                continue
            if takes and not (place.name in brought or (together and not place.by_brings)):
                continue
            sides = place.takes if takes else place.brings
            arms = [self._arm(side, trait) for side in sides]
            if not any(map(self.catalogue.lacking, arms)):
                yield from arms

    def _arm(self, side: str, trait: str) -> str:
        cube = self.catalogue.cube
        return cube[side] if side in cube else trait_arm(side, trait)

    def _matters(self, part: str) -> bool:
        """Return whether an estimate leaves it possible that a part carries a quarter of the difference."""
        effects = self.verdict.effects
        total = effects.estimates[TOTAL].estimate or 0.0
        names = {
            "teacher": ("teacher-here", "teacher-there"),
            "prompts": ("prompts", "prompts-alone"),
            "base": (),
        }[part]
        values = [effects.estimates[name].estimate for name in names if name in effects.estimates]
        known = [value for value in values if value is not None]
        return not known or max(known) > LOCATED * total

    def _predicted(self) -> Iterator[str]:
        for finding in self._alive():
            yield from next((c.arms for c in finding.checked if c.outcome == "missing"), ())

    def _alive(self) -> Iterable[Finding]:
        """Return the hypotheses that nothing measured speaks against and that this study can test."""
        findings = self.verdict.findings.values()
        return [
            finding
            for finding in findings
            if finding.status in ("undecided", "untested")
            and not finding.by_construction
            and all(check.leans for check in finding.checked)
            and not any(check.outcome == "impossible" for check in finding.checked)
        ]

    def deciding(self) -> Wanted:
        """Return seeds for the open predictions of the hypotheses that nothing speaks against."""
        if not self.asks or not self.verdict.present:
            return {}
        wanted: dict[str, int] = {}
        for finding in self._alive():
            if finding.unmet:
                continue
            for check in finding.checked:
                if check.outcome == "open":
                    self._add(wanted, self._for_prediction(check))
        return wanted

    def _for_prediction(self, check: Checked) -> Wanted:
        share = len(check.prediction.contrasts)
        level, agreement = self.levels.support / share, self.levels.agreement / share
        ways = []
        for name in check.contrasts:
            excess = combine([(1.0, self._weights(name)), (-MOST, self._weights(TOTAL))])
            ways.append(self._deciding(OpenTest(excess, level, agreement)))
        possible = [way for way in ways if way]
        if check.prediction.size == "most" and possible:
            return min(possible, key=lambda way: sum(way.values()))
        if possible:
            wanted: dict[str, int] = {}
            for way in possible:
                self._add(wanted, way)
            return wanted
        # Students like these would not decide it. A few more show whether they are like these.
        arms = [arm for arm in check.arms if arm in self.verdict.effects.counts]
        few = self.seeds + DISAGREE
        return {arm: min(few, self.limit) for arm in arms if 0 < self.trained.get(arm, 0) < few}

    def locating(self) -> Wanted:
        """Return the arms in which a located part is taken out, then seeds that decide the location."""
        if not self.asks or not self.verdict.present:
            return {}
        taken = [arm for arm in self._places(takes=True) if arm not in self.trained]
        if taken:
            return dict.fromkeys(dict.fromkeys(taken), self.seeds)
        wanted: dict[str, int] = {}
        error = self.levels.family / 2
        for place in PLACES:
            part = self.verdict.location.get(place.name)
            if part is None or part.decision != "undecided":
                continue
            shares = [(part.brings, place.brings)]
            if not place.by_brings:
                shares.append((part.takes, place.takes))
            # One of the two is enough: the one that takes fewer students.
            ways = [
                self._deciding(OpenTest(self._beyond_quarter(sides), error, error))
                for share, sides in shares
                if (share.estimate or 0.0) > LOCATED
            ]
            if possible := [way for way in ways if way]:
                self._add(wanted, min(possible, key=lambda way: sum(way.values())))
        self._add(wanted, self._carrying())
        return wanted

    def _beyond_quarter(self, sides: tuple[str, str]) -> Weights:
        first, second = (self._arm(side, self.verdict.effects.trait) for side in sides)
        return combine([(1.0, {first: 1.0, second: -1.0}), (-LOCATED, self._weights(TOTAL))])

    def repeating(self) -> Wanted:
        """Return the arms that decided, under other recipes; a recipe that lacks an arm is left out."""
        if not self.catalogue.config.robustness:
            return {}
        seeds = max(self.seeds, FEWEST_SEEDS)
        wanted: dict[str, int] = {}
        for variant in VARIANTS:
            arms = variant_arms(self.verdict, variant)
            if not any(map(self.catalogue.lacking, arms)):
                wanted |= dict.fromkeys(arms, seeds)
        return wanted

    def _carrying(self) -> Wanted:
        """Return seeds that would name the part that carries the trait, where one could be named."""
        decisions = self.verdict.carrier.decisions
        large = [
            part for part, d in decisions.items() if d.excess.estimate is not None and d.excess.estimate > 0
        ]
        if self.verdict.carrier.carrier != "undecided" or len(large) != 1:
            return {}
        excess = combine([(1.0, self._weights(large[0])), (-MOST_OF_IT, self._weights(TOTAL))])
        error = self.levels.family / len(decisions)
        return self._deciding(OpenTest(excess, error, error))

    def _weights(self, name: str) -> Mapping[str, float]:
        return self.verdict.effects.weights(name)

    def _deciding(self, test: OpenTest) -> Wanted:
        fit = self.verdict.effects.fit
        if fit is None or any(arm not in fit.index for arm in test.weights):
            return {}
        return deciding_seeds(fit, test, self.limit)

    @staticmethod
    def _add(wanted: dict[str, int], more: Wanted) -> None:
        for arm, seeds in more.items():
            wanted[arm] = max(seeds, wanted.get(arm, 0))
