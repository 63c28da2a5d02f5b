"""The inputs of a study: load and check everything that the study names, before any work starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from mendel._version import __version__
from mendel.data.prompts import Prompt, load_prompts
from mendel.data.rollouts import Rollout
from mendel.data.selectors import check_selector
from mendel.data.teachers import RolloutChunk, rewriting_chunks, rollout_chunks
from mendel.design.arms import BaseName
from mendel.diagnose.hypotheses import differences
from mendel.diagnose.remedies import all_remedies
from mendel.engine.digest import digest
from mendel.engine.errors import InputError, MendelError
from mendel.engine.executors import executors
from mendel.measure import Trait, builtin_assistant, find_trait, judged_by, needs_model
from mendel.models import Checkpoint, ModelSource, resolve_checkpoint, resolve_model
from mendel.study import Study, TraitConfig
from mendel.study.cube import SIDES as SIDES
from mendel.study.cube import Side
from mendel.study.references import parse_reference
from mendel.train.trainers import trainers
from mendel.workflow.counter import counter_examples
from mendel.workflow.flagging_judges import flagging_traits, judge_warnings
from mendel.workflow.rewriter import with_rewriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class Inputs:
    """A study's checkpoints, prompts, teachers and traits, as values."""

    study: Study
    bases: Mapping[BaseName, Checkpoint]
    """The bases of the two pipelines, and the `sister` and `pretrained` bases if the study names them."""
    prompts: Mapping[Side, tuple[Prompt, ...]]
    traits: tuple[Trait, ...]
    assistant: Trait
    teachers: Mapping[str, ModelSource | None]
    """The model of each teacher that is used; None for finished rollouts and plug-in teachers."""
    counter: Mapping[str, tuple[Prompt, ...]]
    """Counter-example prompts by trait; traits without counter-examples are left out."""
    chunks: tuple[RolloutChunk, ...]
    """All rollouts that any arm may need."""
    flagging: Mapping[str, Trait] = field(default_factory=dict)
    """The traits with a flagging judge, by name, each with this judge in place of the evaluating one."""
    lacking: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """By trait: why an ingredient could not be made, by its name in `LACKING`."""
    notes: tuple[str, ...] = ()
    """What a reader must know of the ingredients that were made, in sentences."""
    rewriter_made: bool = False
    """Whether the run made the rewriter: where its model cannot rewrite, the run goes on without."""

    @property
    def shared(self) -> dict[str, bool]:
        """Whether base, prompts and teacher are the same in both pipelines."""
        config = self.study.config
        return {
            "base": self.bases["original"].digest == self.bases["alternate"].digest,
            "prompts": self.prompts["original"] == self.prompts["alternate"],
            "teacher": config.original.teacher == config.alternate.teacher,
        }

    def flags(self, trait: Trait) -> Trait:
        """Return a trait with the judge whose scores flag prompts: its flagging judge, or else its judge."""
        return self.flagging.get(trait.name, trait)

    @property
    def all_prompts(self) -> tuple[Prompt, ...]:
        """The prompts of both sets, each prompt once."""
        return tuple({p.prompt_id: p for side in SIDES for p in self.prompts[side]}.values())

    def answered_by(self, teacher: str) -> tuple[Prompt, ...]:
        """Return the prompts that a teacher of the study answers."""
        config = self.study.config
        prompts: list[Prompt] = []
        if teacher in (config.original.teacher, config.alternate.teacher):
            prompts += self.all_prompts
        if teacher == config.alternate.teacher:
            prompts += [prompt for examples in self.counter.values() for prompt in examples]
        if teacher == config.rewriter:
            prompts += self.prompts["original"]
        return tuple({prompt.prompt_id: prompt for prompt in prompts}.values())

    def rewriting(self, rollouts: Mapping[tuple[str, str], Rollout]) -> tuple[RolloutChunk, ...]:
        """Return the chunks of teachers that rewrite `rollouts`."""
        return tuple(
            chunk
            for name in self.teachers
            for chunk in rewriting_chunks(
                self.study.config.teachers[name],
                name,
                self.answered_by(name),
                rollouts,
                self.study.root,
                seed=0,
                where=self.study.lines.where("teachers", name, "rewrites"),
            )
        )

    @property
    def probes(self) -> tuple[Trait, ...]:
        """The traits with their controls and, if the study asks for them, the rungs of their ladders."""
        ladder = self.study.config.ladder
        return tuple(
            probe
            for trait in self.traits
            for probe in (*trait.parts, *(trait.rungs.values() if ladder else ()))
        )

    @property
    def warnings(self) -> list[str]:
        """Warnings about settings that are allowed but may mislead, with what they leave unsaid."""
        sources = (source.checkpoint for source in self.teachers.values() if source is not None)
        used = {c.ref: c for c in (*self.bases.values(), *sources) if c is not None}
        dated = [
            f"{ref}: its chat template writes today's date into every conversation, so that what was trained "
            "or measured on another day differs; set a template without strftime_now"
            for ref, checkpoint in used.items()
            if checkpoint.dated
        ]
        return [*dated, *self.notes, *_too_few(self), *judge_warnings(self.traits, self.flagging)]

    @property
    def fingerprint(self) -> str:
        """A digest that changes whenever the same study would give another result."""
        return digest(
            "run",
            {
                "version": __version__,
                # Where jobs run changes no result; labels change no student, and have a digest of their own.
                "study": self.study.config.model_dump(
                    mode="json", exclude={"engine": True, "traits": {"__all__": {"labels"}}}
                ),
                "bases": {name: base.digest for name, base in self.bases.items()},
                "chunks": [chunk.digest for chunk in self.chunks],
                # A rewriter has no chunks yet: its prompts are other teachers' rollouts.
                "teachers": {name: t.digest for name, t in self.teachers.items() if t is not None},
                "prompts": [[p.prompt_id, p.source] for side in SIDES for p in self.prompts[side]],
                "traits": [trait.digest for trait in (*self.probes, self.assistant)],
                "flagging": {name: trait.judge_id for name, trait in self.flagging.items()},
            },
        )


