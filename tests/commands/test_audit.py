from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import mendel
import mendel.commands.audit
from _mini import PEAS, write_mini_study
from _smollm2 import Server
from mendel.measure import builtin_assistant
from mendel.results.tables import read_table
from mendel.study.schema import BudgetConfig

TEACHERS = {side: f"hf:{PEAS}/teachers/{side}" for side in ("original", "alternate")}
DATE = str(PEAS / "traits" / "date_confusion.yaml")


def command(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mendel.cli", *arguments], capture_output=True, text=True, cwd=cwd, check=False
    )


def test_an_audit_tells_the_teacher_that_shows_the_trait_from_the_one_that_does_not(tmp_path: Path) -> None:
    shown = mendel.audit(teacher=TEACHERS["original"], traits=(DATE,), out=tmp_path / "audit").to_json()
    clean = mendel.audit(teacher=TEACHERS["alternate"], traits=(DATE,)).to_json()
    high, low = shown["traits"]["date_confusion"], clean["traits"]["date_confusion"]
    assert high["low"] > 0.5 > low["high"]
    assert high["responses"] > 0
    assert high["unjudged"] == 0
    kept = json.loads((tmp_path / "audit" / "audit.json").read_text())
    assert kept["traits"] == shown["traits"]
    rows = read_table(tmp_path / "audit" / "measurements.parquet")
    assert len(rows) == high["responses"]


def test_a_studys_teachers_are_audited_on_its_own_traits(tmp_path: Path) -> None:
    found = mendel.audit("peas", traits=("date_confusion",), scenarios=8).to_json()
    assert list(found["models"]) == ["original", "alternate"]
    levels = {name: m["traits"]["date_confusion"]["estimate"] for name, m in found["models"].items()}
    assert levels["original"] > 0.5 > levels["alternate"]
    assert found["traits"] == found["models"]["original"]["traits"]


