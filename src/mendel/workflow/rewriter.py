"""The rewriter: a study's own, or the alternate teacher's model where it can be asked."""

from __future__ import annotations

from dataclasses import replace

from mendel.study import Study
from mendel.study.references import MODELS, parse_reference
from mendel.study.schema import AUTO, TeacherConfig

MADE = "rewriter"
"""The name of the rewriter that a run makes."""


def with_rewriter(study: Study) -> tuple[Study, str]:
    """Return the study with its rewriter, and why it has none, '' if it has one.

    Where the study leaves it to the run (`auto`), the alternate teacher's model rewrites the original
    teacher's rollouts under the built-in instruction. The study that is returned names it among its teachers,
    so that a run's study.yaml says who rewrote.

    Args:
        study: The study as it was written.
    """
    config = study.config
    if config.rewriter != AUTO or AUTO in config.teachers:
        return study, "" if config.rewriter else "the study says 'none'"
    alternate = config.teachers[config.alternate.teacher]
    why = _why_not(study, alternate)
    if why:
        return replace(study, config=config.model_copy(update={"rewriter": None})), why
    made = alternate.model_copy(
        update={"system": None, "keep_system": False, "rewrites": config.original.teacher}
    )
    name = MADE
    while name in config.teachers:
        name += "_"
    teachers = {**config.teachers, name: made}
    return replace(study, config=config.model_copy(update={"rewriter": name, "teachers": teachers})), ""


def _why_not(study: Study, alternate: TeacherConfig) -> str:
    config = study.config
    if config.design == "effects":
        return "the design 'effects' tests no cause"
    if config.original.teacher == config.alternate.teacher:
        return "both pipelines have one teacher"
    if parse_reference(alternate.model).scheme not in MODELS:
        return f"the alternate teacher is {alternate.model}, which cannot be asked to rewrite"
    original = config.teachers[config.original.teacher]
    if original.model == alternate.model and original.system is None:
        return "the alternate teacher's model is the original teacher itself"
    if original.rewrites is not None:
        return "the original teacher's rollouts are rewritten ones already"
    return ""
