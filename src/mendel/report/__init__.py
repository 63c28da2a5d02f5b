"""What people look at: the HTML page of a run and the terminal summary."""

from mendel.report.page import render_report, write_report
from mendel.report.terminal import terminal_summary

__all__ = ["render_report", "terminal_summary", "write_report"]
