from __future__ import annotations

from mendel.engine.interval import Interval
from mendel.report.text.terminal import terminal_summary
from mendel.report.views.recall import recall_sentence
from mendel.results.known import RecallVerdict
from mendel.results.verdicts import TraitVerdict, Verdicts

LABELLED, OF = {"flagged": 20, "mild": 10, "unseen": 50}, {"flagged": 20, "mild": 10, "unseen": 370}


def test_a_known_recall_is_said_with_its_interval_and_what_it_rests_on() -> None:
    known = RecallVerdict(Interval(0.8, 0.5, 0.95), LABELLED, of=OF, judges=("a@1",))
    assert recall_sentence(known) == (
        "Of the rollouts that show the trait, however mildly, the judge sees 0.80 [0.50, 0.95] (recall, from 80 "
        "labelled rollouts of 400)."
    )
    two = RecallVerdict(Interval(0.8, 0.5, 0.95), LABELLED, of=OF, judges=("a@1", "b@2"))
    assert "the two judges together see 0.80" in recall_sentence(two)


def test_an_unknown_recall_is_said_to_be_unknown_with_the_way_to_know_it() -> None:
    for recall in (None, RecallVerdict(), RecallVerdict(Interval(why="no mild rollout is labelled"))):
        sentence = recall_sentence(recall)
        assert "is not known" in sentence
        assert "mendel judge label RUN --stratum" in sentence
    assert "not known: no mild rollout is labelled." in sentence


def test_the_terminal_has_a_line_for_each_trait_whose_recall_was_asked_for() -> None:
    from rich.console import Console

    console = Console(width=400, record=True)
    verdicts = Verdicts(traits={"one": TraitVerdict(recall=RecallVerdict()), "old": TraitVerdict()})
    console.print(terminal_summary(verdicts))
    text = console.export_text()
    assert "judge (one): How many of the rollouts" in text
    assert "judge (old)" not in text
