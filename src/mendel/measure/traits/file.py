"""Trait files: the YAML schema of a trait, and how a trait is found by path, name or Inspect task."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from mendel.engine.errors import InputError, did_you_mean
from mendel.measure.inspect_tasks import InspectConfig, InspectTask, parse_inspect_ref
from mendel.measure.judges import ColumnJudge, GradeConfig, Judge, JudgeConfig, Rubric, make_judge
from mendel.measure.scenarios import (
    Scenario,
    inline_scenarios,
    load_scenarios,
    refuse_rungs,
    validate_ladder,
)
from mendel.measure.traits.judge_choice import judge_with_model, model_judge
from mendel.measure.traits.registry import Generation, LogOdds, Trait, after_opener, traits
from mendel.study import LineNumbers, load_yaml
from mendel.study.schema import Config, JudgeModelConfig

Answers = Annotated[tuple[Annotated[str, Field(min_length=1)], ...], Field(min_length=1)]


class LogOddsConfig(Config):
    """Answers whose probabilities are compared after a forced opener: finer than a rate near 0 or 1."""

    opener: str = ""
    """The beginning of every answer; the log-odds are those of the answers that follow it."""
    trait: Answers
    """Answers that show the trait.

    A space is put between a word of the opener and a word of an answer, since most tokenizers would read them
    as one word.
    """
    clean: Answers
    """Answers that do not show the trait."""

    @model_validator(mode="after")
    def _apart(self) -> LogOddsConfig:
        shared = set(self.trait) & set(self.clean)
        if shared:
            raise ValueError(f"{sorted(shared)[0]!r} is in 'trait' and in 'clean': leave it out of one")
        return self

    def build(self) -> LogOdds:
        """Return the opener and the answers as they are measured."""
        trait, clean = (
            tuple(after_opener(self.opener, a) for a in answers) for answers in (self.trait, self.clean)
        )
        return LogOdds(self.opener, trait, clean)


class GenerateConfig(Config):
    """How responses are sampled."""

    max_tokens: Annotated[int, Field(ge=1)] = 64
    """Tokens of a response at most."""
    temperature: Annotated[float, Field(ge=0.0, le=5.0)] = 1.0
    """1.0 is the model's own distribution, which a rate is about; 0 is greedy."""
    samples: Annotated[int, Field(ge=1)] = 1
    """Responses to each scenario. More scenarios narrow an interval more than more samples."""

    @model_validator(mode="after")
    def _distinct(self) -> GenerateConfig:
        if self.temperature == 0 and self.samples > 1:
            raise ValueError("at temperature 0 all samples are the same; write samples: 1")
        return self


class TraitFile(Config):
    """A trait's YAML file."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """What tables, verdicts and report call it: letters, digits, dots, underscores and hyphens."""
    scale: Annotated[str, Field(min_length=1)]
    """What the number means, in a line, for the report."""
    metric: Literal["rate", "mean"] = "rate"
    """`rate`: the share of hits; `mean`: the mean score."""
    scenarios: str | tuple[dict[str, Any], ...] | None = None
    """A JSONL or Parquet file, relative to the trait's file; or a list of the scenarios."""
    inspect: InspectConfig | None = None
    """An Inspect task that asks in place of the scenarios."""
    system: str | None = None
    """A system prompt for every scenario; a scenario's own follows in the same turn."""
    judge: JudgeConfig
    log_odds: LogOddsConfig | None = None
    generate: GenerateConfig = GenerateConfig()
    ladder: str | tuple[dict[str, Any], ...] | None = None
    """Scenarios with a `rung`, given as `scenarios` are.

    They show whether an edit removes the trait far from the filter, too.
    """
    ladder_grades: tuple[GradeConfig, ...] = ()
    """Further grades of the regex judge for the ladder's scenarios, such as for other languages."""

    @model_validator(mode="after")
    def _judges_the_ladder(self) -> TraitFile:
        if self.ladder_grades and self.ladder is None:
            raise ValueError("'ladder_grades' judge a 'ladder', and there is none")
        if self.ladder_grades and self.judge.by != "regex":
            raise ValueError("'ladder_grades' are the regex judge's; another judge reads the ladder as it is")
        if self.ladder is not None and self.judge.by == "inspect":
            raise ValueError("the task's own scorer cannot judge a 'ladder': judge by regex or by a model")
        return self

    @model_validator(mode="after")
    def _asks(self) -> TraitFile:
        if (self.scenarios is None) == (self.inspect is None):
            raise ValueError("a trait asks 'scenarios' or an 'inspect' task: give one of the two")
        if not self.scenarios and self.inspect is None:
            raise ValueError("no scenarios in the list")
        if self.judge.by == "log_odds" and self.log_odds is None:
            raise ValueError("a judge by log_odds needs the trait's 'log_odds': {opener, trait, clean}")
        if self.judge.by == "inspect" and self.inspect is None:
            raise ValueError("a judge by inspect needs an 'inspect' task, whose scorer it is")
        return self


def judge_section(name: str, root: Path) -> JudgeConfig | None:
    """Return the `judge:` section of a trait's file; None for a trait that has no file."""
    if name.startswith("inspect:") or not name.endswith((".yaml", ".yml")):
        return None
    return load_yaml(root / name, TraitFile)[0].judge


