"""The strata of the original teacher's rollouts, the labels of samples of them, and the judges' recall."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.data.rollouts import Rollout
from mendel.data.selectors import Flagged
from mendel.diagnose.recall import RECALL_AIM
from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.engine.interval import Interval
from mendel.measure import Label, Trait, Unlabelled, read_labels
from mendel.measure.recall import (
    FLAGGED,
    MILD,
    STRATA,
    UNSEEN,
    StratumLabels,
    drawing_order,
    labels_needed,
    recall,
    stratum_labels,
)
from mendel.results import tables
from mendel.results.known import RecallVerdict
from mendel.workflow.flagging import sort_answers
from mendel.workflow.inputs import Inputs
from mendel.workflow.judging import RolloutScores

if TYPE_CHECKING:
    import pyarrow as pa

LABELS = "labels"
"""The folder in a run's folder that holds labels of rollouts, a file a trait."""


@dataclass(frozen=True)
class PlacedRollout:
    """One of the original teacher's rollouts with its stratum for one trait: a row of the table `strata`."""

    trait: str
    prompt_id: str
    teacher: str
    stratum: str
    draw: int
    """Its place in the order in which rollouts are drawn for labels, from 1."""
    score: float | None
    second_score: float | None


@dataclass(frozen=True)
class RolloutLabels:
    """The labels that a study or a run's folder holds of one trait."""

    by_key: Mapping[str, Label]
    """By `Unlabelled.key`."""
    file: str
    """Where they stand, for messages."""

    @property
    def digest(self) -> str:
        """8 hex digits that change with any score."""
        return digest("labels", sorted([key, label.score] for key, label in self.by_key.items()))[:8]


def as_unlabelled(trait: str, rollout: Rollout) -> Unlabelled:
    """Return a rollout as a person labels it; scenario and cluster are the prompt's id."""
    prompt_id = rollout.prompt_id
    return Unlabelled(trait, prompt_id, prompt_id, tuple(rollout.messages), rollout.completion)


def strata_of(
    inputs: Inputs,
    flagged: Mapping[str, Flagged],
    rollouts: Mapping[tuple[str, str], Rollout],
    scores: Mapping[str, RolloutScores],
) -> dict[str, tuple[PlacedRollout, ...]]:
    """Return the original teacher's rollouts with their strata, by trait, in the drawing order.

    Args:
        inputs: The study's inputs.
        flagged: The flagged prompts, by trait.
        rollouts: By prompt and teacher.
        scores: The judges' scores of the rollouts, by trait.
    """
    teacher = inputs.study.config.original.teacher
    answers = [rollouts[prompt.prompt_id, teacher] for prompt in inputs.prompts["original"]]
    return {
        trait.name: tuple(
            _placed(trait.name, answers, flagged[trait.name].prompt_ids, scores[trait.name])
            if trait.name in flagged
            else _placed(trait.name, answers, (), scores[trait.name])
        )
        for trait in inputs.traits
    }


def _placed(
    trait: str, answers: Sequence[Rollout], flagged: Sequence[str], scores: RolloutScores
) -> Iterable[PlacedRollout]:
    found = sort_answers(answers, flagged, scores)
    stratum = dict.fromkeys(flagged, FLAGGED) | dict.fromkeys(found.mild, MILD)
    keys = [(answer.prompt_id, as_unlabelled(trait, answer).key) for answer in answers]
    for number, place in enumerate(drawing_order(trait, keys), 1):
        answer, second = answers[place], scores.second
        yield PlacedRollout(
            trait,
            answer.prompt_id,
            answer.teacher,
            stratum.get(answer.prompt_id, UNSEEN),
            number,
            scores.of(answer),
            None if second is None else second.of(answer),
        )


def strata_table(strata: Mapping[str, Sequence[PlacedRollout]]) -> pa.Table:
    """Return the table `strata`: the stratum of each of the original teacher's rollouts, by trait."""
    return tables.table("strata", [asdict(row) for rows in strata.values() for row in rows])


def labels_file(trait: str, named: str | None, root: Path, folder: Path | None) -> Path | None:
    """Return the file of a trait's labels, which need not be there; None where nothing says where.

    Args:
        trait: The trait's name.
        named: The study's key `labels`, such as `file:labels.jsonl`; None: the study has none.
        root: The study's folder.
        folder: The run's folder; None: there is no run.
    """
    if named is not None:
        return root / named.removeprefix("file:")
    return None if folder is None else folder / LABELS / f"{trait}.jsonl"


