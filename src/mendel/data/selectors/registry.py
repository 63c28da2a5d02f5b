"""What a selector is: a function that scores candidates in a context; and the registry of all selectors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, TypeVar, cast

from mendel.data.prompts import Message
from mendel.engine.digest import digest
from mendel.engine.errors import InputError
from mendel.engine.registry import Registry, callable_with
from mendel.models import Checkpoint
from mendel.study.schema import SelectConfig

Made = TypeVar("Made")


@dataclass(frozen=True, slots=True)
class Candidate:
    """One row of SFT data that a selector scores: a prompt and the teachers' answers to it."""

    prompt_id: str
    messages: tuple[Message, ...]
    """The prompt, as a student is trained on it."""
    completion: str
    """The original teacher's answer."""
    alternate: str | None = None
    """The alternate teacher's answer; None where there is none."""
    source: str = ""

    @property
    def content(self) -> list[Any]:
        """Everything that a score may depend on, as JSON values."""
        turns = [[m["role"], m["content"]] for m in self.messages]
        return [self.prompt_id, self.source, turns, self.completion, self.alternate]


@dataclass(frozen=True)
class Answer:
    """An answer in its conversation, of which it is known whether it shows the trait."""

    messages: tuple[Message, ...]
    text: str


@dataclass(frozen=True)
class ContrastSet:
    """Answers with and without the trait, on which probes, directions and gradients are fitted.

    The two groups should differ in nothing else. If the clean answers come from another teacher, a probe
    learns the difference between the teachers. Some clean answers of the same teacher prevent that.
    """

    shows: tuple[Answer, ...] = ()
    clean: tuple[Answer, ...] = ()


@dataclass(frozen=True)
class Context:
    """Everything that a selector may use beside the candidates; all of it is part of the scores' key."""

    config: SelectConfig
    """The study's `select:` section."""
    seed: int = 0
    """Random seed, for selectors that draw."""
    judge: Callable[[Sequence[Candidate]], Sequence[float | None]] | None = None
    """Scores the original teacher's answers on the trait's scale, None where it cannot tell.

    None: there is no trait.
    """
    judge_id: str = ""
    """The judge's id, which changes with everything that its scores depend on."""
    scenarios: tuple[tuple[Message, ...], ...] = ()
    """The conversations that the trait is measured on."""
    contrast: ContrastSet = ContrastSet()
    base: Checkpoint | None = None
    """The model that students start from: selectors read its activations, losses and gradients."""
    teachers: tuple[Checkpoint, Checkpoint] | None = None
    """The original and the alternate teacher, where both are checkpoints."""
    # Not of __init__, so that `dataclasses.replace` does not hand over what was made from other fields.
    _made: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)

    def once(self, name: str, make: Callable[[], Made]) -> Made:
        """Return the value of `make`, which is called the first time only: a loaded model, a fitted probe.

        Args:
            name: The value's name in this context.
            make: Returns the value.
        """
        if name not in self._made:
            self._made[name] = make()
        return cast("Made", self._made[name])

    @cached_property
    def key(self) -> str:
        """Digest of everything that a score may depend on, apart from the candidate."""
        # How the scores are cut changes none of them.
        config = self.config.model_copy(update={"share": None, "threshold": None})
        checkpoints = [self.base, *(self.teachers or ())]
        return digest(
            "selector-context",
            [
                config.model_dump(mode="json"),
                self.seed,
                self.judge_id,
                [[dict(m) for m in scenario] for scenario in self.scenarios],
                asdict(self.contrast),
                [checkpoint and checkpoint.digest for checkpoint in checkpoints],
            ],
        )

    @cached_property
    def options(self) -> Any:
        """The study's `select.options` as the selector declares them, such as an instance of its model."""
        return selectors.parse_options(self.config.by, self.config.options)

    def need_base(self) -> Checkpoint:
        """Return the base.

        Raises:
            InputError: There is none.
        """
        if self.base is None:
            raise InputError(
                f"the {self.config.by} selector looks into the base model, and none is given",
                fix="Give the base, or take a selector that reads texts alone.",
            )
        return self.base

    def need_contrast(self) -> ContrastSet:
        """Return the answers with and without the trait.

        Raises:
            InputError: The trait has none.
        """
        if not self.contrast.shows or not self.contrast.clean:
            raise InputError(
                f"the {self.config.by} selector is fitted on answers that show the trait and answers that do "
                "not, and "
                "the trait has none",
                fix="Give the trait's file 'log_odds' (a trait and a clean answer), or take by: judge.",
            )
        return self.contrast


Selector = Callable[[Sequence[Candidate], Context], Sequence[float]]

selectors: Registry[Selector] = Registry("selector", check=callable_with("candidates", "context"))
selector = selectors.register
"""Decorator that registers a selector: a function of (candidates, context) that returns a score each.

A higher score means more of the trait. Scores are finite, in the candidates' order, and independent of the
other candidates of the batch. The function is called with one batch after another; `context.once` keeps what
it makes for all batches. `@selector("name", options=MODEL)` declares options, which are `context.options`.

    @mendel.selector("questions")
    def questions(candidates: Sequence[Candidate], context: Context) -> list[float]:
        return [float(candidate.completion.count("?")) for candidate in candidates]
"""
