"""Several runs side by side."""

from mendel.report.compare.comparison import Comparison, compare

__all__ = ["Comparison", "compare"]
