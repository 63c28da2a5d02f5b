"""The figures of a run: in the page, as files and in notebooks."""

from mendel.report.figures.of_run import (
    FIGURES,
    VEGA_LITE,
    Figure,
    describe,
    figures,
    figures_of,
    safe_names,
    write_figures,
)

__all__ = [
    "FIGURES",
    "VEGA_LITE",
    "Figure",
    "describe",
    "figures",
    "figures_of",
    "safe_names",
    "write_figures",
]
