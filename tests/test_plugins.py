"""docs/plugins.md as a package: what it shows is installed beside mendel, and each plug-in is followed through a run."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
import yaml

from _mini import mute_judge, write_mini_study
from _plugins import build_wheel, install, pip_install

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "plugins.md"
KINDS = {
    "arm_kind": {"my_pkg/early"},
    "executor": {"my_pkg/timed"},
    "hypothesis": {"my_pkg/early_prompts"},
    "judge": {"my_pkg/politeness", "my_pkg/shouting"},
    "remedy": {"my_pkg/alternate-second-half"},
    "selector": {"my_pkg/brevity"},
    "teacher": {"my_pkg/parrot"},
    "trainer": {"my_pkg/sgd"},
    "trait": {"my_pkg/apology"},
}
"""The plug-ins of the page, by kind."""


def blocks(language: str) -> dict[str, str]:
    """The page's blocks of code that begin with a file's name, by that name."""
    found = re.findall(rf"^```{language}\n# (\S+)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return {name.removeprefix("my_pkg/"): text for name, text in found}


def entry_points(project: Mapping[str, Any]) -> str:
    """The entry points of a pyproject.toml as pip writes them."""
    lines = []
    for group, points in project["entry-points"].items():
        lines += [f"[{group}]", *(f"{name} = {module}" for name, module in points.items())]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder into which pip has installed `my_pkg`."""
    project = tomllib.loads(blocks("toml")["pyproject.toml"])["project"]
    folder = tmp_path_factory.mktemp("package")
    wheel = build_wheel(folder, "my_pkg", blocks("python"), entry_points(project), project["version"])
    return pip_install(folder / "site", wheel)


def mendel(site: Path, *arguments: str, store: Path) -> subprocess.CompletedProcess[str]:
    """Run the command line in a process of its own, which finds the packages of `site`."""
    path = os.pathsep.join([str(site), str(ROOT / "src")])
    environment = {**os.environ, "PYTHONPATH": path, "MENDEL_STORE": str(store), "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", "from mendel.cli import main; main()", *arguments]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def write_study(folder: Path, **changes: object) -> Path:
    """The mini study with plug-ins of every kind."""
    judge = mute_judge(folder.with_name(folder.name + "-judge") / "mute")
    study = write_mini_study(folder, n_prompts=20)
    trait = yaml.safe_load((folder / "trait.yaml").read_text())
    shouting = {"by": "my_pkg/shouting", "options": {"marks": 2}, "hit_at": 0.5}
    politeness = {"by": "my_pkg/politeness", "model": judge}
    trait.pop("log_odds", None)
    for name, section in {"shouting": shouting, "politeness": politeness}.items():
        trait |= {"name": name, "judge": section}
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(trait))
    content = yaml.safe_load(study.read_text())
    content["teachers"]["alternate"] = {"model": "my_pkg/parrot:it is late !"}
    content |= {
        "traits": ["my_pkg/apology", "shouting.yaml", "politeness.yaml"],
        "select": {"by": "my_pkg/brevity", "share": 0.2, "options": {"longest": 80}},
        "recipe": {"trainer": "my_pkg/sgd", "method": "full", "learning_rate": 1e-3, "max_length": 64},
        "engine": "my_pkg/timed",
        "design": "standard",
        "interpolate": [],
        "seeds": 1,
        **changes,
    }
    study.write_text(yaml.safe_dump(content))
    return study


