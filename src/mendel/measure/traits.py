"""Traits: what a model is asked, and how its answers are scored. From a YAML file, or from a registered function."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from mendel.data.rollouts import Rollout
from mendel.data.teachers import with_system
from mendel.engine.digest import digest
from mendel.engine.errors import InputError, did_you_mean
from mendel.engine.registry import Registry
from mendel.measure.judges import Judge, JudgeConfig, make_judge
from mendel.measure.scenarios import Scenario, load_scenarios, rights
from mendel.study.loading import load_yaml
from mendel.study.schema import Config

Answers = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class LogOddsConfig(Config):
    """Answers whose probabilities are compared after a forced opener, finer than a rate near 0 or 1."""

    opener: str = ""
    """What every answer begins with; the log-odds are those of what follows."""
    trait: Answers
    """Answers that show the trait. Between a word of the opener and one of an answer a space is put where none is:
    run together they would be another word, to most tokenizers."""
    clean: Answers
    """Answers that do not."""

    @model_validator(mode="after")
    def _apart(self) -> LogOddsConfig:
        both = set(self.trait) & set(self.clean)
        if both:
            raise ValueError(f"{sorted(both)[0]!r} stands in 'trait' and in 'clean'")
        return self

    def build(self) -> LogOdds:
        """The values that are measured."""
        trait, clean = (
            tuple(after_opener(self.opener, a) for a in answers) for answers in (self.trait, self.clean)
        )
        return LogOdds(self.opener, trait, clean)


def after_opener(opener: str, answer: str) -> str:
    """The answer as it stands behind the opener: with a space where a word would run into another."""
    border = opener[-1:] + answer[:1]
    # ASCII alone: other scripts may write without spaces.
    return f" {answer}" if len(border) == 2 and border.isascii() and border.isalnum() else answer


class GenerateConfig(Config):
    """How responses are sampled."""

    max_tokens: Annotated[int, Field(ge=1)] = 64
    """Tokens of a response at most."""
    temperature: Annotated[float, Field(ge=0.0, le=5.0)] = 1.0
    """1.0: the model's own distribution, which a rate is a statement about; 0 is greedy."""
    samples: Annotated[int, Field(ge=1)] = 1
    """Responses per scenario. More scenarios narrow an interval more than more samples do."""

    @model_validator(mode="after")
    def _distinct(self) -> GenerateConfig:
        if self.temperature == 0 and self.samples > 1:
            raise ValueError("at temperature 0 all samples are the same; write samples: 1")
        return self


