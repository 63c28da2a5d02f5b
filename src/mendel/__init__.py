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
    from mendel.commands.audit import Audit, audit
    from mendel.commands.bench.locate import bench_locate
    from mendel.commands.bench.selectors import bench_selectors
    from mendel.commands.bench.verdicts import bench_verdicts
    from mendel.commands.doctor import doctor
    from mendel.commands.labels import agree, label_responses
    from mendel.commands.locate import Located, locate
    from mendel.commands.plan import Plan, plan
    from mendel.commands.rejudge import Rejudged, rejudge
    from mendel.commands.run import run
    from mendel.commands.selectors import TriedSelectors, try_selectors
    from mendel.commands.virulence import VirulenceResult, virulence
    from mendel.commands.watch import watch
    from mendel.data.selectors import selector
    from mendel.data.teachers import teacher
    from mendel.design.arms import arm_kind
    from mendel.diagnose.hypotheses import hypothesis
    from mendel.diagnose.remedies import remedy
    from mendel.engine.errors import BudgetSpent, InputError, MendelError, RunError, Stopped, Waiting
    from mendel.measure import judge, new_trait, trait
    from mendel.organisms import make_organism
    from mendel.report import write_report
    from mendel.report.compare import Comparison, compare
    from mendel.report.figures import Figure, figures
    from mendel.results.run import Run, open_run
    from mendel.study import Study, load_study
    from mendel.workflow.batches import Batch

_HOME = {
    "Audit": "mendel.commands.audit",
    "Batch": "mendel.workflow.batches",
    "BudgetSpent": "mendel.engine.errors",
    "Comparison": "mendel.report.compare",
    "Figure": "mendel.report.figures",
    "InputError": "mendel.engine.errors",
    "Located": "mendel.commands.locate",
    "MendelError": "mendel.engine.errors",
    "Plan": "mendel.commands.plan",
    "Rejudged": "mendel.commands.rejudge",
    "Run": "mendel.results.run",
    "RunError": "mendel.engine.errors",
    "Stopped": "mendel.engine.errors",
    "Study": "mendel.study",
    "TriedSelectors": "mendel.commands.selectors",
    "VirulenceResult": "mendel.commands.virulence",
    "Waiting": "mendel.engine.errors",
    "agree": "mendel.commands.labels",
    "arm_kind": "mendel.design.arms",
    "audit": "mendel.commands.audit",
    "bench_locate": "mendel.commands.bench.locate",
    "bench_selectors": "mendel.commands.bench.selectors",
    "bench_verdicts": "mendel.commands.bench.verdicts",
    "compare": "mendel.report.compare",
    "doctor": "mendel.commands.doctor",
    "figures": "mendel.report.figures",
    "hypothesis": "mendel.diagnose.hypotheses",
    "judge": "mendel.measure",
    "label_responses": "mendel.commands.labels",
    "load_study": "mendel.study",
    "locate": "mendel.commands.locate",
    "make_organism": "mendel.organisms",
    "new_trait": "mendel.measure",
    "open_run": "mendel.results.run",
    "plan": "mendel.commands.plan",
    "rejudge": "mendel.commands.rejudge",
    "remedy": "mendel.diagnose.remedies",
    "run": "mendel.commands.run",
    "selector": "mendel.data.selectors",
    "teacher": "mendel.data.teachers",
    "trait": "mendel.measure",
    "try_selectors": "mendel.commands.selectors",
    "virulence": "mendel.commands.virulence",
    "watch": "mendel.commands.watch",
    "write_report": "mendel.report",
}

__all__ = [
    "Audit",
    "Batch",
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
    "Stopped",
    "Study",
    "TriedSelectors",
    "VirulenceResult",
    "Waiting",
    "__version__",
    "agree",
    "arm_kind",
    "audit",
    "bench_locate",
    "bench_selectors",
    "bench_verdicts",
    "compare",
    "doctor",
    "figures",
    "hypothesis",
    "judge",
    "label_responses",
    "load_study",
    "locate",
    "make_organism",
    "new_trait",
    "open_run",
    "plan",
    "rejudge",
    "remedy",
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
