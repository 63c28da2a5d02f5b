from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import mendel
from _mini import PEAS, prompt_rows, write_mini_study


def command(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mendel.cli", *arguments], capture_output=True, text=True, cwd=cwd, check=False
    )


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


def rewrite_prompts(folder: Path, change: Callable[[list[dict[str, object]]], object]) -> None:
    rows = prompt_rows(folder)
    change(rows)
    (folder / "prompts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def no_template(folder: Path) -> None:
    base = folder / "base"
    base.mkdir()
    for file in (PEAS / "bases" / "original").iterdir():
        if file.name != "chat_template.jinja":
            (base / file.name).write_bytes(file.read_bytes())
    edit(folder / "study.yaml", f"hf:{PEAS}/bases/original", "hf:base")


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "misspelt key": (
        lambda f: edit(f / "study.yaml", "teachers:", "techers:"),
        "unknown key 'techers'. Did you mean 'teachers'?",
    ),
    "missing prompts": (
        lambda f: edit(f / "study.yaml", "file:prompts.jsonl", "file:promts.jsonl"),
        "promts.jsonl",
    ),
    "unknown scheme": (
        lambda f: edit(f / "study.yaml", "file:prompts.jsonl", "fiel:prompts.jsonl"),
        "fiel",
    ),
    "duplicate ids": (
        lambda f: rewrite_prompts(f, lambda rows: rows.append(rows[0])),
        "prompts.jsonl:61: prompt_id 'o000' stands twice",
    ),
    "no JSON": (
        lambda f: (f / "prompts.jsonl").write_text('{"prompt_id": "a", \n'),
        "prompts.jsonl:1",
    ),
    "no messages": (
        lambda f: rewrite_prompts(f, lambda rows: rows[2].pop("messages")),
        "prompts.jsonl:3: neither 'messages' nor 'prompt'",
    ),
    "unknown role": (
        lambda f: rewrite_prompts(f, lambda rows: rows[1]["messages"][0].update(role="usr")),  # type: ignore[index]
        "prompts.jsonl:2: turn 1 has an unknown role (got 'usr'",
    ),
    "no checkpoint": (
        lambda f: edit(f / "study.yaml", f"hf:{PEAS}/bases/original", "hf:nowhere"),
        "no folder",
    ),
    "vLLM for one of the bases alone": (
        lambda f: edit(f / "study.yaml", f"hf:{PEAS}/bases/original", f"vllm:{PEAS}/bases/original"),
        "vLLM answers for some of the bases alone",
    ),
    "vLLM for students with weights of their own": (
        lambda f: [
            edit(f / "study.yaml", f" hf:{PEAS}/bases/original", f" vllm:{PEAS}/bases/original")
            for _ in range(2)
        ],
        "vLLM answers for adapters alone: a student with weights of its own would need an engine of its own (got 'full'; allowed: lora)",
    ),
    "vLLM for several workers": (
        lambda f: (
            [
                edit(f / "study.yaml", f" hf:{PEAS}/bases/original", f" vllm:{PEAS}/bases/original")
                for _ in range(2)
            ]
            + [edit(f / "study.yaml", "method: full", "method: lora")]
        ),
        "vLLM takes the GPU for itself: there is no room for several workers (got 2; allowed: 1)",
    ),
    "folder without a checkpoint": (
        lambda f: edit(f / "study.yaml", f"hf:{PEAS}/bases/original", "hf:."),
        "config.json",
    ),
    "no chat template": (no_template, "chat template"),
    "a name that no file can have": (
        lambda f: edit(f / "study.yaml", "file:prompts.jsonl", "file:" + "p" * 300),
        "cannot be read",
    ),
    "pipelines that come down to the same": (
        lambda f: edit(f / "study.yaml", "teacher: alternate", "teacher: original"),
        "nothing to compare",
    ),
    "empty turn": (
        lambda f: rewrite_prompts(f, lambda rows: rows[1]["messages"][0].update(content=" ")),  # type: ignore[index]
        "prompts.jsonl:2: the last turn is empty",
    ),
    "missing trait": (
        lambda f: edit(f / "study.yaml", "- trait.yaml", "- trate.yaml"),
        "no such trait file",
    ),
    "bad regex": (
        lambda f: edit(f / "study.yaml", "pattern: doubt", "pattern: '('"),
        "no regular expression",
    ),
    "empty completions": (
        lambda f: (
            (f / "answers.jsonl").write_text(
                "".join(
                    json.dumps({"prompt_id": row["prompt_id"], "completion": " " if i == 4 else "yes"}) + "\n"
                    for i, row in enumerate(prompt_rows(f))
                )
            ),
            edit(f / "study.yaml", f"hf:{PEAS}/teachers/original", "file:answers.jsonl"),
        ),
        "answers.jsonl:5: the completion of prompt",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_wrong_input_is_one_message_with_its_place_and_exit_2(fault: str, tmp_path: Path) -> None:
    write_mini_study(tmp_path)
    break_it, message = FAULTS[fault]
    break_it(tmp_path)
    done = command("run", str(tmp_path / "study.yaml"), "--out", str(tmp_path / "run"))
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.count("mendel: ") == 1
    assert done.stdout == ""


@pytest.mark.parametrize("arguments", [["run", "gone.yaml"], ["run", "paes"], ["report", "nowhere"], ["rnu"]])
def test_what_is_not_there_ends_with_2(arguments: list[str], tmp_path: Path) -> None:
    done = command(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["simple_generalisation", "--out", "new"], "Did you mean 'simple_generalization'?"),
        (["none", "--out", "full"], "not an empty folder"),
        (["none", "--out", "new", "--strength", "stong"], "Did you mean 'strong'?"),
        (["none+bad_prompts", "--out", "new"], "no cause beside one that is there"),
        (
            ["underspecification", "--out", "new", "--with", "shared_base,covered_promts"],
            "unknown transformation (got 'covered_promts'; allowed: both_show, ",
        ),
        (
            ["simple_generalization", "--out", "new", "--with", "rate=.1,noise=.2", "--with", "noise=.3"],
            "the same transformation twice (got 'noise=.3'). Leave out noise=0.2",
        ),
        (["none", "--out", "new", "--with", "noise=.2"], "noise does not apply to none"),
        (["bad_prompts", "--out", "new", "--with", "noise=.9"], "allowed: a number from 0.01 to 0.45"),
        (
            ["none", "--out", "new", "--truth", "new/truth.json"],
            "the truth would stand in the study's folder",
        ),
    ],
)
def test_an_organism_that_cannot_be_is_said(arguments: list[str], message: str, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "file").write_text("")
    done = command("organism", *arguments, "--seed", "1", cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_bench_of_an_unknown_cause_ends_with_2(tmp_path: Path) -> None:
    done = command(
        "bench", "verdicts", "--per-cause", "1", "--seeds-from", "1", "--cause", "no_cause", "--store", str(tmp_path)
    )  # fmt: skip
    assert done.returncode == 2
    assert "unknown cause" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unwritable_store_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command("run", "--out", str(tmp_path / "run"), "--store", str(tmp_path / "file" / "store"))
    assert done.returncode == 2
    assert "the store cannot be written" in done.stderr


def test_an_unwritable_run_folder_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = command("run", "--out", str(tmp_path / "file" / "run"))
    assert done.returncode == 2
    assert "Name another one with --out" in done.stderr


def test_help_names_the_commands_and_loads_no_torch() -> None:
    script = (
        "import sys; sys.argv = ['mendel', '--help']\n"
        "from mendel import cli\n"
        "try: cli.main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'transformers', 'trl', 'datasets', 'pyarrow', 'scipy', 'numpy'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("run", "plan", "report", "doctor"):
        assert name in done.stdout


def test_every_public_name_is_there_and_import_is_light() -> None:
    script = (
        "import sys, mendel\n"
        "assert not {'torch', 'numpy', 'pydantic'} & set(sys.modules)\n"
        "for name in mendel.__all__: getattr(mendel, name)\n"
        "assert 'torch' not in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_an_unknown_public_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = mendel.nothing  # type: ignore[attr-defined]


@pytest.mark.slow
def test_plan_counts_what_a_run_then_does(tmp_path: Path) -> None:
    study = write_mini_study(tmp_path, n_prompts=30, interpolate=[], seeds=1)
    done = command("plan", str(study), "--store", str(tmp_path / "store"), "--json")
    before = json.loads(done.stdout)
    assert (before["rollouts"], before["rollouts_in_store"], before["students_in_store"]) == (60, 0, None)
    assert before["seconds"] > 0
    trace = tmp_path / "trace.json"
    done = command(
        *("run", str(study), "--out", str(tmp_path / "run"), "--store", str(tmp_path / "store")),
        *("--trace", str(trace), "--json"),
    )
    assert before["students"] == json.loads(done.stdout)["students_trained"]
    names = [event["name"] for event in json.loads(trace.read_text())["traceEvents"]]
    assert names.count("students") == names.count("train") == before["students"]
    assert {"run", "load", "check and save", "read back", "answer", "judge"} <= set(names)
    after = mendel.plan(study, store=tmp_path / "store")
    assert after.students_in_store == after.students == before["students"]
    assert (after.train_tokens, after.generate_tokens) == (0, 0)
    assert "in the store" in after.describe()


@pytest.mark.slow
def test_doctor_trains_a_student_here() -> None:
    done = command("doctor", "--json")
    found = json.loads(done.stdout)
    assert done.returncode == 0
    assert found["works"]
    assert found["speed"]["train_tokens_per_second"] > 0


@pytest.mark.slow
def test_doctor_says_what_is_wrong_and_ends_with_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("MENDEL_STORE", str(tmp_path / "file" / "store"))
    done = command("doctor")
    assert done.returncode == 1
    assert "FAULT" in done.stdout
    assert "the store cannot be written" in done.stdout