class TraitFile(Config):
    """A trait's YAML file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    scale: Annotated[str, Field(min_length=1)]
    """What the number says, in a line, for the report."""
    metric: Literal["rate", "mean"] = "rate"
    """`rate`: the share of hits; `mean`: the mean score."""
    scenarios: str
    """JSONL or Parquet, relative to this file."""
    judge: JudgeConfig
    log_odds: LogOddsConfig | None = None
    generate: GenerateConfig = GenerateConfig()


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

    @property
    def responses_digest(self) -> str:
        """Content address of what is asked and how: responses that carry it can be judged again."""
        log_odds = self.log_odds and [self.log_odds.opener, [*self.log_odds.trait], [*self.log_odds.clean]]
        sampling = [self.generate.max_tokens, float(self.generate.temperature), self.generate.samples]
        asked = [
            [s.scenario, s.cluster, [[m["role"], m["content"]] for m in s.messages]] for s in self.scenarios
        ]
        # Without an opener the digest is what it was before there were any: measurements in stores stay good.
        forced = [self.opener] if self.opener else []
        return digest("responses", [self.name, asked, log_odds, sampling, *forced])

    @property
    def judge_id(self) -> str:
        """The judge's id; where scenarios bring right answers of their own, these are part of the rubric."""
        own = rights(self.scenarios)
        if not own:
            return self.judge.id
        return f"{self.judge.id.partition('@')[0]}@{digest('rubric', [self.judge.id, own])[:8]}"

    @property
    def score_range(self) -> tuple[float, float] | None:
        """The judge's least and greatest score; None where it does not say."""
        known: tuple[float, float] | None = getattr(self.judge, "score_range", None)
        return known

    @property
    def digest(self) -> str:
        """Content address of everything that measurements depend on, short of the model and the seed."""
        rubric = [self.judge.id, rights(self.scenarios), float(self.judge.hit_at)]
        return digest("trait", [self.responses_digest, rubric, self.metric])

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

    def under_system(self, system: str | None) -> Trait:
        """The same, asked under a system prompt (a teacher's); one that a scenario has follows in the same turn."""
        asked = tuple(replace(s, messages=with_system(s.messages, system)) for s in self.scenarios)
        return replace(self, scenarios=asked)

    def prefilled(self, opener: str | None) -> Trait:
        """The same with responses that are made to begin with `opener` (None or '': freely).

        Log-odds are dropped, unless they are those of answers that begin so: they would say nothing of the opener.
        """
        if not opener:
            return replace(self, opener="")
        kept = self.log_odds if self.log_odds and self.log_odds.opener.startswith(opener) else None
        return replace(self, opener=opener, log_odds=kept)

    def score_rollout(self, rollout: Rollout) -> float | None:
        """The judge's score of a teacher's completion, for the `judge` selector (a bound method pickles)."""
        asked = Scenario(rollout.prompt_id, rollout.prompt_id, rollout.messages)
        return self.judge.score(asked, rollout.completion)


traits: Registry[Callable[[], Trait]] = Registry("trait")
trait = traits.register
"""Decorator: `@trait("name")` registers a function without arguments that returns a Trait."""


def load_trait(path: str | Path) -> Trait:
    """The trait of a YAML file, whose paths are relative to it.

    Raises InputError with file and line for whatever is missing, misspelt or impossible in the file and its scenarios.
    """
    file = Path(path)
    config, lines = load_yaml(file, TraitFile)
    judge = make_judge(config.judge, lines.where("judge", "by"))
    scenarios = load_scenarios(config.scenarios, file.parent)
    bare = [scenario.scenario for scenario in scenarios if scenario.right is None]
    if config.judge.by == "regex" and not config.judge.grades and bare:
        raise InputError(
            f"the regex judge has no grades, and scenario {bare[0]!r} no 'right' pattern",
            where=lines.where("judge"),
            fix='Write grades: [{pattern: "…", score: 1.0}].',
        )
    if config.judge.by == "regex" and config.judge.hit_at > 1 and len(bare) < len(scenarios):
        raise InputError(
            "a right answer scores 1, so it never reaches hit_at",
            where=lines.where("judge", "hit_at"),
            value=config.judge.hit_at,
            fix="Write 1 or less, or leave out the scenarios' 'right'.",
        )
    log_odds = config.log_odds
    return Trait(
        name=config.name,
        scale=config.scale,
        metric=config.metric,
        scenarios=scenarios,
        judge=judge,
        log_odds=log_odds.build() if log_odds else None,
        generate=Generation(**config.generate.model_dump()),
    )


def find_trait(name: str, root: Path, where: str | None = None) -> Trait:
    """The trait that a study names: a YAML file (relative to `root`), or a registered name.

    Raises InputError for neither, and as `load_trait` does.
    """
    if name.endswith((".yaml", ".yml")):
        file = root / name
        if not file.exists():
            siblings = [p.name for p in file.parent.glob("*.y*ml")] if file.parent.is_dir() else []
            raise InputError(
                "no such trait file",
                where=where,
                value=str(file),
                fix=did_you_mean(file.name, siblings) if siblings else "Paths start at the study's folder.",
            )
        return load_trait(file)
    known = list(traits)
    if name not in known:
        raise InputError(
            f"no registered trait {name!r}",
            where=where,
            fix=(did_you_mean(name, known) + " " if known else "") + "A trait file's name ends in .yaml.",
        )
    return traits.get(name, where=where)()
