"""The content of `verdicts.json` as types, with the one pair of functions that reads and writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mendel.engine.errors import InputError
from mendel.engine.interval import Interval
from mendel.engine.store import write_atomic
from mendel.results.advice import RecommendationVerdict
from mendel.results.known import IngredientVerdict, RecallVerdict, ShownVerdict
from mendel.results.leaks import LeakVerdict
from mendel.results.provenance import ArmWords, EndpointUse, PluginUse
from mendel.results.records import by, optional, read_record, record_json

VERDICTS = "verdicts.json"
UNDECIDED = "undecided"
STATES = ("difference", "shared", "absent", UNDECIDED)
"""What a trait's state can be."""


@dataclass(frozen=True)
class FlaggedVerdict:
    """The prompts that the study's selector flagged for one trait."""

    selector: str = ""
    """The selector and its cut, in words."""
    count: int | None = None
    """Number of flagged prompts."""
    of: int | None = None
    """Number of prompts in the original prompt set."""
    alternate_shows: float | None = None
    """Share (0 to 1) of the flagged prompts on which the alternate teacher shows the trait, too."""


@dataclass(frozen=True)
class Level:
    """How much of a trait one arm shows."""

    interval: Interval = Interval()
    """The arm's mean level on the trait's scale."""
    n_students: int | None = None
    """Number of usable students in the arm."""


@dataclass(frozen=True)
class ContrastVerdict:
    """A weighted difference between arms, as measured."""

    id: str = ""
    """Name of the contrast; hypotheses refer to it."""
    kind: str = ""
    """What the contrast compares: `total`, an effect, an edit, or a mechanism."""
    arms: tuple[str, ...] = ()
    """The two arms (or groups of arms, such as `cube/O**`): the first minus the second."""
    n_students: int | None = None
    """Number of usable students on both sides."""
    reads: str = ""
    """The contrast and its value in a sentence."""
    interval: Interval = Interval()
    """The difference on the trait's scale."""


@dataclass(frozen=True)
class PredictionVerdict:
    """One prediction of a hypothesis, tested."""

    says: str = ""
    """The prediction in words."""
    size: str = ""
    """What the contrast must be: `most` (more than half of the difference between the pipelines), `little`
    (less than half of it), or `measured` (known, whatever it is)."""
    outcome: str = ""
    """`holds`, `fails`, `open` (not decided), `missing` (not trained), `lost` (not known) or `impossible` (in
    this study)."""
    contrasts: tuple[str, ...] = ()
    """Ids of the contrasts that test it; of several, one has to be so."""


@dataclass(frozen=True)
class HypothesisVerdict:
    """What the contrasts say of one hypothesis."""

    status: str = "untested"
    """`supported`, `refuted`, `undecided` or `untested`."""
    why: str = ""
    """The reason in words; begins with `impossible:` where this study cannot test it."""
    contrasts: tuple[str, ...] = ()
    """Ids of the contrasts that decided it."""
    predictions: tuple[PredictionVerdict, ...] = ()
    """Every prediction with its outcome; of a hypothesis with two forms, those of the form that says most for
    it."""
    title: str = ""
    """Name of the hypothesis in words."""
    says: str = ""
    """What the hypothesis claims."""
    means: str = ""
    """The beginning of the sentence that names the hypothesis as the cause."""

    @property
    def impossible(self) -> bool:
        """Whether this study cannot test it: both sides of a contrast would be the same students."""
        return self.status == "untested" and self.why.startswith("impossible")


@dataclass(frozen=True)
class PartVerdict:
    """Whether one part of the pipeline carries the trait."""

    decision: str = UNDECIDED
    """`carries most` (shown to make more than half of the difference between the pipelines), `carries` (more
    than a quarter), `does not carry` (less than a quarter) or `undecided`."""
    interval: Interval = Interval()
    """The part's effect minus a quarter of the difference between the pipelines, with the interval that
    decides."""


@dataclass(frozen=True)
class Interpolation:
    """The trait's level by the share of prompts that the original teacher answers."""

    shares: tuple[float | None, ...] = ()
    """Shares (0 to 1) of the prompts, drawn at random, that the original teacher answers."""
    arms: tuple[str, ...] = ()
    """The arm of each share."""
    levels: tuple[Interval, ...] = ()
    """The level of each share."""
    half_way: Interval | None = None
    """The share (0 to 1) at which half of the difference is there."""
    why: str = ""
    """Why there is no half-way share."""


@dataclass(frozen=True)
class LogOddsVerdict:
    """The same measurements in log-odds of the trait's answer (nats), which show small changes, too."""

    scale: str = ""
    """The scale in words."""
    original: Interval = Interval()
    """Level of the original pipeline, in nats."""
    alternate: Interval = Interval()
    """Level of the alternate pipeline, in nats."""
    effects: Mapping[str, Interval] = by("effect")
    """Effects, in nats."""
    levels: Mapping[str, Interval] = by("arm")
    """Level of each arm, in nats."""
    contrasts: Mapping[str, Interval] = by("contrast")
    """Contrasts by id, in nats."""


