"""The size of an edit is counted from the assignments, per student."""

from __future__ import annotations

from mendel.report.views.edits import EditSize, edit_sizes
from mendel.results.tables import table


def test_size_counts_prompts_that_are_answered_otherwise() -> None:
    def rows(
        arm: str, changed: set[int], teacher: str | None, seed: int | None = None
    ) -> list[dict[str, object]]:
        return [
            {
                "arm": arm,
                "prompt_id": f"p{i}",
                "teacher": teacher if i in changed else "original",
                "seed": seed,
            }
            for i in range(10)
        ]

    assignments = table(
        "assignments",
        [
            *rows("cube/OOO", set(), None),
            *rows("drop/t", {1, 2, 3}, None),
            *rows("swap-random/t", {4, 5, 6}, "alternate", 0),
            *rows("swap-random/t", {0, 2, 9}, "alternate", 1),
        ],
    )
    arms = dict.fromkeys(("drop/t", "swap-random/t", "only/t"), "cube/OOO")
    assert edit_sizes(assignments, arms) == {"drop/t": EditSize(3, 10), "swap-random/t": EditSize(3, 10)}
    assert edit_sizes(assignments, {"drop/t": "cube/AAA"}) == {}
    assert edit_sizes(None, arms) == {}
