"""Teachers: who answers the prompts. A teacher turns prompts into chunks of work, each of them done once and stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from mendel.data._finished import FileTeacher, FinishedChunk
from mendel.data._generated import CHUNK_PROMPTS, CheckpointTeacher, GeneratedChunk
from mendel.data._teacher import RolloutChunk, Teacher, teacher, teachers, with_system
from mendel.data.prompts import Prompt
from mendel.engine.errors import InputError
from mendel.study.schema import TeacherConfig

__all__ = [
    "CHUNK_PROMPTS",
    "CheckpointTeacher",
    "FileTeacher",
    "FinishedChunk",
    "GeneratedChunk",
    "RolloutChunk",
    "Teacher",
    "make_teacher",
    "rollout_chunks",
    "teacher",
    "teacher_digest",
    "teachers",
    "with_system",
]


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
    return teachers.get(scheme, where=where)(config, name, root)


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

    Nothing is generated here: each chunk's `run()` does its part, and its `digest` names the result. Raises
    InputError as `make_teacher` does.
    """
    return list(make_teacher(config, name, root, where).chunks(prompts, seed))
