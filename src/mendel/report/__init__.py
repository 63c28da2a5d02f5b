"""What people look at: the HTML page of a run and what the terminal shows of runs, audits and judges."""

from mendel.report.page import render_report, write_report
from mendel.report.text.audit import audit_summary, audit_text, transcripts
from mendel.report.text.judges import agreement_summary, changes_summary
from mendel.report.text.locating import located_text
from mendel.report.text.selecting import selectors_text
from mendel.report.text.terminal import terminal_summary
from mendel.report.text.virulence import virulence_text
from mendel.results.notebook import Shown, verdicts_html, verdicts_line

__all__ = [
    "Shown",
    "agreement_summary",
    "audit_summary",
    "audit_text",
    "changes_summary",
    "located_text",
    "render_report",
    "selectors_text",
    "terminal_summary",
    "transcripts",
    "verdicts_html",
    "verdicts_line",
    "virulence_text",
    "write_report",
]
