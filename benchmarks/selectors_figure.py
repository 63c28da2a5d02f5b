"""The figure of docs/selectors.md, from what `mendel bench selectors --out FILE` wrote.

Usage: python benchmarks/selectors_figure.py FILE --out docs/selectors.svg
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from statistics import fmean
from typing import Any


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/selectors.svg"))
    arguments = parser.parse_args()
    import vl_convert

    found = json.loads(arguments.file.read_text())
    arguments.out.write_text(vl_convert.vegalite_to_svg(chart(points(found))))
    print(arguments.out)


def points(found: dict[str, Any]) -> list[dict[str, Any]]:
    """The mean over organisms of what each cut leaves of the effect, by selector, share and edit."""
    made = [r for r in found["records"] if r["made"] and r["whole"] and r["none"]]
    rows = []
    for place, tried in enumerate(made[0]["selectors"]):
        for number, cut in enumerate(tried["cuts"]):
            for edit in ("dropped", "swapped"):
                left = [
                    (cuts[edit]["probability"] - r["none"]["probability"])
                    / (r["whole"]["probability"] - r["none"]["probability"])
                    for r in made
                    if (cuts := r["selectors"][place]["cuts"][number])[edit] is not None
                ]
                if left:
                    rows.append(
                        {
                            "selector": tried["selector"],
                            "share": cut["share"],
                            "edit": edit,
                            "left": fmean(left),
                        }
                    )
    return rows


def chart(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "background": "white",
        "data": {"values": rows},
        "facet": {"column": {"field": "edit", "title": None}},
        "spec": {
            "width": 300,
            "height": 260,
            "mark": {"type": "line", "point": True},
            "encoding": {
                "x": {
                    "field": "share",
                    "type": "quantitative",
                    "scale": {"type": "log"},
                    "axis": {"values": [0.01, 0.02, 0.05, 0.1, 0.25], "format": "%"},
                    "title": "prompts flagged",
                },
                "y": {"field": "left", "type": "quantitative", "title": "effect left"},
                "color": {"field": "selector", "type": "nominal", "scale": {"scheme": "category20"}},
            },
        },
    }


if __name__ == "__main__":
    main()
