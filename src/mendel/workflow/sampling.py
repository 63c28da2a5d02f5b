"""Samples of the original teacher's rollouts for labels, from a run's folder or a study without a run."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from mendel.data.prompts import Message
from mendel.data.rollouts import Rollout
from mendel.engine.errors import InputError
from mendel.engine.progress import NullProgress, Progress
from mendel.measure import Rubric, Unlabelled
from mendel.results.basis import read_basis
from mendel.results.manifest import read_manifest
from mendel.results.records import as_dict, as_list
from mendel.results.run import Run, open_run
from mendel.results.tables import read_table
from mendel.study import load_study
from mendel.workflow.flagging import flag_prompts
from mendel.workflow.inputs import load_inputs
from mendel.workflow.rollouts import make_rollouts, score_rollouts
from mendel.workflow.session import Session
from mendel.workflow.strata import as_unlabelled, labels_file, strata_of


@dataclass(frozen=True)
class Drawable:
    """The original teacher's rollouts, which can be drawn for labels of one trait."""

    rollouts: Sequence[tuple[str, Unlabelled]]
    """Each with its stratum, in the drawing order."""
    rubric: Rubric
    """The rubric of the labels."""
    file: Path | None
    """Where the next run looks for labels; None where nothing says so."""

    def sample(self, strata: Collection[str], count: int) -> list[Unlabelled]:
        """Return the first `count` rollouts of each stratum, mixed; empty ones are left out.

        Raises:
            InputError: These strata hold no rollout.
        """
        drawn: dict[str, int] = dict.fromkeys(strata, 0)
        sample = []
        for stratum, rollout in self.rollouts:
            if stratum in drawn and drawn[stratum] < count:
                drawn[stratum] += 1
                if rollout.response.strip():
                    sample.append(rollout)
        if not sample:
            raise InputError(
                "no rollout to label in these strata", where="--stratum", value=", ".join(strata)
            )
        return sample


def sampled_from_run(folder: Path, trait: str) -> Drawable:
    """Return the rollouts that a run's folder holds, with their strata for a trait.

    Args:
        folder: The run's folder.
        trait: The trait's name.

    Raises:
        InputError: The folder holds no run with strata, or the trait is unknown or has no rubric.
    """
    run, basis = open_run(folder), read_basis(folder)
    if trait not in basis.traits:
        raise InputError(f"the run has no trait {trait!r}", where="--trait", allowed=", ".join(basis.traits))
    content = basis.traits[trait].rubric
    rubric = _must(Rubric(**content) if content else None, trait)
    rows = [row for row in read_table(folder / "strata.parquet").to_pylist() if row["trait"] == trait]
    wanted = {(row["prompt_id"], row["teacher"]): row["stratum"] for row in rows}
    found: dict[tuple[str, str], Rollout] = {}
    for row in run.rollouts.to_pylist():
        key = row["prompt_id"], row["teacher"]
        if key in wanted:
            messages = tuple(Message(role=m["role"], content=m["content"]) for m in row["messages"])
            found[key] = Rollout(*key, messages, row["completion"], row["finish_reason"], row["tokens"])
    drawable = [(wanted[key], as_unlabelled(trait, found[key])) for key in wanted if key in found]
    return Drawable(drawable, rubric, _file_of_run(run, trait))


def _file_of_run(run: Run, trait: str) -> Path | None:
    """Return the file that the study names for a trait's labels, or that of the run's folder."""
    study = as_dict(yaml.safe_load((run.path / "study.yaml").read_text(encoding="utf-8")))
    # The verdicts stand in the order of the study's traits, which are named there by their files.
    named = dict(zip(run.traits, as_list(study.get("traits")), strict=False)).get(trait)
    root = Path(read_manifest(run.path).study).parent
    return labels_file(trait, as_dict(named).get("labels"), root, run.path)


def sampled_from_study(
    study: str | Path, trait: str, *, progress: Progress | None = None, **session: Any
) -> Drawable:
    """Make and judge a study's rollouts, as a run does, and return them with their strata for a trait.

    Args:
        study: The study's file, or a built-in study's name.
        trait: The trait's name.
        progress: Receives progress events, and is closed at the end; None: progress is not shown.
        **session: Further keywords of `Session`.

    Raises:
        InputError: The study is wrong, or the trait is unknown or has no rubric.
        BudgetSpent: The budget is spent. What was judged until then is kept.
        Waiting: Requests to endpoints wait in the batch file for a provider's answers.
    """
    loaded = load_study(study)
    inputs = load_inputs(loaded)
    traits = {known.name: number for number, known in enumerate(inputs.traits)}
    if trait not in traits:
        raise InputError(f"the study has no trait {trait!r}", where="--trait", allowed=", ".join(traits))
    number = traits[trait]
    rubric = _must(inputs.traits[number].rubric, trait)
    shown = progress or NullProgress()
    with Session(loaded, progress=shown, **session) as opened:
        rollouts = make_rollouts(opened, inputs)
        scores = score_rollouts(opened, inputs, rollouts)
        flagged, _ = flag_prompts(inputs, rollouts, scores, opened.store)
    shown.close()
    rows = strata_of(inputs, flagged, rollouts, scores)[trait]
    drawable = [(r.stratum, as_unlabelled(trait, rollouts[r.prompt_id, r.teacher])) for r in rows]
    named = loaded.config.traits[number].labels
    return Drawable(drawable, rubric, labels_file(trait, named, loaded.root, None))


def _must(rubric: Rubric | None, trait: str) -> Rubric:
    """Return the rubric; raise InputError where there is none."""
    if rubric is None:
        raise InputError(
            f"trait {trait!r} has no rubric to score by",
            where="--trait",
            fix="Add 'rubric' and 'range' to the trait file's judge.",
        )
    return rubric
