"""Make the teachers that a study names, and their work: chunks, each of which is done once and stored."""

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
    """Return the teacher that a study names.

    Args:
        config: The teacher's section of the study.
        name: The teacher's name in the study.
        root: Folder that paths start from.
        where: Place in the study, for messages.

    Raises:
        InputError: The scheme is unknown.
    """
    scheme, colon, rest = config.model.partition(":")
    if not colon or not rest:
        raise InputError(
            f"teacher {name!r} has a model without a scheme",
            where=where,
            value=config.model,
            allowed=", ".join(f"{registered}:…" for registered in teachers),
            fix=f"Write hf:{config.model.rstrip(':')} for a checkpoint.",
        )
    made: Teacher = teachers.call(scheme, config, name, root, where=where, needs=("digest", "chunks"))
    return made


def teacher_digest(config: TeacherConfig, root: Path) -> str:
    """Return the content address of a teacher: its weights or file, its system prompt and its sampling.

    Args:
        config: The teacher's section of the study.
        root: Folder that paths start from.

    Raises:
        InputError: The scheme is unknown, or there is no such model or file.
    """
    return make_teacher(config, "teacher", root).digest


def rollout_chunks(
    config: TeacherConfig,
    name: str,
    prompts: Sequence[Prompt],
    root: Path,
    seed: int,
    where: str | None = None,
) -> list[RolloutChunk]:
    """Return the work of answering prompts; nothing is generated yet.

    Each chunk's `run()` does its part, and its `digest` names the result.

    Args:
        config: The teacher's section of the study.
        name: The teacher's name in the study.
        prompts: The prompts that it answers.
        root: Folder that paths start from.
        seed: The study's seed.
        where: Place in the study, for messages.

    Returns:
        The chunks; empty for a model that rewrites, whose work depends on other rollouts
            (`rewriting_chunks`).

    Raises:
        InputError: As `make_teacher`, or the teacher is to rewrite and cannot.
    """
    teacher = make_teacher(config, name, root, where)
    if needs_rollouts(config):
        _require_rewriting(teacher, name, where)
        return []
    return list(teacher.chunks(prompts, seed))


def needs_rollouts(config: TeacherConfig) -> bool:
    """Return whether a teacher's work depends on another teacher's rollouts.

    Finished rollouts (`file:`) do not: they were rewritten before.
    """
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
    """Return the work of rewriting the rollouts of the teacher that this one `rewrites`.

    A chunk's digest covers the texts that are rewritten.

    Args:
        config: The teacher's section of the study.
        name: The teacher's name in the study.
        prompts: The prompts.
        rollouts: All rollouts so far, by prompt id and teacher.
        root: Folder that paths start from.
        seed: The study's seed.
        where: Place in the study, for messages.

    Returns:
        The chunks; empty for a teacher that rewrites nothing, so this can be called for all teachers.

    Raises:
        InputError: As `rollout_chunks`, or the other teacher did not answer all prompts.
    """
    if not needs_rollouts(config):
        return []
    teacher = _require_rewriting(make_teacher(config, name, root, where), name, where)
    source = str(config.rewrites)
    missing = [p.prompt_id for p in prompts if (p.prompt_id, source) not in rollouts]
    if missing:
        raise InputError(
            f"teacher {name!r} rewrites the answers of teacher {source!r}, "
            f"which does not answer {some(missing)}",
            where=where,
            fix=f"Let {source!r} be the teacher of a pipeline with these prompts.",
        )
    answers = [rollouts[p.prompt_id, source].completion for p in prompts]
    return list(teacher.rewriting_chunks(prompts, answers, seed))


def _require_rewriting(teacher: Teacher, name: str, where: str | None) -> RewritingTeacher:
    if not isinstance(teacher, RewritingTeacher):
        raise InputError(
            f"teacher {name!r} cannot rewrite rollouts",
            where=where,
            fix="Choose a checkpoint (hf:…), or give the finished rollouts as a file.",
        )
    return teacher