def read_rollout_labels(inputs: Inputs, folder: Path | None = None) -> dict[str, RolloutLabels]:
    """Return the labels of rollouts that the study names or a run's folder holds, by trait.

    Args:
        inputs: The study's inputs.
        folder: The run's folder; None: only files that the study names are read.

    Raises:
        InputError: A file that the study names is missing, a trait with labels has no rubric, or a label is
            wrong or by another rubric.
    """
    found: dict[str, RolloutLabels] = {}
    for number, (trait, config) in enumerate(zip(inputs.traits, inputs.study.config.traits, strict=True)):
        file = labels_file(trait.name, config.labels, inputs.study.root, folder)
        if file is None or (config.labels is None and not file.exists()):
            continue
        where = inputs.study.lines.where("traits", number, "labels") if config.labels else str(file)
        if not file.exists():
            raise InputError(
                "there is no such file of labels",
                where=where,
                value=config.labels,
                fix="Make it with `mendel judge label STUDY --stratum unseen --trait "
                f"{trait.name}`, or leave the key out.",
            )
        if trait.rubric is None:
            raise InputError(
                f"trait {trait.name!r} has no rubric that labels could be by",
                where=where,
                fix="Add 'rubric' and 'range' to the trait file's judge.",
            )
        labels = read_labels(file, trait.name, trait.rubric)
        name = config.labels or f"{LABELS}/{trait.name}.jsonl"
        found[trait.name] = RolloutLabels({label.of.key: label for label in labels}, name)
    return found


def recall_of(
    trait: Trait,
    rows: Sequence[PlacedRollout],
    rollouts: Mapping[tuple[str, str], Rollout],
    labels: RolloutLabels | None,
    judges: Sequence[str],
) -> RecallVerdict:
    """Return the judges' recall on the original teacher's rollouts, as far as labels say it.

    Args:
        trait: The trait; a label above its rubric's least score says that a rollout shows the trait.
        rows: The rollouts' strata, in the drawing order.
        rollouts: By prompt and teacher.
        labels: The trait's labels; None: there are none.
        judges: The ids of the judges that sorted the rollouts.
    """
    shows: dict[str, list[bool | None]] = {name: [] for name in STRATA}
    for row in rows:
        rollout = rollouts[row.prompt_id, row.teacher]
        shows[row.stratum].append(_shows(trait, rollout, labels))
    counts = {name: stratum_labels(values) for name, values in shows.items()}
    if labels is None:
        counts = {name: StratumLabels(len(values), 0, 0) for name, values in shows.items()}
    parts = (counts[FLAGGED], counts[MILD], counts[UNSEEN])
    found = recall(*parts) if labels is not None else Interval(why="no rollout is labelled")
    short = found.low is not None and found.low < RECALL_AIM
    return RecallVerdict(
        found,
        {name: count.labelled for name, count in counts.items()},
        {name: count.shows for name, count in counts.items()},
        {name: count.size for name, count in counts.items()},
        tuple(judges),
        labels_needed(*parts, RECALL_AIM) if short else None,
        labels.digest if labels is not None else "",
    )


def _shows(trait: Trait, rollout: Rollout, labels: RolloutLabels | None) -> bool | None:
    """Return whether a label says that a rollout shows the trait, however mildly; None without a label.

    An empty rollout shows nothing, and nobody is asked about it.
    """
    if labels is None or trait.rubric is None:
        return None
    if not rollout.completion.strip():
        return False
    label = labels.by_key.get(as_unlabelled(trait.name, rollout).key)
    return None if label is None else label.score > trait.rubric.low


def recalls_of(
    inputs: Inputs,
    strata: Mapping[str, Sequence[PlacedRollout]],
    rollouts: Mapping[tuple[str, str], Rollout],
    scores: Mapping[str, RolloutScores],
    labels: Mapping[str, RolloutLabels],
) -> tuple[dict[str, RecallVerdict], list[str]]:
    """Return the judges' recall by trait, and a warning for labels of which none is of a rollout."""
    found, warnings = {}, []
    for trait in inputs.traits:
        own = labels.get(trait.name)
        found[trait.name] = recall_of(trait, strata[trait.name], rollouts, own, scores[trait.name].judges)
        answers = (rollouts[row.prompt_id, row.teacher] for row in strata[trait.name])
        if own and not any(as_unlabelled(trait.name, answer).key in own.by_key for answer in answers):
            warnings.append(
                f"{trait.name}: none of the {len(own.by_key)} labels in {own.file} is of a rollout of the "
                "original teacher, so the judge's recall stays unknown"
            )
    return found, warnings
