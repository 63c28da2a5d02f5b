"""The page of a run."""

from mendel.report.page.page import render_report, write_report

__all__ = ["render_report", "write_report"]