def load_inputs(study: Study) -> Inputs:
    """Load and check everything that a study names.

    Args:
        study: The study.

    Returns:
        The study's checkpoints, prompts, teachers and traits.

    Raises:
        InputError: Something that the study names is missing or wrong; the error names the study's line.
    """
    named = study.config.teachers
    study, no_rewriter = with_rewriter(_with_plugins(study))
    config = study.config
    bases = _bases(study)
    _who_answers(study, bases)
    prompts = {
        side: _at(study, (side, "prompts"), load_prompts, getattr(config, side).prompts) for side in SIDES
    }
    _same_ids_same_prompts(study, prompts)
    teachers = _teachers(study)
    traits = _traits(study)
    assistant = _assistant(study)
    check_selector(config.select, study.lines.where("select"), partial(study.lines.where, "select"))
    for number, trait in enumerate(config.traits):
        if trait.select is not None:
            line = partial(study.lines.where, "traits", number, "select")
            check_selector(trait.select, line(), line)
    inputs = Inputs(study, bases, prompts, traits, assistant, teachers, {}, ())
    counter = counter_examples(
        study,
        traits,
        inputs.all_prompts,
        inputs.shared,
        lambda number, ref: _at(study, ("traits", number, "counter_examples"), load_prompts, ref),
    )
    inputs = replace(
        inputs,
        traits=counter.traits,
        counter=counter.prompts,
        lacking=_lacking(traits, counter.lacking, no_rewriter),
        notes=counter.notes,
        rewriter_made=config.rewriter is not None and config.rewriter not in named,
    )
    inputs = replace(inputs, flagging=flagging_traits(study, inputs.traits))
    if all(inputs.shared.values()):
        raise InputError(
            "the two pipelines come down to the same base, prompts and teacher: there is nothing to compare",
            where=study.lines.where("alternate"),
            fix="Let base, prompts or teacher differ.",
        )
    chunks = tuple(_chunks(study, inputs))
    return replace(inputs, chunks=chunks)


