"""Load a study file and check the references between its parts, before any work starts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mendel.engine.errors import InputError, did_you_mean
from mendel.study._yaml import LineNumbers, load_yaml, read_yaml
from mendel.study.schema import AUTO, StudyConfig

__all__ = ["BUILT_IN", "LineNumbers", "Study", "built_in_study", "load_study", "load_yaml", "read_yaml"]

BUILT_IN = {"peas": ("organisms", "peas", "study.yaml")}
"""Studies that ship with the package: their paths below the package's folder."""


@dataclass(frozen=True)
class Study:
    """A study file that was read: its config, its path, and the lines of its values."""

    config: StudyConfig
    path: Path
    lines: LineNumbers

    @property
    def root(self) -> Path:
        """The folder from which relative paths of the study start."""
        return self.path.parent

    @property
    def name(self) -> str:
        """The study's name."""
        return self.config.name


def load_study(path: str | Path | None = None) -> Study:
    """Load a study.

    Args:
        path: A study file, a folder with a `study.yaml`, or the name of a built-in study. None: `peas`.

    Returns:
        The checked study.

    Raises:
        InputError: The schema refuses the file, a pipeline names an unknown teacher, a teacher has no
            rollouts to rewrite, or the pipelines do not differ. The message has file and line.
    """
    if path is None or str(path) in BUILT_IN:
        return built_in_study(str(path or "peas"))
    file = Path(path)
    try:
        file = file / "study.yaml" if file.is_dir() else file
        there = file.exists()
    except (OSError, ValueError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    if not there and file.suffix not in (".yaml", ".yml"):
        raise InputError(
            "neither a study file nor a built-in study",
            value=str(path),
            fix=f"Give the path of a study.yaml. {did_you_mean(str(path), BUILT_IN)}",
        )
    config, lines = load_yaml(file, StudyConfig)
    for side in ("original", "alternate"):
        teacher = getattr(config, side).teacher
        if teacher not in config.teachers:
            raise InputError(
                f"{side}.teacher: no teacher of that name",
                where=lines.where(side, "teacher"),
                value=teacher,
                fix=did_you_mean(teacher, config.teachers),
            )
    if config.rewriter not in (None, AUTO, *config.teachers):
        raise InputError(
            "rewriter: no teacher of that name",
            where=lines.where("rewriter"),
            value=config.rewriter,
            fix=did_you_mean(str(config.rewriter), config.teachers),
        )
    _check_rewriters(config, lines)
    if config.original == config.alternate:
        raise InputError(
            "the two pipelines are the same, so there is nothing to compare",
            where=lines.where("alternate"),
            fix="Let base, prompts or teacher differ.",
        )
    return Study(config, file, lines)


def _check_rewriters(config: StudyConfig, lines: LineNumbers) -> None:
    """Check that a rewriting teacher has rollouts of another teacher to rewrite, and is not a pipeline's
    teacher."""

    def refuse(name: str, what: str, fix: str) -> None:
        where = lines.where("teachers", name, "rewrites")
        raise InputError(
            f"teachers.{name}.rewrites: {what}", where=where, value=config.teachers[name].rewrites, fix=fix
        )

    for name, teacher in config.teachers.items():
        source = teacher.rewrites
        if source is None:
            continue
        if source not in config.teachers:
            refuse(name, "no teacher of that name", did_you_mean(source, config.teachers))
        if source == name:
            refuse(name, "a teacher cannot rewrite itself", "Name the teacher whose rollouts it rewrites.")
        if config.teachers[source].rewrites is not None:
            refuse(
                name,
                f"{source!r} rewrites rollouts itself",
                f"Name the teacher at the start: {config.teachers[source].rewrites}.",
            )
        if name == config.rewriter and source != config.original.teacher:
            refuse(
                name,
                "the study's rewriter rewrites the original teacher's rollouts",
                f"Write {config.original.teacher}.",
            )
        if name in (config.original.teacher, config.alternate.teacher) and not teacher.model.startswith(
            "file:"
        ):
            refuse(
                name,
                "a pipeline's teacher answers prompts, not answers",
                "Name it as the study's 'rewriter', or give its finished rollouts as a file.",
            )


def built_in_study(name: str) -> Study:
    """Load a study that ships with the package; raises InputError for an unknown name."""
    if name not in BUILT_IN:
        raise InputError(f"no built-in study {name!r}", fix=did_you_mean(name, BUILT_IN))
    return load_study(Path(__file__).parent.parent.joinpath(*BUILT_IN[name]))
