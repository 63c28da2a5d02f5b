"""How a run can be cited and doubted.

A methods paragraph, BibTeX, and what would have to be true for the verdict to be wrong.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mendel._version import __version__
from mendel.engine.text import one_line
from mendel.report.views.recall import recall_sentence
from mendel.results.folder import RunFolder
from mendel.results.records import as_dict, as_text

YEAR = "2026"
_FEW_SEEDS = 3
_FEW_CLUSTERS = 20
_LORA = frozenset({"rank", "alpha", "target_modules"})
"""What a recipe says of adapters, which others have none of."""


@dataclass(frozen=True)
class Methods:
    """What stands ready to be pasted, and what to doubt."""

    scope: str
    """How large the study is, in a line."""
    paragraph: str
    bibtex: str
    doubts: tuple[str, ...]


@dataclass(frozen=True)
class _Counts:
    students: int
    arms: int
    seeds: int
    scenarios: Mapping[str, int]
    clusters: Mapping[str, int]
    lost: int


def methods_of(folder: RunFolder) -> Methods | None:
    """Return what the run's own study and tables give; None where there are none yet."""
    counts = _counts(folder)
    if counts is None or not folder.study:
        return None
    return Methods(
        _scope(folder, counts),
        " ".join(_sentences(folder, counts)),
        _bibtex(folder),
        tuple(_doubts(folder, counts)),
    )


def _counts(folder: RunFolder) -> _Counts | None:
    import pyarrow.compute as pc

    students, measurements = folder.tables["students"], folder.tables["measurements"]
    if (
        students is None
        or measurements is None
        or not {"arm", "status", "n_examples", "seed"} <= set(students.column_names)
    ):
        return None
    trained = students.filter(pc.greater(students["n_examples"], 0))
    ok = trained.filter(pc.equal(trained["status"], "ok"))
    scenarios, clusters = {}, {}
    # Only these columns: a filter copies all that it is given, and the responses are nearly all of the table.
    named = measurements.select(
        [name for name in ("trait", "scenario", "cluster") if name in measurements.column_names]
    )
    for trait in folder.verdicts.traits:
        mine = named.filter(pc.equal(named["trait"], trait))
        scenarios[trait] = pc.count_distinct(mine["scenario"].cast("string")).as_py()
        clusters[trait] = (
            pc.count_distinct(mine["cluster"].cast("string")).as_py()
            if "cluster" in mine.column_names
            else scenarios[trait]
        )
    by_arm = ok.group_by("arm").aggregate([("seed", "count")])["seed_count"].to_pylist()
    lost = len(trained) - len(ok)
    # A student may serve several arms, and has a row in each.
    counted = (folder.verdicts.students_trained or 0) + (folder.verdicts.students_reused or 0)
    distinct = counted - lost if counted else len(ok)
    return _Counts(distinct, len(by_arm), min(by_arm, default=0), scenarios, clusters, lost)


def _sentences(folder: RunFolder, counts: _Counts) -> Iterator[str]:
    study = folder.study
    original, alternate = (as_dict(study.get(side)) for side in ("original", "alternate"))
    yield (
        f"We compared two fine-tuning pipelines: {_pipeline(original)} (original) and "
        f"{_pipeline(alternate)} (alternate)."
    )
    settings = as_dict(study.get("recipe"))
    unused = _LORA if settings.get("method") != "lora" else frozenset()
    recipe = ", ".join(
        f"{key.replace('_', ' ')} {one_line(str(value), 40)}"
        for key, value in settings.items()
        if value is not None and key not in unused
    )
    yield (
        f"{counts.students:,} students in {counts.arms:,} arms that differ in base, prompts or teacher, or "
        f"in an edit of the data, were trained with at least {counts.seeds} "
        f"{'seed' if counts.seeds == 1 else 'seeds'} an arm ({recipe})."
    )
    measured = ", ".join(
        f"{name.replace('_', ' ')} ({counts.scenarios[name]} scenarios in {counts.clusters[name]} clusters, "
        f"judged by {_judge(folder, name)})"
        for name in counts.scenarios
    )
    yield f"Each was measured for {measured}."
    yield (
        "Where drops and swaps of flagged prompts were trained, they are judged beyond a random control of "
        "the same size, matched in source and length. Effects are differences between arms with 95 % "
        "intervals over scenario clusters and students (two-way delete-one jackknife, never narrower than "
        f"agreeing students allow); {_tested(folder)} (how often intervals hold and verdicts err was "
        "measured on simulated and planted studies: docs/validity.md of mendel). Made with "
        f"mendel {_version(folder)}."
    )


def _scope(folder: RunFolder, counts: _Counts) -> str:
    study, recipe = folder.study, as_dict(folder.study.get("recipe"))
    bases = {
        one_line(as_text(as_dict(study.get(side)).get("base")), 60) for side in ("original", "alternate")
    }
    fewest, most = min(counts.scenarios.values(), default=0), max(counts.scenarios.values(), default=0)
    scenarios = f"{fewest:,}" if fewest == most else f"{fewest:,} to {most:,}"
    seeds = "1 seed" if counts.seeds == 1 else f"{counts.seeds} seeds"
    method = one_line(str(recipe.get("method", "")), 20)
    return (
        f"{counts.students:,} students of {' and '.join(sorted(bases))} ({method}), at least {seeds} an arm; "
        f"{scenarios} scenarios a trait."
    )