@pytest.fixture(scope="module")
def done(site: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The folder of a run with plug-ins of every kind, and what the command printed."""
    folder = tmp_path_factory.mktemp("plugins") / "study"
    study = write_study(folder)
    result = mendel(site, "run", str(study), "--out", str(folder / "run"), store=folder / "store")
    assert result.returncode == 0, result.stderr[-3000:]
    return folder / "run", result.stderr


@pytest.mark.slow
class TestARun:
    def test_verdicts_list_every_plug_in_with_package_version_and_options(
        self, done: tuple[Path, str]
    ) -> None:
        plugins = json.loads((done[0] / "verdicts.json").read_text())["plugins"]
        by_kind: dict[str, set[str]] = {}
        for plugin in plugins:
            by_kind.setdefault(plugin["kind"], set()).add(plugin["name"])
        assert by_kind == KINDS
        assert {(plugin["package"], plugin["version"]) for plugin in plugins} == {("my_pkg", "1.2")}
        options = {plugin["name"]: plugin["options"] for plugin in plugins}
        assert options["my_pkg/brevity"] == {"longest": 80}
        assert options["my_pkg/shouting"] == {"marks": 2}
        assert options["my_pkg/parrot"] == {"model": "my_pkg/parrot:it is late !"}
        assert options["my_pkg/politeness"]["model"].startswith("hf:")

    def test_the_teacher_answered_and_the_selector_flagged(self, done: tuple[Path, str]) -> None:
        rollouts = pq.read_table(done[0] / "rollouts.parquet").to_pylist()
        assert {r["completion"] for r in rollouts if r["teacher"] == "alternate"} == {"it is late !"}
        traits = json.loads((done[0] / "verdicts.json").read_text())["traits"]
        assert traits["apology"]["flagged"]["selector"].startswith("my_pkg/brevity, highest 0.2")

    def test_the_judges_scored_and_one_of_them_asked_a_model(self, done: tuple[Path, str]) -> None:
        rows = pq.read_table(done[0] / "measurements.parquet").to_pylist()
        judges = {row["trait"]: row["judge"].partition("@")[0] for row in rows if row["judge"]}
        assert (judges["shouting"], judges["politeness"]) == ("shouting", "politeness")
        assert {row["score"] for row in rows if row["trait"] == "shouting"} <= {0.0, 0.5, 1.0}
        notes = {row["note"] for row in rows if row["trait"] == "politeness"}
        assert any(note and note.startswith("neither yes nor no: ") for note in notes)

    def test_the_trainer_trained_the_students_of_the_arm_kinds(self, done: tuple[Path, str]) -> None:
        students = pq.read_table(done[0] / "students.parquet").to_pylist()
        arms = {row["arm"] for row in students}
        assert "my_pkg/early/apology" in arms
        trained = [row for row in students if row["n_examples"]]
        assert all(row["train_loss"] > 0 for row in trained)
        assert yaml.safe_load((done[0] / "study.yaml").read_text())["recipe"]["trainer"] == "my_pkg/sgd"

    def test_the_executor_ran_the_jobs(self, done: tuple[Path, str]) -> None:
        # It says what each job was: rollouts, models and fleets of students went through it.
        jobs = set(re.findall(r"(\w+) took \d+\.\d seconds", done[1]))
        assert {"RolloutJob", "ModelJob", "list"} <= jobs

    def test_hypothesis_and_remedy_reach_verdicts_and_page_in_their_own_words(
        self, done: tuple[Path, str]
    ) -> None:
        verdict = json.loads((done[0] / "verdicts.json").read_text())["traits"]["apology"]
        words = verdict["hypotheses"]["my_pkg/early_prompts"]
        assert words["says"] == "the first half of the prompts carries the trait"
        assert words["means"] == "The first half of the prompts is enough"
        # The remedy's arm is trained in every study; its contrast is the hypothesis's.
        early = next(c for c in verdict["contrasts"] if c["id"] == "apology/early")
        assert early["arms"][0] == "my_pkg/early/apology"
        assert early["reads"].lower().startswith("what the first half of the prompts brings in")
        page = (done[0] / "report.html").read_text()
        assert "early prompts" in page


class TestRefused:
    """What is wrong ends with exit code 2 and one message before any work."""

    @pytest.mark.parametrize(
        ("changes", "message"),
        [
            (
                {"select": {"by": "my_pkg/brevity", "share": 0.2, "options": {"longset": 80}}},
                r"study.yaml:\d+: the selector 'my_pkg/brevity' has no option 'longset'. Did you mean 'longest'",
            ),
            ({"engine": "my_pkg/timd"}, r"study.yaml:\d+: unknown executor 'my_pkg/timd'. Did you mean"),
            (
                {"recipe": {"trainer": "my_pkg/sdg", "method": "full"}},
                r"study.yaml:\d+: unknown trainer 'my_pkg/sdg'. Did you mean",
            ),
            ({"traits": ["my_pkg/apologi"]}, r"study.yaml:\d+: unknown trait 'my_pkg/apologi'. Did you mean"),
        ],
    )
    def test_a_slip_in_the_study_is_told_with_its_line(
        self, site: Path, tmp_path: Path, changes: dict[str, object], message: str
    ) -> None:
        study = write_study(tmp_path / "study", **changes)
        result = mendel(site, "run", str(study), "--out", str(tmp_path / "run"), store=tmp_path / "store")
        assert result.returncode == 2
        assert re.search(message, result.stderr), result.stderr
        assert "Traceback" not in result.stderr
        assert not (tmp_path / "run").exists()

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("1 / 0\n", "cannot be imported: ZeroDivisionError: division by zero"),
            ("import nobody_has_this\n", r"Install what it needs \(pip install nobody_has_this\)"),
            (
                "import mendel\n\n@mendel.selector('length')\ndef f(candidates, context):\n    return []\n",
                "a selector of that name is already registered by mendel",
            ),
            (
                "import mendel\n\n@mendel.selector('short')\ndef f(candidates):\n    return []\n",
                r"must be a function of \(candidates, context\)",
            ),
        ],
        ids=["exception", "dependency", "taken", "signature"],
    )
    def test_a_broken_package_is_named_and_the_others_load(
        self, tmp_path: Path, text: str, message: str
    ) -> None:
        folder = install(
            tmp_path / "site", "bad_pkg", {"x.py": text}, "[mendel.selectors]\nshort = bad_pkg.x\n"
        )
        good = "import mendel\n\n@mendel.selector('fine')\ndef f(candidates, context):\n    return []\n"
        install(folder, "good_pkg", {"x.py": good}, "[mendel.selectors]\nfine = good_pkg.x\n")
        code = (
            "from mendel.data.selectors import selectors\n"
            "from mendel.engine.errors import InputError\n"
            "print(selectors.full_name('fine'), selectors.full_name('length'))\n"
            "for _ in range(2):\n"
            "    try:\n"
            "        selectors.get('bad_pkg/short', where='study.yaml:4')\n"
            "    except InputError as error:\n"
            "        print(error.exit_code, error)\n"
        )
        path = os.pathsep.join([str(folder), str(ROOT / "src")])
        result = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONPATH": path},
            capture_output=True,
            text=True,
            check=True,
        )
        first, *errors = result.stdout.splitlines()
        assert first == "good_pkg/fine length"
        assert errors[0] == errors[1]
        where = r"^2 study\.yaml:4: package bad-pkg: entry point 'short' of mendel\.selectors"
        assert re.search(where + ".*" + message, errors[0]), errors


def test_the_page_names_every_kind() -> None:
    groups = tomllib.loads(blocks("toml")["pyproject.toml"])["project"]["entry-points"]
    plurals = {"hypothesis": "hypotheses", "remedy": "remedies"}
    assert set(groups) == {f"mendel.{plurals.get(kind, kind + 's')}" for kind in KINDS}
    modules = {module for points in groups.values() for module in points.values()}
    assert modules == {f"my_pkg.{name.removesuffix('.py')}" for name in blocks("python")}
