"""A real run that repeats its pipelines under other recipes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import mendel
from _mini import write_mini_study
from mendel.design.catalogue import Catalogue
from mendel.design.shared import VARIANTS

RECIPE = {"method": "full", "epochs": 4, "batch_size": 16, "learning_rate": 2.2e-3, "max_length": 64}


@pytest.mark.slow
def test_a_run_repeats_what_decided_after_its_verdict(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The pipelines alone: eight students instead of thirty.
    monkeypatch.setattr(Catalogue, "standard", lambda own: own.corners)
    changes = {"design": "effects", "seeds": 4, "interpolate": [], "recipe": RECIPE}
    study = write_mini_study(tmp_path, n_prompts=240, **changes)
    plain = mendel.run(study, tmp_path / "run", store=tmp_path / "store")
    assert plain.traits["date_confusion"].state == "difference"
    assert plain.traits["date_confusion"].robustness is None
    write_mini_study(tmp_path, n_prompts=240, **changes, robustness=True)
    run = mendel.run(study, tmp_path / "run", store=tmp_path / "store")
    checks = run.traits["date_confusion"].robustness
    assert checks is not None
    assert list(checks) == list(VARIANTS)
    assert all(check.students == 4 and check.holds != "undecided" for check in checks.values())
    assert run.verdicts["students_trained"] == 2 * 4 * len(VARIANTS)
    assert (
        run.verdicts["arms"]["cube~third/OOO"]["label"]
        == "original pipeline, at a third of the learning rate"
    )
    assert "under other recipes" in (tmp_path / "run" / "report.html").read_text()
    # More arms of another recipe are no more looks at the same contrasts.
    assert json.loads((tmp_path / "run" / "basis.json").read_text())["earlier_looks"] == 0