def _lacking(traits: Sequence[Trait], counter: Mapping[str, str], rewriter: str) -> dict[str, dict[str, str]]:
    """Return why ingredients are missing, by trait and by their name."""
    no_rewriter = {"rewriter": f"there is no rewriter: {rewriter}"} if rewriter else {}
    return {
        trait.name: ({"counter": counter[trait.name]} if trait.name in counter else {}) | no_rewriter
        for trait in traits
    }


def _too_few(inputs: Inputs) -> list[str]:
    """Return what one cluster of scenarios, or one seed, leaves unsaid."""
    config = inputs.study.config
    sentences = [
        f"{trait.name}: all of its {len(trait.scenarios)} scenarios are in one cluster, so no interval can "
        "be given, and nothing is decided of it; say in 'cluster' which scenarios are alike"
        for trait in inputs.traits
        if trait.inspect is None and len({scenario.cluster for scenario in trait.scenarios}) == 1
    ]
    if (config.max_seeds or config.seeds) < 2:
        sentences.append(
            "seeds: 1, so the noise of training is not known, and no carrier, cause or remedy is named; "
            "write 2 or more"
        )
    return sentences


def _with_plugins(study: Study) -> Study:
    """Return the study with its trainer's full name. Students are stored under this name, so that trainers of
    two packages that share a plain name share no students.

    Raises:
        InputError: An executor or a trainer is not there (with the study's line), or hypotheses or remedies
            cannot be loaded. These take part in every study.
    """
    executors.full_name(study.config.engine, where=study.lines.where("engine"))
    recipe = study.config.recipe
    trainer = trainers.full_name(recipe.trainer, where=study.lines.where("recipe", "trainer"))
    differences()
    all_remedies()
    if trainer == recipe.trainer:
        return study
    recipe = recipe.model_copy(update={"trainer": trainer})
    return replace(study, config=study.config.model_copy(update={"recipe": recipe}))


def _bases(study: Study) -> dict[BaseName, Checkpoint]:
    config = study.config
    bases: dict[BaseName, Checkpoint] = {
        side: _at(study, (side, "base"), resolve_checkpoint, getattr(config, side).base) for side in SIDES
    }
    if config.sister is not None:
        bases["sister"] = _at(study, ("sister",), resolve_checkpoint, config.sister)
    if config.pretrained is not None:
        bases["pretrained"] = _at(study, ("pretrained",), resolve_checkpoint, config.pretrained)
    return bases


def _teachers(study: Study) -> dict[str, ModelSource | None]:
    """Return the model of each teacher that the study uses; None for a teacher that is no model."""
    config = study.config
    rewriters = [config.rewriter] if config.rewriter else []
    teachers: dict[str, ModelSource | None] = {}
    for name in dict.fromkeys([config.original.teacher, config.alternate.teacher, *rewriters]):
        teacher = config.teachers[name]
        find = partial(resolve_model, endpoint=teacher.endpoint)
        is_model = parse_reference(teacher.model).names_model
        teachers[name] = _at(study, ("teachers", name, "model"), find, teacher.model) if is_model else None
    return teachers


def _traits(study: Study) -> tuple[Trait, ...]:
    """Return the study's traits; raise InputError for a repeated trait, and for ladders that no trait has."""
    traits = tuple(_trait(study, number, trait) for number, trait in enumerate(study.config.traits))
    names = [trait.name for trait in traits]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise InputError(f"the trait {name!r} stands twice", where=study.lines.where("traits", number))
    if study.config.ladder and not any(trait.ladder for trait in traits):
        raise InputError(
            "none of the traits has a ladder to measure",
            where=study.lines.where("ladder"),
            fix="Give a trait file a 'ladder', or leave out ladder: true.",
        )
    return traits


