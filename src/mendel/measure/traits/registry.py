"""A trait: what a model is asked, and how its answers are scored; a picklable value with content addresses."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from mendel.data.teachers import with_system
from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.engine.registry import Registry, callable_with
from mendel.measure.judges import ColumnJudge, Judge, Rubric
from mendel.measure.scenarios import RUNGS, Scenario, rights

if TYPE_CHECKING:
    from mendel.measure.inspect_tasks import InspectTask

CONTROL = "/control"
"""What the name of a trait's controls ends in, in the tables."""


@dataclass(frozen=True)
class LogOdds:
    """Log-odds of trait against clean answers, teacher-forced after `opener`, in nats."""

    opener: str
    trait: tuple[str, ...]
    clean: tuple[str, ...]


@dataclass(frozen=True)
class Generation:
    """How a trait's responses are sampled."""

    max_tokens: int
    temperature: float
    samples: int


@dataclass(frozen=True)
class Trait:
    """What a model is asked, and how its answers are scored. A picklable value."""

    name: str
    scale: str
    metric: Literal["rate", "mean"]
    scenarios: tuple[Scenario, ...]
    judge: Judge
    log_odds: LogOdds | None = None
    generate: Generation = Generation(max_tokens=64, temperature=1.0, samples=1)
    opener: str = ""
    """What every response is made to begin with; a part of the response, and judged with it."""
    controls: tuple[Scenario, ...] = ()
    """Scenarios in which what the trait does is right: who never does it fails them."""
    rubric: Rubric | None = None
    """What a model that judges is told; None: no model can judge this trait."""
    acts: str | None = None
    """A regular expression of the acts in a response: nothing else of it is judged."""
    inspect: InspectTask | None = None
    """The Inspect task that asks in the scenarios' place."""
    ladder: tuple[Scenario, ...] = ()
    """Scenarios near to and far from where a filter saw the trait, each on its rung: measured beside the trait."""
    ladder_judge: Judge | None = None
    """Who judges the ladder where the trait's own judge cannot read it all (other languages); None: the trait's judge."""

    @cached_property
    def responses_digest(self) -> str:
        """Content address of what is asked and how: responses that carry it can be judged again."""
        log_odds = self.log_odds and [self.log_odds.opener, [*self.log_odds.trait], [*self.log_odds.clean]]
        sampling = [self.generate.max_tokens, float(self.generate.temperature), self.generate.samples]
        asked = [
            [s.scenario, s.cluster, [[m["role"], m["content"]] for m in s.messages]] for s in self.scenarios
        ]
        # What a trait does not have leaves no trace: measurements in stores stay good when mendel learns more.
        more: list[Any] = [self.opener] if self.opener else []
        turns = [[s.scenario, list(s.turns)] for s in self.scenarios if s.turns]
        more += [{"turns": turns}] if turns else []
        more += [{"inspect": self.inspect.digest}] if self.inspect else []
        more += [] if self.generates else [{"generates": False}]
        return digest("responses", [self.name, asked, log_odds, sampling, *more])

    @property
    def judge_id(self) -> str:
        """The judge's id; what the trait adds to the rubric (right answers of scenarios, acts) is a part of it."""
        own: list[Any] = rights(self.scenarios)
        own += [{"acts": self.acts}] if self.acts else []
        if not own:
            return self.judge.id
        return f"{self.judge.id.rpartition('@')[0]}@{digest('rubric', [self.judge.id, own])[:8]}"

    @property
    def score_range(self) -> tuple[float, float] | None:
        """The least and the greatest score, by the rubric or else by the judge; None where neither says."""
        if self.rubric is not None:
            return self.rubric.low, self.rubric.high
        known: tuple[float, float] | None = getattr(self.judge, "score_range", None)
        return known

    @cached_property
    def digest(self) -> str:
        """Content address of everything that measurements depend on, short of the model and the seed."""
        rubric = [self.judge.id, rights(self.scenarios), float(self.judge.hit_at)]
        rubric += [{"acts": self.acts}] if self.acts else []
        return digest("trait", [self.responses_digest, rubric, self.metric])

    @property
    def generates(self) -> bool:
        """Whether responses are sampled; a trait that is judged by its log-odds alone needs none."""
        return not (isinstance(self.judge, ColumnJudge) and self.judge.column == "log_odds")

    @cached_property
    def control(self) -> Trait | None:
        """The trait's controls as a trait of their own, `NAME/control`; None where it has none."""
        if not self.controls:
            return None
        bare = replace(
            self, scenarios=self.controls, controls=(), log_odds=None, ladder=(), ladder_judge=None
        )
        return replace(bare, name=self.name + CONTROL)

    @cached_property
    def rungs(self) -> dict[str, Trait]:
        """The ladder's rungs, in the order of `RUNGS`, each a trait of its own, `NAME/RUNG`; empty without a ladder."""
        there = {scenario.rung for scenario in self.ladder}
        bare = replace(self, controls=(), inspect=None, ladder=(), ladder_judge=None)
        # Log-odds are those of answers to the trait's own scenarios, unless nothing else is measured.
        bare = replace(bare, judge=self.ladder_judge or self.judge)
        bare = replace(bare, log_odds=None) if bare.generates else bare
        return {
            rung: replace(
                bare, name=f"{self.name}/{rung}", scenarios=tuple(s for s in self.ladder if s.rung == rung)
            )
            for rung in RUNGS
            if rung in there
        }

    @property
    def parts(self) -> tuple[Trait, ...]:
        """The trait, and its controls where it has any: all that is measured for it."""
        return (self,) if self.control is None else (self, self.control)

    def with_samples(self, samples: int | None, where: str | None = None) -> Trait:
        """The same with another number of responses per scenario (None: unchanged).

        Raises InputError for more than one at temperature 0, since they would all be the same.
        """
        if samples is None:
            return self
        if samples < 1 or (samples > 1 and self.generate.temperature == 0):
            raise InputError(
                f"trait {self.name!r} cannot have {samples} samples a scenario",
                where=where,
                fix="Its responses are greedy, so one is all there is."
                if samples > 1
                else "Write 1 or more.",
            )
        return replace(self, generate=replace(self.generate, samples=samples))

    def with_max_tokens(self, max_tokens: int | None) -> Trait:
        """The same with longer or shorter responses at most (None: unchanged)."""
        if max_tokens is None:
            return self
        return replace(self, generate=replace(self.generate, max_tokens=max_tokens))

    def limited(self, count: int | None) -> Trait:
        """The same with at most `count` scenarios and as many controls, spread over the clusters (None: unchanged).

        A ladder stays whole: it is short, and a rung without scenarios would be missing.

        An Inspect task keeps its variants, up to `count`, and takes as many samples of each as come to `count` or just above.
        """
        if count is None:
            return self
        if self.inspect is not None:
            kept = self.inspect.limited(count)
            samples = -(-count // len(kept.variants))
            return replace(self, inspect=kept, generate=replace(self.generate, samples=samples))
        return replace(self, scenarios=_spread(self.scenarios, count), controls=_spread(self.controls, count))

    def under_system(self, system: str | None) -> Trait:
        """The same, asked under a system prompt (a teacher's); one that a scenario has follows in the same turn."""
        if system is None:
            return self

        def told(scenarios: tuple[Scenario, ...]) -> tuple[Scenario, ...]:
            return tuple(replace(s, messages=with_system(s.messages, system)) for s in scenarios)

        task = self.inspect.under_system(system) if self.inspect else None
        own, controls, ladder = told(self.scenarios), told(self.controls), told(self.ladder)
        return replace(self, scenarios=own, controls=controls, ladder=ladder, inspect=task)

    def prefilled(self, opener: str | None) -> Trait:
        """The same with responses that are made to begin with `opener` (None or '': freely).

        Log-odds are dropped, unless they are those of answers that begin so: they would say nothing of the opener.
        """
        if not opener:
            return replace(self, opener="")
        kept = self.log_odds if self.log_odds and self.log_odds.opener.startswith(opener) else None
        return replace(self, opener=opener, log_odds=kept)

    def judged_part(self, response: str) -> str:
        """What of a response is judged: all of it, or its acts, '' where there are none."""
        if self.acts is None:
            return response
        return "\n\n".join(match.group(0) for match in re.finditer(self.acts, response, re.IGNORECASE))


def after_opener(opener: str, answer: str) -> str:
    """The answer as it stands behind the opener: with a space where a word would run into another."""
    border = opener[-1:] + answer[:1]
    # ASCII alone: other scripts may write without spaces.
    return f" {answer}" if len(border) == 2 and border.isascii() and border.isalnum() else answer


def _spread(scenarios: tuple[Scenario, ...], count: int) -> tuple[Scenario, ...]:
    """The first of every cluster, then the second of every one, and so on, up to `count`; in their own order."""
    seen: dict[str, int] = {}
    rank: dict[str, int] = {}
    for scenario in scenarios:
        rank[scenario.scenario] = seen[scenario.cluster] = seen.get(scenario.cluster, -1) + 1
    places = sorted(range(len(scenarios)), key=lambda i: (rank[scenarios[i].scenario], i))
    # Among equals evenly over the file, since files are often sorted by kind.
    firsts = [i for i in places if rank[scenarios[i].scenario] == 0]
    if count <= len(firsts):
        places = [firsts[int(k * len(firsts) / count)] for k in range(count)]
    return tuple(scenarios[i] for i in sorted(places[:count]))


traits: Registry[Callable[[], Trait]] = Registry("trait", check=callable_with())
trait = traits.register
"""Decorator: `@trait("name")` registers a function without arguments that returns a Trait."""
