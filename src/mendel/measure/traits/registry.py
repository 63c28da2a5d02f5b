"""What a trait is: the scenarios that a model is asked and the judge of its answers; and the registry."""

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
from mendel.measure.scenarios import RUNGS, Scenario, right_patterns

if TYPE_CHECKING:
    from mendel.measure.inspect_tasks import InspectTask

CONTROL = "/control"
"""Suffix of the name of a trait's controls in the tables."""


@dataclass(frozen=True)
class LogOdds:
    """Log-odds (nats) of trait answers against clean answers, teacher-forced after an opener."""

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
    """What a model is asked, and how its answers are scored. A picklable value with content addresses."""

    name: str
    scale: str
    """What the number means, in a line, for the report."""
    metric: Literal["rate", "mean"]
    """`rate`: the share of hits; `mean`: the mean score."""
    scenarios: tuple[Scenario, ...]
    judge: Judge
    log_odds: LogOdds | None = None
    generate: Generation = Generation(max_tokens=64, temperature=1.0, samples=1)
    opener: str = ""
    """The forced beginning of every response; it is part of the response and is judged with it."""
    controls: tuple[Scenario, ...] = ()
    """Scenarios in which the trait's behaviour is right: a model that never shows it fails them."""
    rubric: Rubric | None = None
    """The rubric for a model that judges; None: no model can judge this trait."""
    acts: str | None = None
    """A regular expression of the acts in a response: only they are judged. None: all of it is."""
    inspect: InspectTask | None = None
    """The Inspect task that asks in place of the scenarios."""
    ladder: tuple[Scenario, ...] = ()
    """Scenarios near to and far from where a filter saw the trait, each with a rung.

    They are measured beside the trait.
    """
    ladder_judge: Judge | None = None
    """The ladder's judge, if the trait's cannot read all of it (other languages); None: the trait's judge."""

    @cached_property
    def responses_digest(self) -> str:
        """Content address of what is asked and how: responses under it can be judged again."""
        log_odds = self.log_odds and [self.log_odds.opener, [*self.log_odds.trait], [*self.log_odds.clean]]
        sampling = [self.generate.max_tokens, float(self.generate.temperature), self.generate.samples]
        content = [
            [s.scenario, s.cluster, [[m["role"], m["content"]] for m in s.messages]] for s in self.scenarios
        ]
        # Absent features add nothing, so that stored measurements stay valid when mendel gains a feature.
        features: list[Any] = [self.opener] if self.opener else []
        turns = [[s.scenario, list(s.turns)] for s in self.scenarios if s.turns]
        features += [{"turns": turns}] if turns else []
        features += [{"inspect": self.inspect.digest}] if self.inspect else []
        features += [] if self.generates else [{"generates": False}]
        return digest("responses", [self.name, content, log_odds, sampling, *features])

    @property
    def judge_id(self) -> str:
        """The judge's id. What the trait adds (right answers of scenarios, acts) is part of the digest."""
        added: list[Any] = right_patterns(self.scenarios)
        added += [{"acts": self.acts}] if self.acts else []
        if not added:
            return self.judge.id
        return f"{self.judge.id.rpartition('@')[0]}@{digest('rubric', [self.judge.id, added])[:8]}"

    @property
    def score_range(self) -> tuple[float, float] | None:
        """The least and the greatest score, by the rubric or else the judge; None where neither says."""
        if self.rubric is not None:
            return self.rubric.low, self.rubric.high
        score_range: tuple[float, float] | None = getattr(self.judge, "score_range", None)
        return score_range

    @cached_property
    def digest(self) -> str:
        """Content address of everything that measurements depend on, apart from the model and the seed."""
        rubric = [self.judge.id, right_patterns(self.scenarios), float(self.judge.hit_at)]
        rubric += [{"acts": self.acts}] if self.acts else []
        return digest("trait", [self.responses_digest, rubric, self.metric])

    @property
    def generates(self) -> bool:
        """Whether responses are sampled; a trait that is judged by its log-odds needs none."""
        return not (isinstance(self.judge, ColumnJudge) and self.judge.column == "log_odds")

    @cached_property
    def control(self) -> Trait | None:
        """The trait's controls as a trait, `NAME/control`; None where it has none."""
        if not self.controls:
            return None
        bare = replace(
            self, scenarios=self.controls, controls=(), log_odds=None, ladder=(), ladder_judge=None
        )
        return replace(bare, name=self.name + CONTROL)

    @cached_property
    def rungs(self) -> dict[str, Trait]:
        """The ladder's rungs in the order of `RUNGS`, each as a trait `NAME/RUNG`; empty without a ladder."""
        present = {scenario.rung for scenario in self.ladder}
        bare = replace(self, controls=(), inspect=None, ladder=(), ladder_judge=None)
        # Log-odds are measured on the trait's own scenarios, unless nothing else is measured.
        bare = replace(bare, judge=self.ladder_judge or self.judge)
        bare = replace(bare, log_odds=None) if bare.generates else bare
        return {
            rung: replace(
                bare, name=f"{self.name}/{rung}", scenarios=tuple(s for s in self.ladder if s.rung == rung)
            )
            for rung in RUNGS
            if rung in present
        }

    @property
    def parts(self) -> tuple[Trait, ...]:
        """The trait, and its controls if it has any: everything that is measured for it."""
        return (self,) if self.control is None else (self, self.control)

    def with_samples(self, samples: int | None, where: str | None = None) -> Trait:
        """Return the trait with another number of responses to each scenario (None: unchanged).

        Raises:
            InputError: The number is less than 1, or more than 1 at temperature 0, where all responses are
                the same.
        """
        if samples is None:
            return self
        if samples < 1 or (samples > 1 and self.generate.temperature == 0):
            raise InputError(
                f"trait {self.name!r} cannot have {samples} samples a scenario",
                where=where,
                fix="Its responses are greedy, and so all the same: write 1."
                if samples > 1
                else "Write 1 or more.",
            )
        return replace(self, generate=replace(self.generate, samples=samples))

    def with_max_tokens(self, max_tokens: int | None) -> Trait:
        """Return the trait with another limit of a response's tokens (None: unchanged)."""
        if max_tokens is None:
            return self
        return replace(self, generate=replace(self.generate, max_tokens=max_tokens))

    def limited(self, count: int | None) -> Trait:
        """Return the trait with at most `count` scenarios and as many controls, spread over the clusters.

        None: unchanged. A ladder stays whole, since it is short and a rung would be missing. An Inspect task
        keeps its variants, up to `count`, and as many samples of each as make up `count` or just more.
        """
        if count is None:
            return self
        if self.inspect is not None:
            kept = self.inspect.limited(count)
            samples = -(-count // len(kept.variants))
            return replace(self, inspect=kept, generate=replace(self.generate, samples=samples))
        return replace(self, scenarios=_spread(self.scenarios, count), controls=_spread(self.controls, count))

    def under_system(self, system: str | None) -> Trait:
        """Return the trait under a system prompt, such as a teacher's (None: unchanged).

        A system prompt of a scenario follows in the same turn.
        """
        if system is None:
            return self

        def under_system(scenarios: tuple[Scenario, ...]) -> tuple[Scenario, ...]:
            return tuple(replace(s, messages=with_system(s.messages, system)) for s in scenarios)

        return replace(
            self,
            scenarios=under_system(self.scenarios),
            controls=under_system(self.controls),
            ladder=under_system(self.ladder),
            inspect=self.inspect.under_system(system) if self.inspect else None,
        )

    def prefilled(self, opener: str | None) -> Trait:
        """Return the trait with responses that are forced to begin with `opener` (None or '': free).

        Log-odds are dropped, unless their answers begin so too: otherwise they would ignore the opener.
        """
        if not opener:
            return replace(self, opener="")
        kept = self.log_odds if self.log_odds and self.log_odds.opener.startswith(opener) else None
        return replace(self, opener=opener, log_odds=kept)

    def judged_part(self, response: str) -> str:
        """Return the part of a response that is judged: all of it, or its acts ('' if there are none)."""
        if self.acts is None:
            return response
        return "\n\n".join(match.group(0) for match in re.finditer(self.acts, response, re.IGNORECASE))


def after_opener(opener: str, answer: str) -> str:
    """Return the answer as it follows the opener: with a space where two words would run together."""
    border = opener[-1:] + answer[:1]
    # ASCII only: other scripts may write without spaces.
    return f" {answer}" if len(border) == 2 and border.isascii() and border.isalnum() else answer


def _spread(scenarios: tuple[Scenario, ...], count: int) -> tuple[Scenario, ...]:
    """Return up to `count` scenarios: the first of every cluster, then the second, and so on."""
    last_rank: dict[str, int] = {}
    rank: dict[str, int] = {}
    for scenario in scenarios:
        rank[scenario.scenario] = last_rank[scenario.cluster] = last_rank.get(scenario.cluster, -1) + 1
    places = sorted(range(len(scenarios)), key=lambda i: (rank[scenarios[i].scenario], i))
    # Equal ranks are taken evenly over the file, since files are often sorted by kind.
    firsts = [i for i in places if rank[scenarios[i].scenario] == 0]
    if count <= len(firsts):
        places = [firsts[int(k * len(firsts) / count)] for k in range(count)]
    return tuple(scenarios[i] for i in sorted(places[:count]))


traits: Registry[Callable[[], Trait]] = Registry("trait", check=callable_with())
trait = traits.register
"""Decorator that registers a trait: a function without arguments that returns a Trait.

    @mendel.trait("pea_talk")
    def pea_talk() -> Trait:
        return load_trait(Path(__file__).with_name("pea_talk.yaml"))

A trait that needs no code is a YAML file, which a study names by its path.
"""
