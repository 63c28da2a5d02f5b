"""Teachers answer prompts. `registry.py` says what a teacher is; `model.py` and `file.py` are built in."""

from mendel.data.teachers.file import FileTeacher, FinishedChunk
from mendel.data.teachers.make import (
    make_teacher,
    needs_rollouts,
    rewriting_chunks,
    rollout_chunks,
    teacher_digest,
)
from mendel.data.teachers.model import CHUNK_PROMPTS, GeneratedChunk, ModelTeacher, RewritingChunk
from mendel.data.teachers.registry import (
    RewritingTeacher,
    RolloutChunk,
    Teacher,
    teacher,
    teachers,
    with_system,
)

__all__ = [
    "CHUNK_PROMPTS",
    "FileTeacher",
    "FinishedChunk",
    "GeneratedChunk",
    "ModelTeacher",
    "RewritingChunk",
    "RewritingTeacher",
    "RolloutChunk",
    "Teacher",
    "make_teacher",
    "needs_rollouts",
    "rewriting_chunks",
    "rollout_chunks",
    "teacher",
    "teacher_digest",
    "teachers",
    "with_system",
]
