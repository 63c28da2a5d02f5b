# The public names, once: `__init__.py` reads this file, so one line here adds a name.
#
# A command `mendel A` is the function `mendel.A`, and `mendel A B` is `mendel.A_B`. The one exception is
# `mendel report`, which is `mendel.write_report`: `mendel.report` is a room, and a room is not named like a
# public function.

from mendel._version import __version__ as __version__
from mendel.commands.audit import Audit as Audit
from mendel.commands.audit import audit as audit
from mendel.commands.bench.locate import bench_locate as bench_locate
from mendel.commands.bench.locate import describe_bench_locate as describe_bench_locate
from mendel.commands.bench.selectors import bench_selectors as bench_selectors
from mendel.commands.bench.selectors import describe_bench_selectors as describe_bench_selectors
from mendel.commands.bench.verdicts import bench_verdicts as bench_verdicts
from mendel.commands.bench.verdicts import describe_bench_verdicts as describe_bench_verdicts
from mendel.commands.doctor import doctor as doctor
from mendel.commands.labels import judge_agree as judge_agree
from mendel.commands.labels import judge_label as judge_label
from mendel.commands.locate import Located as Located
from mendel.commands.locate import locate as locate
from mendel.commands.plan import Plan as Plan
from mendel.commands.plan import plan as plan
from mendel.commands.rejudge import Rejudged as Rejudged
from mendel.commands.rejudge import rejudge as rejudge
from mendel.commands.run import run as run
from mendel.commands.selectors import TriedSelectors as TriedSelectors
from mendel.commands.selectors import selectors as selectors
from mendel.commands.trait_check import trait_check as trait_check
from mendel.commands.virulence import VirulenceResult as VirulenceResult
from mendel.commands.virulence import virulence as virulence
from mendel.commands.watch import watch as watch
from mendel.data.selectors import selector as selector
from mendel.data.teachers import teacher as teacher
from mendel.engine.errors import BudgetSpent as BudgetSpent
from mendel.engine.errors import InputError as InputError
from mendel.engine.errors import MendelError as MendelError
from mendel.engine.errors import RunError as RunError
from mendel.engine.errors import Waiting as Waiting
from mendel.engine.progress import show_progress as show_progress
from mendel.engine.trace import traced as traced
from mendel.measure import judge as judge
from mendel.measure import trait as trait
from mendel.measure import trait_new as trait_new
from mendel.organisms import Organism as Organism
from mendel.organisms import organism as organism
from mendel.report import agreement_summary as agreement_summary
from mendel.report import audit_summary as audit_summary
from mendel.report import changes_summary as changes_summary
from mendel.report import terminal_summary as terminal_summary
from mendel.report import transcripts as transcripts
from mendel.report import write_report as write_report
from mendel.report.compare import Comparison as Comparison
from mendel.report.compare import compare as compare
from mendel.report.figures import Figure as Figure
from mendel.report.figures import figures as figures
from mendel.report.figures import write_figures as write_figures
from mendel.report.live import serving as serving
from mendel.results.run import Run as Run
from mendel.results.run import open_run as open_run
from mendel.study import Study as Study
from mendel.study import load_study as load_study
from mendel.study.schema import BudgetConfig as BudgetConfig
from mendel.study.schema import EndpointConfig as EndpointConfig
from mendel.study.schema import JudgeModelConfig as JudgeModelConfig
