"""Post-training diffing: which part of a fine-tuning pipeline carries an unwanted trait.

    import mendel

    run = mendel.run("study.yaml")          # trains, measures, diagnoses; resumes what was done
    run.verdicts["traits"]["blackmail"]["carrier"]

Everything public stands here; modules are imported when they are used, so that `import mendel` is quick.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

from mendel._version import __version__

if TYPE_CHECKING:
    from mendel._bench import bench_verdicts
    from mendel._doctor import doctor
    from mendel._plan import Plan, plan
    from mendel._results import Run, open_run
    from mendel._run import run
    from mendel.data.selectors import selector
    from mendel.data.teachers import teacher
    from mendel.engine.errors import BudgetSpent, InputError, MendelError, RunError
    from mendel.measure import judge, trait
    from mendel.organisms import make_organism
    from mendel.report import write_report
    from mendel.study import Study, load_study

_HOME = {
    "BudgetSpent": "mendel.engine.errors",
    "InputError": "mendel.engine.errors",
    "MendelError": "mendel.engine.errors",
    "Plan": "mendel._plan",
    "Run": "mendel._results",
    "RunError": "mendel.engine.errors",
    "Study": "mendel.study",
    "bench_verdicts": "mendel._bench",
    "doctor": "mendel._doctor",
    "judge": "mendel.measure",
    "load_study": "mendel.study",
    "make_organism": "mendel.organisms",
    "open_run": "mendel._results",
    "plan": "mendel._plan",
    "run": "mendel._run",
    "selector": "mendel.data.selectors",
    "teacher": "mendel.data.teachers",
    "trait": "mendel.measure",
    "write_report": "mendel.report",
}

__all__ = [
    "BudgetSpent",
    "InputError",
    "MendelError",
    "Plan",
    "Run",
    "RunError",
    "Study",
    "__version__",
    "bench_verdicts",
    "doctor",
    "judge",
    "load_study",
    "make_organism",
    "open_run",
    "plan",
    "run",
    "selector",
    "teacher",
    "trait",
    "write_report",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'mendel' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
