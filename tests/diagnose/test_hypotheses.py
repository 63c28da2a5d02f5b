import numpy as np
from planted import CUBE, full_levels, study

from mendel.diagnose import HYPOTHESES, TraitFacts, estimate_trait, examine

NAMES = {
    "simple_generalization", "subliminal_learning", "persona_selection", "underspecification", "bad_prompts", "pretraining_lock_in", "post_training_lock_in",
}  # fmt: skip


def test_all_seven_are_untested_and_say_what_they_would_take():
    effects = estimate_trait(
        *study(full_levels(lambda b, p, t: t), np.random.default_rng(0), seeds=2, scenarios=6),
        TraitFacts("t", "share"),
        CUBE,
    )
    findings = examine(effects)
    assert set(findings) == NAMES == {h.name for h in HYPOTHESES}
    for finding in findings.values():
        assert finding.status == "untested"
        assert "It would take" in finding.why
        assert finding.json()["contrasts"] == []
