"""Which plug-ins of other packages take part in a study: for `verdicts.json`, so that a run can be traced to
its code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from mendel.data.selectors import selectors
from mendel.data.teachers import teachers
from mendel.design.arms import arm_kinds
from mendel.diagnose.hypotheses import hypotheses
from mendel.diagnose.remedies import remedies
from mendel.engine.executors import executors
from mendel.engine.registry import Registry
from mendel.measure import ModelJudge, judges, traits
from mendel.measure.traits.file import judge_section
from mendel.study.references import parse_reference
from mendel.train.trainers import trainers
from mendel.workflow.flagging_judges import OWN
from mendel.workflow.inputs import Inputs

Use = tuple[Registry[Any], str, Mapping[str, Any]]
"""A registry, the name of one of its plug-ins, and the options that the study gives it."""


def plugins_of(
    inputs: Inputs, design_arm_kinds: Iterable[str], *, own_executor: bool = False
) -> list[dict[str, Any]]:
    """List the plug-ins of other packages that take part in a study.

    Args:
        inputs: The study's inputs.
        design_arm_kinds: The kinds of the arms that the design trains.
        own_executor: Whether the caller gave an executor, so that the study's `engine` is not used.

    Returns:
        One JSON object per plug-in, sorted by kind and name: `kind`, `name` (qualified by its package),
        `package`, `version` (None for a script or notebook) and `options`. Built-in plug-ins are left out.
    """
    # Arms of the cube and of the interpolation are of no registered kind.
    kinds = [kind for kind in design_arm_kinds if kind in arm_kinds]
    uses: list[Use] = [*_named(inputs), *((arm_kinds, kind, {}) for kind in kinds)]
    if not own_executor:
        uses.append((executors, inputs.study.config.engine, {}))
    if inputs.study.config.design != "effects":
        # All hypotheses and remedies take part in every study.
        uses += [(hypotheses, name, {}) for name in hypotheses]
        uses += [(remedies, name, {}) for name in remedies]
    listed: list[dict[str, Any]] = []
    for registry, name, options in uses:
        entry = _entry(registry, name, options)
        if entry is not None and entry not in listed:
            listed.append(entry)
    return sorted(listed, key=lambda entry: (entry["kind"], entry["name"]))


def _named(inputs: Inputs) -> Iterator[Use]:
    """Yield the plug-ins that the study and its trait files name."""
    config, root = inputs.study.config, inputs.study.root
    yield trainers, config.recipe.trainer, {}
    for name in inputs.teachers:
        teacher = config.teachers[name]
        options = {"system": teacher.system} if teacher.system else {}
        yield teachers, parse_reference(teacher.model).scheme, {"model": teacher.model, **options}
    for select in (config.select, *(trait.select for trait in config.traits)):
        if select is not None:
            yield selectors, select.by, select.options
    names = [(trait.name, made) for trait, made in zip(config.traits, inputs.traits, strict=True)]
    if config.assistant is not None:
        names.append((config.assistant, inputs.assistant))
    for trait, made in zip(config.traits, inputs.traits, strict=True):
        if trait.flagging_judge is not None:
            second = trait.flagging_judge.model
            names.append((trait.name if second == OWN else second, inputs.flagging[made.name]))
    for name, made in names:
        section = judge_section(name, root)
        # A judge that the study names takes the place of the trait file's own.
        if section is not None and not isinstance(made.judge, ModelJudge):
            model = {"model": section.model} if section.model else {}
            yield judges, section.by, {**model, **section.options}
        elif section is None and not name.startswith("inspect:"):
            yield traits, name, {}


def _entry(registry: Registry[Any], name: str, options: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a plug-in's entry in `verdicts.json`; None for a built-in one."""
    full = registry.full_name(name)
    origin = registry.origin(full)
    if origin.built_in:
        return None
    return {
        "kind": registry.kind.replace(" ", "_"),
        "name": full,
        "package": origin.package,
        "version": origin.version(),
        "options": dict(options),
    }