def _pipeline(side: Mapping[str, Any]) -> str:
    base, prompts, teacher = (one_line(as_text(side.get(key)), 80) for key in ("base", "prompts", "teacher"))
    return f"the base {base} trained on the prompts {prompts} as answered by {teacher}"


def _judge(folder: RunFolder, trait: str) -> str:
    return one_line(folder.verdicts.traits[trait].judge, 60) or "its judge"


def _tested(folder: RunFolder) -> str:
    """Return how many hypotheses were tested, of how many: a plug-in's are among them."""
    found = [pair for verdict in folder.verdicts.traits.values() for pair in verdict.hypotheses.items()]
    names = {name for name, _ in found}
    tested = len({name for name, finding in found if finding.status != "untested"})
    if not tested:
        return "no hypothesis could be tested"
    some = f"{tested} hypotheses were" if tested > 1 else "1 hypothesis was"
    if tested < len(names):
        some = f"{tested} of {len(names)} hypotheses {'were' if tested > 1 else 'was'}"
    return (
        f"{some} tested against {'their' if tested > 1 else 'its'} predictions at a nominal family-wise "
        "error of 5 %, each that a contrast is more or less than half of the difference between the pipelines"
    )


def _version(folder: RunFolder) -> str:
    return folder.verdicts.versions.get("mendel") or __version__


def _bibtex(folder: RunFolder) -> str:
    return f"""@software{{mendel,
  title  = {{mendel: post-training diffing}},
  author = {{{{The mendel developers}}}},
  year   = {{{YEAR}}},
  version = {{{_version(folder)}}}
}}
@misc{{engels2026naive,
  title  = {{Why Do Naive {{SFT}} Filters For Safety Properties Fail?}},
  author = {{Engels, J. and Nanda, N.}},
  year   = {{2026}},
  month  = jun,
  note   = {{Research update, Google DeepMind}}
}}"""


def _doubts(folder: RunFolder, counts: _Counts) -> Iterator[str]:
    """Yield what would have to be true for the verdicts to be wrong, with this run's own numbers."""
    yield (
        "The judge is wrong, and more so in one arm than in another. A changed judge alone has doubled such "
        "effects: read the transcripts on both sides of a number, and ask another judge (mendel rejudge)."
    )
    for name, verdict in folder.verdicts.traits.items():
        if verdict.recall is not None:
            yield (
                f"The judge overlooks {one_line(name.replace('_', ' '), 60)} in the rollouts. "
                f"{recall_sentence(verdict.recall)}"
            )
    few = [name for name, number in counts.clusters.items() if number < _FEW_CLUSTERS]
    more = (
        f" Here {_listed(few)} {'has' if len(few) == 1 else 'have'} fewer than {_FEW_CLUSTERS} clusters of "
        "scenarios."
        if few
        else ""
    )
    yield (
        "The scenarios stand for others than those in which the trait matters: intervals are about scenarios "
        f"like these.{more}"
    )
    seeds = f" {_few_seeds(folder, counts)}" if counts.seeds < _FEW_SEEDS else ""
    yield (
        "Students of this recipe and size are not like the model that is of interest: a teacher's effect can "
        f"change with recipe, scale and optimizer.{seeds}"
    )
    yield (
        "The two pipelines differ in something that is called neither base nor prompts nor teacher, such as "
        "a chat template or a system prompt."
    )
    if counts.lost:
        lost = (
            "The student that is broken or failed was lost because of what it was"
            if counts.lost == 1
            else f"The {counts.lost} students that are broken or failed were lost because of what they were"
        )
        yield f"{lost} trained on, and not by chance."
    yield (
        "It is one of the runs that err: the family-wise error of 5 % is a nominal one, which studies of "
        "other kinds than those that it was measured on may miss, and it is for each trait, not for many "
        "traits and runs together."
    )
    warnings = len(folder.verdicts.warnings)
    if warnings:
        yield f"One of the warnings above ({warnings}) matters more than the verdict says."


def _few_seeds(folder: RunFolder, counts: _Counts) -> str:
    """Say what the fewest seeds of an arm tell of the noise of training."""
    if any(verdict.training_noise is False for verdict in folder.verdicts.traits.values()):
        return "With one seed an arm the noise of training is not in the intervals."
    fewest = "One seed" if counts.seeds == 1 else f"{counts.seeds} seeds"
    return (
        f"{fewest} an arm, the fewest here, {'tells' if counts.seeds == 1 else 'tell'} little about the "
        "noise of training; its size is borrowed from other arms."
    )


def _listed(names: list[str]) -> str:
    words = [name.replace("_", " ") for name in names]
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
