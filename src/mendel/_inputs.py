"""Everything that a study names, found and checked before any work starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mendel._version import __version__
from mendel.data.prompts import Prompt, load_prompts
from mendel.data.selectors import check_selector
from mendel.data.teachers import RolloutChunk, rollout_chunks
from mendel.diagnose.design import Side
from mendel.engine.digest import digest
from mendel.engine.errors import InputError, MendelError
from mendel.measure import Trait, builtin_assistant, find_trait
from mendel.models import Checkpoint, resolve_checkpoint
from mendel.study import Study, TraitConfig

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Loaded = TypeVar("Loaded")
SIDES: tuple[Side, Side] = ("original", "alternate")


@dataclass(frozen=True)
class Inputs:
    """A study's checkpoints, prompts, teachers and traits, as values."""

    study: Study
    bases: Mapping[Side, Checkpoint]
    prompts: Mapping[Side, tuple[Prompt, ...]]
    traits: tuple[Trait, ...]
    assistant: Trait
    teachers: Mapping[str, Checkpoint | None]
    """The checkpoint of each teacher that is used; None for finished rollouts."""
    chunks: tuple[RolloutChunk, ...]
    """All rollouts that the cube needs."""

    @property
    def shared(self) -> dict[str, bool]:
        """Which of base, prompts and teacher are the same in both pipelines."""
        config = self.study.config
        return {
            "base": self.bases["original"].digest == self.bases["alternate"].digest,
            "prompts": self.prompts["original"] == self.prompts["alternate"],
            "teacher": config.original.teacher == config.alternate.teacher,
        }

    @property
    def all_prompts(self) -> tuple[Prompt, ...]:
        """Both prompt sets, each prompt once."""
        return tuple({p.prompt_id: p for side in SIDES for p in self.prompts[side]}.values())

    @property
    def warnings(self) -> list[str]:
        """What is no fault of the study, but may mislead."""
        used = {c.ref: c for c in (*self.bases.values(), *self.teachers.values()) if c is not None}
        return [
            f"{ref}: its chat template writes today's date into every conversation, so that what was trained or "
            "measured on another day differs; set a template without strftime_now"
            for ref, checkpoint in used.items()
            if checkpoint.dated
        ]

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same study would give another result."""
        return digest(
            "run",
            {
                "version": __version__,
                "study": self.study.config.model_dump(mode="json"),
                "bases": [self.bases[side].digest for side in SIDES],
                "chunks": [chunk.digest for chunk in self.chunks],
                "prompts": [[p.prompt_id, p.source] for side in SIDES for p in self.prompts[side]],
                "traits": [trait.digest for trait in (*self.traits, self.assistant)],
            },
        )


def load_inputs(study: Study) -> Inputs:
    """Finds and checks all that a study names; raises InputError, with the study's line, for what is wrong."""
    config = study.config
    bases = {
        side: _at(study, (side, "base"), resolve_checkpoint, getattr(config, side).base) for side in SIDES
    }
    prompts = {
        side: _at(study, (side, "prompts"), load_prompts, getattr(config, side).prompts) for side in SIDES
    }
    _same_ids_same_prompts(study, prompts)
    teachers: dict[str, Checkpoint | None] = {}
    for name in dict.fromkeys(getattr(config, side).teacher for side in SIDES):
        model = config.teachers[name].model
        teachers[name] = (
            _at(study, ("teachers", name, "model"), resolve_checkpoint, model)
            if model.startswith("hf:")
            else None
        )
    traits = tuple(_trait(study, number, trait) for number, trait in enumerate(config.traits))
    names = [trait.name for trait in traits]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InputError(f"the trait {name!r} stands twice", where=study.lines.where("traits", number))
    assistant = (
        find_trait(config.assistant, study.root, study.lines.where("assistant"))
        if config.assistant
        else builtin_assistant()
    )
    check_selector(config.select, study.lines.where("select"))
    for number, own in enumerate(config.traits):
        if own.select is not None:
            check_selector(own.select, study.lines.where("traits", number, "select"))
    inputs = Inputs(study, bases, prompts, traits, assistant, teachers, ())
    if all(inputs.shared.values()):
        raise InputError(
            "the two pipelines come down to the same base, prompts and teacher: there is nothing to compare",
            where=study.lines.where("alternate"),
            fix="Let base, prompts or teacher differ.",
        )
    chunks = tuple(_chunks(study, inputs))
    return Inputs(study, bases, prompts, traits, assistant, teachers, chunks)


def _chunks(study: Study, inputs: Inputs) -> Iterator[RolloutChunk]:
    for name in inputs.teachers:
        yield from rollout_chunks(
            study.config.teachers[name],
            name,
            inputs.all_prompts,
            study.root,
            seed=0,
            where=study.lines.where("teachers", name, "model"),
        )


def _trait(study: Study, number: int, config: TraitConfig) -> Trait:
    trait = find_trait(config.name, study.root, study.lines.where("traits", number))
    return trait.with_samples(config.samples, study.lines.where("traits", number, "samples"))


def _same_ids_same_prompts(study: Study, prompts: Mapping[Side, tuple[Prompt, ...]]) -> None:
    known = {prompt.prompt_id: prompt for prompt in prompts["original"]}
    for prompt in prompts["alternate"]:
        if known.get(prompt.prompt_id, prompt) != prompt:
            raise InputError(
                f"prompt_id {prompt.prompt_id!r} stands for another prompt in the original set",
                where=study.lines.where("alternate", "prompts"),
                fix="Give prompts that differ different ids.",
            )


def _at(study: Study, location: tuple[str, ...], load: Callable[[str, Path], Loaded], ref: str) -> Loaded:
    """Loads what a value of the study names; an error also says which line of the study named it."""
    try:
        return load(ref, study.root)
    except (OSError, ValueError) as error:
        # What the operating system refuses: a name that is too long, a folder without the right to look into it.
        raise InputError(f"cannot be read: {error}", where=study.lines.where(*location), value=ref) from None
    except MendelError as error:
        line = study.lines.where(*location)
        where = f"{line}: {error.where}" if error.where else line
        raise type(error)(
            error.what, where=where, value=error.value, allowed=error.allowed, fix=error.fix
        ) from None