@dataclass(frozen=True)
class LocationPart:
    """How much of the difference between the pipelines one part of their data carries."""

    brings: Interval | None = None
    """What the part alone brings in, as a share of original minus alternate; null where it is unknown."""
    takes: Interval | None = None
    """What goes when the part is taken out, as a share of original minus alternate; null where it is unknown.
    """
    decision: str = UNDECIDED
    """`carries` (one of the two shares is shown to be above a quarter), `does not carry` (both are shown to
    be below) or `undecided`."""
    why: str = ""
    """Why a share is unknown, or what the decision reads."""


@dataclass(frozen=True)
class SentenceSaid:
    """A sentence of the verdict; docs/sentences.md says when it may appear."""

    key: str = ""
    """Key of the sentence."""
    text: str = ""
    """The sentence with its numbers."""


@dataclass(frozen=True)
class RecipeVerdict:
    """Whether a verdict holds under another recipe."""

    recipe: str = ""
    """The recipe in words."""
    difference: Interval = Interval()
    """The original pipeline minus the alternate one under this recipe, on the trait's scale."""
    contrasts: Mapping[str, Interval] = by("contrast")
    """Every contrast that decided the verdict, as a share of the difference under this recipe."""
    holds: str = UNDECIDED
    """`yes`, `no` or `undecided`, by the estimates: whether the difference is there, and every share lies on
    the side that decided."""
    why: str = ""
    """What changes, or why nothing is known; empty where it holds."""
    students: int | None = None
    """Usable students of the arm that has fewest."""


@dataclass(frozen=True)
class TraitVerdict:
    """Everything that a run says of one trait. E stands on the trait's own scale, unless said otherwise."""

    present: bool | None = None
    """Whether `state` is `difference`; for readers that do not know the states."""
    state: str | None = optional()
    """`difference` (the original pipeline is shown to have more of it), `shared` (both pipelines show it,
    neither more than twice as much), `absent` (no student of either shows it) or `undecided`."""
    original: Interval = Interval()
    """Level of the original pipeline."""
    alternate: Interval = Interval()
    """Level of the alternate pipeline."""
    effects: Mapping[str, Interval] = by("effect")
    """Effects of `base`, `prompts` and `teacher`, the `interaction`, the pairs such as `base:teacher`, and
    the `total`:
    the original side minus the alternate one, averaged over the other parts."""
    carrier: str = UNDECIDED
    """The part that carries the trait: `teacher`, `prompts`, `base`, `mixed`, `none` or `undecided`."""
    cause: str = UNDECIDED
    """The supported hypothesis that explains most, `none` or `undecided`."""
    location: Mapping[str, LocationPart] | None = optional()
    """Where the difference sits, by part: `flagged` (rollouts that the filter flags), `mild` (a judge sees
    them, below the threshold), `unseen` (no judge sees anything), `prompts_present` (the original prompts are
    there), `prompts_absent` (the alternate ones are not), `base`, `combination` (of more than one part).
    Empty where the state is no difference."""
    recommendation: RecommendationVerdict | None = optional()
    """What to do about the trait."""
    hypotheses: Mapping[str, HypothesisVerdict] = by("hypothesis")
    """What the contrasts say of every hypothesis."""
    contrasts: tuple[ContrastVerdict, ...] = ()
    """Every contrast that was measured."""
    summary: str = ""
    """The state, where it sits, and what the edits leave: the first of `sentences`, joined."""
    explanation: str = ""
    """What is said of the cause: the other `sentences`, joined."""
    sentences: tuple[SentenceSaid, ...] = ()
    """Every sentence of the verdict, in its order."""
    scale: str = ""
    """The trait's scale in words."""
    unit: float | None = None
    """Width of the trait's scale: 1 for a rate."""
    metric: str = "rate"
    """`rate` (share of responses that are hits) or `mean` (mean score)."""
    judge: str = ""
    """The judge that scored the responses, with its version."""
    flagged: FlaggedVerdict = FlaggedVerdict()
    """The prompts that the study's selector flagged."""
    recall: RecallVerdict | None = optional()
    """How much of the trait in the original teacher's rollouts the judges see."""
    smallest_effect: float | None = None
    """The smallest difference of interest."""
    training_noise: bool | None = None
    """Whether the noise of training is known: some arm has two usable students."""
    carrier_why: str = ""
    """The reason for `carrier`, in words."""
    state_why: str = ""
    """The reason for `state`, in words."""
    decisions: Mapping[str, PartVerdict] = by("part")
    """The three decisions behind `carrier`."""
    levels: Mapping[str, Level] = by("arm")
    """Level of each arm."""
    interpolation: Interpolation | None = None
    """The trait by the share of prompts that the original teacher answers."""
    log_odds: LogOddsVerdict | None = None
    """The same in log-odds; null where the trait has none."""
    moves_with: tuple[str, ...] = ()
    """Other traits that the same persona brings."""
    control: Mapping[str, Interval] | None = optional()
    """How often the trait's controls, in which it is right, are met by the `original` and the `alternate`
    pipeline."""
    robustness: Mapping[str, RecipeVerdict] | None = optional()
    """Whether the verdict holds under other recipes (`third` and `triple` of the learning rate, the other
    `method`), where the study asks for `robustness`."""
    leaks: LeakVerdict | None = optional()
    """The leak ladder, where it was measured."""
    ingredients: Mapping[str, IngredientVerdict] | None = optional()
    """The checks of `sister`, `rewriter`, `pretrained` and `counter`."""
    alternate_shows: Mapping[str, ShownVerdict] | None = optional()
    """How often the alternate teacher shows the trait: on all original `prompts`, and on the `flagged`."""

    @property
    def known_state(self) -> str:
        """The state; of a folder that does not know states, `difference` where the trait is called present,
        and otherwise `undecided`.
        """
        if self.state in STATES:
            return self.state or UNDECIDED
        return "difference" if self.present and self.state is None else UNDECIDED

    @classmethod
    def read(cls, content: object) -> TraitVerdict:
        """Return a trait's verdict from its part of verdicts.json, whatever that holds."""
        return read_record(cls, content)