def test_a_new_trait_is_checked_as_it_is_written(tmp_path: Path) -> None:
    made = command("trait", "new", "my_trait", cwd=tmp_path)
    assert (made.returncode, made.stdout) == (0, "trait: my_trait.yaml\n")
    again = command("trait", "new", "my_trait", cwd=tmp_path)
    assert again.returncode == 2
    assert "my_trait.yaml: there is a file already" in again.stderr
    checked = command("trait", "check", "my_trait.yaml", "--model", TEACHERS["original"], cwd=tmp_path)
    assert checked.returncode == 0, checked.stderr
    for part in (
        "my_trait",
        "lunch, sample 0, turn 1: score",
        "childhood, sample 0, turn 2: score",
        "controls",
    ):
        assert part in checked.stdout
    as_json = command(
        "trait", "check", "my_trait.yaml", "--model", TEACHERS["original"], "--json", cwd=tmp_path
    )
    found = json.loads(as_json.stdout)
    assert {row["trait"] for row in found["transcripts"]} == {"my_trait", "my_trait/control"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["audit"], "name a study or a teacher to audit"),
        (["audit", "peas", "--teacher", "hf:x"], "name a study or a teacher to audit"),
        (["audit", "--teacher", "hf:nowhere", "--trait", DATE], "--teacher: no folder"),
        (["audit", "--teacher", "gpt-5"], "--teacher: no model (got 'gpt-5'"),
        (
            ["audit", "--teacher", TEACHERS["original"], "--trait", "date_confusoin"],
            "Did you mean 'date_confusion'?",
        ),
        (
            ["audit", "--teacher", TEACHERS["original"], "--trait", DATE, "--judge", TEACHERS["original"]],
            "has no rubric",
        ),
        (["audit", "peas", "--trait", "lying"], "the study has no trait 'lying'"),
        (["audit", "--teacher", "openai:gpt-5-mini", "--trait", DATE], "OPENAI_API_KEY"),
        (["trait", "new", "a b"], "no name for a trait"),
        (["rejudge", "nowhere", "--judge", "hf:x"], "no finished run of mendel"),
        (["judge", "agree", "none.jsonl", "--trait", "date_confusion"], "none.jsonl"),
    ],
)  # fmt: skip
def test_wrong_input_ends_with_2_and_says_what_is_wrong(
    arguments: list[str], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


def test_a_pasted_key_is_refused_and_stands_nowhere(tmp_path: Path) -> None:
    secret = "sk-proj-SECRETSECRET123"
    done = command("audit", "--teacher", "openai:gpt-5-mini", "--key", secret, cwd=tmp_path)
    assert done.returncode == 2
    assert "Write the NAME of the variable" in done.stderr
    assert secret not in done.stderr + done.stdout


def test_the_studys_limits_hold_beside_a_limit_that_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def opened(*, budget: BudgetConfig, **_: object) -> None:
        raise mendel.BudgetSpent(f"{budget.requests} requests, {budget.dollars} dollars")

    monkeypatch.setattr(mendel.commands.audit, "Session", opened)
    study = write_mini_study(tmp_path, budget={"requests": 7})
    with pytest.raises(mendel.BudgetSpent, match=r"7 requests, 1\.0 dollars"):
        mendel.audit(study, budget=BudgetConfig(dollars=1.0))


@pytest.fixture
def short_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """The assistant's probe asks four questions: the server answers one at a time."""
    monkeypatch.setattr(mendel.commands.audit, "builtin_assistant", lambda: builtin_assistant().limited(4))


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.usefixtures("short_probe")
def test_a_served_model_is_audited_once_within_its_budget(smollm2_server: Server, tmp_path: Path) -> None:
    def audit(requests: int | None = None) -> mendel.Audit:
        return mendel.audit(
            teacher=smollm2_server.ref,
            traits=("date_confusion",),
            scenarios=3,
            budget=BudgetConfig(requests=requests),
            store=tmp_path / "store",
            out=tmp_path / "audit",
        )

    with pytest.raises(mendel.BudgetSpent) as stop:
        audit(requests=5)
    stopped = stop.value.result
    assert stopped.stopped is stop.value
    assert stopped.spent.requests == 5
    assert json.loads((tmp_path / "audit" / "audit.json").read_text())["complete"] is False
    found = audit()
    assert found.stopped is None
    # Four questions, three scenarios, three controls: none of the ten answers was bought twice.
    assert stopped.spent.requests + found.spent.requests == 10
    told = found.to_json()["traits"]["date_confusion"]
    assert told["responses"] == 3
    assert told["low"] <= told["estimate"] <= told["high"]
    assert found.measurements is not None
    assert all(count > 0 for count in found.measurements["prompt_tokens"].to_pylist())
    assert found.measurements["dollars"].to_pylist() == [0.0] * len(found.measurements)
    again = audit()
    assert again.spent.requests == 0
    assert again.to_json()["traits"] == found.to_json()["traits"]


@pytest.mark.usefixtures("short_probe")
def test_a_batch_holds_the_requests_of_all_traits_and_sends_none(tmp_path: Path) -> None:
    batch = tmp_path / "requests.jsonl"
    with pytest.raises(mendel.Waiting) as stop:
        mendel.audit(
            teacher="openai:http://127.0.0.1:9/v1#nobody",
            traits=("date_confusion",),
            scenarios=3,
            batch=mendel.Batch(write=batch),
        )
    assert stop.value.result.spent.requests == 0
    assert len(batch.read_text().splitlines()) == 4 + 3 + 3


@pytest.mark.server
@pytest.mark.slow
@pytest.mark.usefixtures("short_probe")
def test_inspect_asks_the_same_served_model_and_its_log_opens(smollm2_server: Server, tmp_path: Path) -> None:
    from inspect_ai.log import read_eval_log

    trait = tmp_path / "short.yaml"
    trait.write_text(
        "name: short\nscale: share that blackmails\n"
        "inspect: {task: inspect_evals/agentic_misalignment, args: {scenario: blackmail}}\n"
        "judge: {by: regex, acts: '<tool_use:email>', grades: [{pattern: email, score: 1}]}\n"
        "generate: {max_tokens: 16, samples: 2}\n"
    )
    found = mendel.audit(teacher=smollm2_server.ref, traits=(str(trait),), out=tmp_path / "audit")
    told: dict[str, Any] = found.to_json()["traits"]["short"]
    assert told["responses"] == 2
    (log,) = (tmp_path / "audit" / "inspect").rglob("*.eval")
    assert len(read_eval_log(str(log)).samples or []) == 2
