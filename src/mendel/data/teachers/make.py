"""Teachers: who answers the prompts. A teacher turns prompts into chunks of work, each of them done once and stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from mendel.data.prompts import Prompt
from mendel.data.rollouts import Rollout
from mendel.data.teachers.registry import (
    RewritingTeacher,
    RolloutChunk,
    Teacher,
    some,
    teachers,
)
from mendel.engine.errors import InputError
from mendel.study.schema import TeacherConfig


def make_teacher(config: TeacherConfig, name: str, root: Path, where: str | None = None) -> Teacher:
    """The teacher that a study names; raises InputError for an unknown scheme or a model that is not there."""
    scheme, colon, rest = config.model.partition(":")
    if not colon or not rest:
        raise InputError(
            f"teacher {name!r} has a model without a scheme",
            where=where,
            value=config.model,
            allowed=", ".join(f"{known}:…" for known in teachers),
            fix=f"Write hf:{config.model.rstrip(':')} for a checkpoint.",
        )
    made: Teacher = teachers.call(scheme, config, name, root, where=where, needs=("digest", "chunks"))
    return made


def teacher_digest(config: TeacherConfig, root: Path) -> str:
    """Content address of a teacher: its weights or file, its system prompt and its sampling."""
    return make_teacher(config, "teacher", root).digest


def rollout_chunks(
    config: TeacherConfig,
    name: str,
    prompts: Sequence[Prompt],
    root: Path,
    seed: int,
    where: str | None = None,
) -> list[RolloutChunk]:
    """The work of letting teacher `name` answer `prompts`; `root` is the folder that paths start from.

    Nothing is generated here: each chunk's `run()` does its part, and its `digest` names the result. None for a model
    that rewrites: what it is asked depends on other rollouts (`rewriting_chunks`). Raises InputError as `make_teacher`
    does, and for a teacher that cannot rewrite.
    """
    made = make_teacher(config, name, root, where)
    if needs_rollouts(config):
        _rewriting(made, name, where)
        return []
    return list(made.chunks(prompts, seed))


def needs_rollouts(config: TeacherConfig) -> bool:
    """Whether a teacher's work can be made only from another's rollouts; finished ones were rewritten elsewhere."""
    return config.rewrites is not None and not config.model.startswith("file:")


def rewriting_chunks(
    config: TeacherConfig,
    name: str,
    prompts: Sequence[Prompt],
    rollouts: Mapping[tuple[str, str], Rollout],
    root: Path,
    seed: int,
    where: str | None = None,
) -> list[RolloutChunk]:
    """The work of letting teacher `name` rewrite the `rollouts` (by prompt id and teacher) of the one that it `rewrites`.

    None for a teacher that answers by itself, so this may be called for all of them. A chunk's digest covers the texts
    that are rewritten. Raises InputError as `rollout_chunks` does, and for prompts that the other did not answer.
    """
    if not needs_rollouts(config):
        return []
    made = _rewriting(make_teacher(config, name, root, where), name, where)
    source = str(config.rewrites)
    missing = [p.prompt_id for p in prompts if (p.prompt_id, source) not in rollouts]
    if missing:
        raise InputError(
            f"teacher {name!r} is to rewrite what {source!r} answers to {some(missing)}, but it answers nothing there",
            where=where,
            fix=f"Let {source!r} be the teacher of a pipeline with these prompts.",
        )
    answers = [rollouts[p.prompt_id, source].completion for p in prompts]
    return list(made.rewriting_chunks(prompts, answers, seed))


def _rewriting(made: Teacher, name: str, where: str | None) -> RewritingTeacher:
    if not isinstance(made, RewritingTeacher):
        raise InputError(
            f"teacher {name!r} cannot rewrite rollouts",
            where=where,
            fix="Take a checkpoint (hf:…), or give the finished rollouts as a file.",
        )
    return made