@dataclass(frozen=True)
class Verdicts:
    """The whole of verdicts.json."""

    schema: int | None = None
    """Version of this format."""
    study: str = ""
    """Name of the study."""
    students_trained: int | None = None
    """Number of students that this run trained."""
    students_reused: int | None = None
    """Number of students that the store already had."""
    wall_seconds: float | None = None
    """Duration of the run, in seconds."""
    dollars: float | None = None
    """What endpoints took, in US dollars."""
    warnings: tuple[str, ...] = ()
    """What a reader must know beside the numbers."""
    traits: Mapping[str, TraitVerdict] = by("trait")
    """The verdict of each trait."""
    cube: Mapping[str, str] = by("corner")
    """The arm at each corner (`OOO`: base, prompts and teacher of the original); corners that do not differ
    share one."""
    arms: Mapping[str, ArmWords] = by("arm")
    """What to call each arm."""
    complete: bool | None = None
    """False where the run stopped before its end."""
    endpoints: EndpointUse = field(default_factory=EndpointUse)
    """What the run took of endpoints."""
    versions: Mapping[str, str] = by("package")
    """Versions of mendel, Python and the packages that the numbers depend on."""
    plugins: tuple[PluginUse, ...] = ()
    """The plug-ins of other packages that took part."""
    commit: str | None = optional()
    """The commit of mendel."""
    judged_again: Mapping[str, str] | None = optional()
    """In the folder of a second judge: its name, by trait."""

    @classmethod
    def read(cls, content: object) -> Verdicts:
        """Return the verdicts from parsed JSON, whatever that holds."""
        return read_record(cls, content)


def load_verdicts(path: Path) -> dict[str, Any]:
    """Return the JSON object of a verdicts.json; raise InputError where the file is missing or holds none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (FileNotFoundError, NotADirectoryError):
        raise InputError(
            "no verdicts.json: no finished run of mendel",
            where=str(path.parent),
            fix="Give the folder that `mendel run` wrote.",
        ) from None
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"no JSON: {error}", where=str(path), fix="Run the study again: it resumes."
        ) from None
    if not isinstance(content, dict):
        raise InputError("no JSON object", where=str(path), fix="Run the study again: it resumes.")
    return content


def read_verdicts(folder: Path) -> Verdicts:
    """Return the verdicts of a run's folder.

    Args:
        folder: The run's folder.

    Returns:
        The verdicts; what the file lacks is None, empty or `undecided`.

    Raises:
        InputError: verdicts.json is missing or holds no JSON object.
    """
    return Verdicts.read(load_verdicts(folder / VERDICTS))


def write_verdicts(folder: Path, verdicts: Verdicts | Mapping[str, Any]) -> None:
    """Write verdicts.json into a folder, atomically.

    Args:
        folder: The run's folder, or that of a second judge.
        verdicts: The verdicts, as a value or as a JSON object.

    Raises:
        ValueError: A number is not finite.
    """
    content = record_json(verdicts) if isinstance(verdicts, Verdicts) else verdicts
    text = json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)
    write_atomic(folder / VERDICTS, text + "\n")
