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
    from mendel._audit import Audit, audit
    from mendel._bench import bench_verdicts
    from mendel._bench_locate import bench_locate
    from mendel._bench_selectors import bench_selectors
    from mendel._doctor import doctor
    from mendel._labels import agree, label_responses
    from mendel._locate import Located, locate
    from mendel._plan import Plan, plan
    from mendel._rejudge import Rejudged, rejudge
    from mendel._results import Run, open_run
    from mendel._run import run
    from mendel._try_selectors import TriedSelectors, try_selectors
    from mendel._virulence import VirulenceResult, virulence
    from mendel._watch import watch
    from mendel.data.selectors import selector
    from mendel.data.teachers import teacher
    from mendel.engine.errors import BudgetSpent, InputError, MendelError, RunError, Waiting
    from mendel.measure import judge, new_trait, trait
    from mendel.organisms import make_organism
    from mendel.report import write_report
    from mendel.report.compare import Comparison, compare
    from mendel.report.figures import Figure, figures
    from mendel.study import Study, load_study

_HOME = {
    "Audit": "mendel._audit",
    "BudgetSpent": "mendel.engine.errors",
    "Comparison": "mendel.report.compare",
    "Figure": "mendel.report.figures",
    "InputError": "mendel.engine.errors",
    "Located": "mendel._locate",
    "MendelError": "mendel.engine.errors",
    "Plan": "mendel._plan",
    "Rejudged": "mendel._rejudge",
    "Run": "mendel._results",
    "RunError": "mendel.engine.errors",
    "Study": "mendel.study",
    "TriedSelectors": "mendel._try_selectors",
    "VirulenceResult": "mendel._virulence",
    "Waiting": "mendel.engine.errors",
    "agree": "mendel._labels",
    "audit": "mendel._audit",
    "bench_locate": "mendel._bench_locate",
    "bench_selectors": "mendel._bench_selectors",
    "bench_verdicts": "mendel._bench",
    "compare": "mendel.report.compare",
    "doctor": "mendel._doctor",
    "figures": "mendel.report.figures",
    "judge": "mendel.measure",
    "label_responses": "mendel._labels",
    "load_study": "mendel.study",
    "locate": "mendel._locate",
    "make_organism": "mendel.organisms",
    "new_trait": "mendel.measure",
    "open_run": "mendel._results",
    "plan": "mendel._plan",
    "rejudge": "mendel._rejudge",
    "run": "mendel._run",
    "selector": "mendel.data.selectors",
    "teacher": "mendel.data.teachers",
    "trait": "mendel.measure",
    "try_selectors": "mendel._try_selectors",
    "virulence": "mendel._virulence",
    "watch": "mendel._watch",
    "write_report": "mendel.report",
}

__all__ = [
    "Audit",
    "BudgetSpent",
    "Comparison",
    "Figure",
    "InputError",
    "Located",
    "MendelError",
    "Plan",
    "Rejudged",
    "Run",
    "RunError",
    "Study",
    "TriedSelectors",
    "VirulenceResult",
    "Waiting",
    "__version__",
    "agree",
    "audit",
    "bench_locate",
    "bench_selectors",
    "bench_verdicts",
    "compare",
    "doctor",
    "figures",
    "judge",
    "label_responses",
    "load_study",
    "locate",
    "make_organism",
    "new_trait",
    "open_run",
    "plan",
    "rejudge",
    "run",
    "selector",
    "teacher",
    "trait",
    "try_selectors",
    "virulence",
    "watch",
    "write_report",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'mendel' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