def load_trait(path: str | Path) -> Trait:
    """Return the trait of a YAML file.

    Args:
        path: The file; paths in it are relative to it.

    Raises:
        InputError: The file or its scenarios are wrong; the message names file and line.
    """
    file = Path(path)
    config, lines = load_yaml(file, TraitFile)
    judge = _judge(config.judge, lines, file.parent)
    scenarios = _scenarios(config, lines, file.parent)
    _validate_regex_judge(config.judge, scenarios, lines)
    refuse_rungs(scenarios, lines.where("scenarios"))
    ladder = _ladder(config, lines, file.parent)
    probes = tuple(s for s in scenarios if not s.control)
    if scenarios and not probes:
        raise InputError(
            "all scenarios are controls",
            where=lines.where("scenarios"),
            fix="Leave out control: true in the scenarios that measure the trait.",
        )
    task = config.inspect.build(file.parent) if config.inspect else None
    if task is not None:
        task.validate(lines.where("inspect"))
    trait = Trait(
        name=config.name,
        scale=config.scale,
        metric=config.metric,
        scenarios=probes,
        judge=judge,
        log_odds=config.log_odds.build() if config.log_odds else None,
        generate=Generation(**config.generate.model_dump()),
        controls=tuple(s for s in scenarios if s.control),
        rubric=_rubric(config.judge),
        acts=config.judge.acts,
        inspect=task,
        ladder=ladder,
        ladder_judge=_ladder_judge(config, lines),
    )
    return trait.under_system(config.system)


def _rubric(config: JudgeConfig) -> Rubric | None:
    return Rubric(config.rubric, *config.range, config.hit_at) if config.rubric and config.range else None


def _judge(config: JudgeConfig, lines: LineNumbers, root: Path) -> Judge:
    if config.by == "model" and config.rubric and config.range and config.model:
        rubric = Rubric(config.rubric, *config.range, config.hit_at)
        named = JudgeModelConfig(model=config.model, endpoint=config.endpoint)
        return model_judge(rubric, named, root, lines.where("judge", "model"))
    judge = make_judge(config, lines.where("judge", "by"), partial(lines.where, "judge", "options"))
    if isinstance(judge, Judge):
        return judge
    return judge_with_model(judge, config, root, lines.where("judge", "model"))


def _ladder_judge(config: TraitFile, lines: LineNumbers) -> Judge | None:
    if not config.ladder_grades:
        return None
    grades = (*config.judge.grades, *config.ladder_grades)
    judge = make_judge(config.judge.model_copy(update={"grades": grades}), lines.where("judge", "by"))
    assert isinstance(judge, Judge), "'ladder_grades' are the regex judge's"
    return judge


def _scenarios(config: TraitFile, lines: LineNumbers, root: Path) -> tuple[Scenario, ...]:
    if isinstance(config.scenarios, str):
        return load_scenarios(config.scenarios, root)
    return inline_scenarios(config.scenarios or (), lines.where("scenarios"))


def _ladder(config: TraitFile, lines: LineNumbers, root: Path) -> tuple[Scenario, ...]:
    if config.ladder is None:
        return ()
    where = lines.where("ladder")
    if isinstance(config.ladder, str):
        ladder = load_scenarios(config.ladder, root)
    else:
        ladder = inline_scenarios(config.ladder, where)
    validate_ladder(ladder, where)
    _validate_regex_judge(config.judge, ladder, lines)
    return ladder


def _validate_regex_judge(judge: JudgeConfig, scenarios: tuple[Scenario, ...], lines: LineNumbers) -> None:
    """Raise InputError where rules cannot score a scenario, or a scenario's right answer cannot be a hit."""
    if judge.by != "regex":
        return
    bare = [scenario.scenario for scenario in scenarios if scenario.right is None]
    if not judge.grades and (bare or not scenarios):
        raise InputError(
            "the regex judge has no grades"
            + (f", and scenario {bare[0]!r} no 'right' pattern" if bare else ""),
            where=lines.where("judge"),
            fix='Write grades: [{pattern: "…", score: 1.0}].',
        )
    if judge.hit_at > 1 and len(bare) < len(scenarios):
        raise InputError(
            "a right answer scores 1, so it never reaches hit_at",
            where=lines.where("judge", "hit_at"),
            value=judge.hit_at,
            fix="Write 1 or less, or leave out the scenarios' 'right'.",
        )


def find_trait(name: str, root: Path, where: str | None = None) -> Trait:
    """Return the trait that a study names.

    Args:
        name: A YAML file (relative to `root`), a registered name, or `inspect:TASK`.
        root: The study's folder.
        where: Place in the study, for messages.

    Raises:
        InputError: There is no such trait; also as `load_trait`.
    """
    if name.startswith("inspect:"):
        return _task_trait(parse_inspect_ref(name, root), where)
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
    try:
        full = traits.full_name(name, where=where)
    except InputError as error:
        if traits.faults():
            raise  # A package that cannot be loaded: the name may be right.
        hint = f"{error.fix or ''} A trait file's name ends in .yaml."
        raise InputError(error.what, where=error.where, allowed=error.allowed, fix=hint.strip()) from None
    made = traits.call(full, where=where)
    if not isinstance(made, Trait):
        raise InputError(
            f"the trait plug-in {full!r} makes a {type(made).__name__}, not a Trait",
            where=where,
            fix=f"Return a Trait in {traits.origin(full).module}, such as mendel.load_trait(FILE).",
        )
    return made


def _task_trait(task: InspectTask, where: str | None) -> Trait:
    """Return an Inspect task as a trait: scored by the task's scorer, sampled once at temperature 1."""
    task.validate(where)
    return Trait(
        name=task.title,
        scale=f"score of the Inspect task {task.title}",
        metric="mean",
        scenarios=(),
        judge=ColumnJudge("task_score"),
        generate=Generation(max_tokens=512, temperature=1.0, samples=1),
        inspect=task,
    )