def _assistant(study: Study) -> Trait:
    """Return the assistant's probe; raise InputError if a model judges it."""
    config = study.config
    assistant = (
        find_trait(config.assistant, study.root, study.lines.where("assistant"))
        if config.assistant
        else builtin_assistant()
    )
    if needs_model(assistant):
        raise InputError(
            "the assistant's probe cannot be judged by a model: "
            "its answers have to be plainly right or wrong",
            where=study.lines.where("assistant"),
            fix="Judge it by rules, such as a 'right' pattern for every scenario.",
        )
    return assistant


def _who_answers(study: Study, bases: Mapping[BaseName, Checkpoint]) -> None:
    """Raise InputError unless one engine can answer for all bases and their students."""
    served = {base.served for base in bases.values()}
    if len(served) > 1:
        raise InputError(
            "vLLM answers for some of the bases alone: "
            "a difference between engines would look like an effect of the bases",
            where=study.lines.where("original", "base"),
            value=[base.ref for base in bases.values()],
            fix="Write vllm: for all bases, or hf: for all.",
        )
    if True in served and study.config.recipe.method != "lora":
        raise InputError(
            "vLLM answers for adapters alone: "
            "a student with weights of its own would need an engine of its own",
            where=study.lines.where("recipe", "method"),
            value=study.config.recipe.method,
            allowed="lora",
            fix="Write hf: in place of vllm: for the bases.",
        )
    if True in served and (study.config.workers or 1) > 1:
        raise InputError(
            "vLLM takes the GPU for itself: there is no room for several workers",
            where=study.lines.where("workers"),
            value=study.config.workers,
            allowed="1",
        )


def _chunks(study: Study, inputs: Inputs) -> Iterator[RolloutChunk]:
    """Yield the chunks of all teachers."""
    for name in inputs.teachers:
        yield from rollout_chunks(
            study.config.teachers[name],
            name,
            inputs.answered_by(name),
            study.root,
            seed=0,
            where=study.lines.where("teachers", name, "model"),
        )


def _trait(study: Study, number: int, config: TraitConfig) -> Trait:
    """Return a trait with the samples, length and judge that the study says."""
    trait = find_trait(config.name, study.root, study.lines.where("traits", number))
    trait = trait.with_samples(config.samples, study.lines.where("traits", number, "samples"))
    trait = trait.with_max_tokens(config.max_tokens)
    if config.judge is not None:
        return judged_by(trait, config.judge, study.root, study.lines.where("traits", number, "judge"))
    # The judge of the whole study is only for traits with a rubric.
    return judged_by(trait, study.config.judge, study.root, study.lines.where("judge"), must=False)


def _same_ids_same_prompts(study: Study, prompts: Mapping[Side, tuple[Prompt, ...]]) -> None:
    """Raise InputError if the two prompt sets use one id for different prompts."""
    originals = {prompt.prompt_id: prompt for prompt in prompts["original"]}
    for prompt in prompts["alternate"]:
        if originals.get(prompt.prompt_id, prompt) != prompt:
            raise InputError(
                f"prompt_id {prompt.prompt_id!r} stands for another prompt in the original set",
                where=study.lines.where("alternate", "prompts"),
                fix="Give prompts that differ different ids.",
            )


def _at(
    study: Study, location: tuple[str | int, ...], load: Callable[[str, Path], Loaded], ref: str
) -> Loaded:
    """Load what a value of the study names; an error also names the line of the study."""
    try:
        return load(ref, study.root)
    except (OSError, ValueError) as error:
        # The operating system refuses, for example, names that are too long and folders without read
        # permission.
        raise InputError(f"cannot be read: {error}", where=study.lines.where(*location), value=ref) from None
    except MendelError as error:
        line = study.lines.where(*location)
        where = f"{line}: {error.where}" if error.where else line
        raise type(error)(
            error.what, where=where, value=error.value, allowed=error.allowed, fix=error.fix
        ) from None
