"""The documents: generated parts are current, lines are short, links lead somewhere, commands exist."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
import typer
from markdown.extensions.toc import slugify

from mendel.cli import app

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [
        *ROOT.glob("*.md"),
        *ROOT.glob("docs/**/*.md"),
        *ROOT.glob("benchmarks/*.md"),
        *ROOT.glob("examples/*/*.md"),
    ]
)
WIDEST = 110
FENCE = re.compile(r"^ *```(\w*)\n(.*?)^ *```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PATH = re.compile(r"`((?:docs|src|tests|benchmarks|examples|\.ci|\.github)/[\w./-]+)`")
SHELLS = ("bash", "console", "sh")


def _name(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture(params=PAGES, ids=_name)
def page(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    return path


@pytest.fixture(scope="module")
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", ROOT / "docs" / "_generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_parts_are_current(generator: ModuleType) -> None:
    for name in generator.PAGES:
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert text == generator.page(name), f"docs/{name} is out of date: run make docs"


def test_every_sentence_of_a_verdict_is_listed(generator: ModuleType) -> None:
    assert generator.unlisted((ROOT / "docs" / "sentences.md").read_text(encoding="utf-8")) == []


def test_lines_are_at_most_110_columns_wide(page: Path) -> None:
    prose = FENCE.sub(lambda block: "\n" * block[0].count("\n"), page.read_text(encoding="utf-8"))
    wide = [
        (number, line)
        for number, line in enumerate(prose.splitlines(), 1)
        if len(line) > WIDEST
        # A table's row and a picture are one line each; a link alone cannot be broken.
        and not line.lstrip().startswith(("|", "![", "<"))
        and len(line.split()) > 2
    ]
    assert not wide


def _anchors(page: Path) -> set[str]:
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    titles = re.findall(r"^#+ (.+)$", prose, re.MULTILINE)
    return {slugify(re.sub(r"[`*]|\]\([^)]*\)|\[", "", title), "-") for title in titles}


def test_links_lead_to_a_file_and_a_heading(page: Path) -> None:
    prose = FENCE.sub("", page.read_text(encoding="utf-8"))
    dead = []
    for target in LINK.findall(prose):
        path, _, anchor = target.partition("#")
        if "://" in target or target.startswith("mailto:"):
            continue
        file = page.parent / path if path else page
        if not file.exists() or (anchor and anchor not in _anchors(file)):
            dead.append(target)
    assert not dead


def test_files_that_are_named_exist(page: Path) -> None:
    named = PATH.findall(page.read_text(encoding="utf-8"))
    made = ("examples/smollm2/work",)
    assert not [name for name in named if not name.startswith(made) and not (ROOT / name).exists()]


def _commands(page: Path) -> list[str]:
    """Return the `mendel …` lines of a page's shell blocks, and those that stand in its text as code."""
    text = page.read_text(encoding="utf-8")
    lines = [
        line.strip().removeprefix("$ ").removeprefix(".venv/bin/")
        for language, block in FENCE.findall(text)
        if language in SHELLS
        for line in block.replace("\\\n", " ").splitlines()
    ]
    lines += [" ".join(code.split()) for code in re.findall(r"`(mendel [^`]+)`", FENCE.sub("", text))]
    return [line for line in lines if line.startswith("mendel ")]


def _fault(line: str) -> str:
    """Return what is wrong with a command: no such command, or no such option; '' if nothing is."""
    command = typer.main.get_command(app)
    words = shlex.split(line, comments=True)[1:]
    while getattr(command, "commands", None) and words and not words[0].startswith("-"):
        # `new|check` names two commands, `…` any.
        names = words.pop(0).split("|")
        if names == ["…"]:
            return ""
        for name in names:
            if name not in command.commands:
                return f"no command {name!r}"
        command = command.commands[names[0]]
    known = {
        option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)
    }
    known |= {"--help", "-h"}
    given = [word.strip("[]").partition("=")[0] for word in words]
    unknown = [word for word in given if re.match(r"-{1,2}[a-z]", word) and word not in known]
    return f"no option {', '.join(unknown)}" if unknown else ""


def test_commands_and_their_options_exist(page: Path) -> None:
    faults = {line: fault for line in _commands(page) if (fault := _fault(line))}
    assert not faults


def test_a_command_that_is_not_there_is_noticed() -> None:
    assert _fault("mendel run study.yaml --out runs/x --watch") == ""
    assert _fault("mendel run --quick") == "no option --quick"
    assert _fault("mendel cure DIR") == "no command 'cure'"


def test_shell_blocks_say_that_they_are(page: Path) -> None:
    blocks = FENCE.findall(page.read_text(encoding="utf-8"))
    silent = [
        block
        for language, block in blocks
        if not language and re.search(r"^(\.venv/bin/)?mendel ", block, re.M)
    ]
    assert not silent


def test_the_example_of_a_hypothesis_runs() -> None:
    text = (ROOT / "docs" / "hypotheses.md").read_text(encoding="utf-8")
    (code,) = [block for language, block in FENCE.findall(text) if language == "python"]
    check = (
        "from mendel.diagnose.hypotheses import all_hypotheses; print(*[h.name for h in all_hypotheses()])"
    )
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\n{check}"], capture_output=True, text=True, check=True
    )
    assert "length" in done.stdout.split()


@pytest.mark.slow
def test_every_key_of_a_verdict_is_described(finished: Path, generator: ModuleType) -> None:
    verdicts = json.loads((finished / "run" / "verdicts.json").read_text(encoding="utf-8"))
    (trait,) = verdicts["traits"].values()
    for name, content in (("verdicts", verdicts), ("trait", trait)):
        described = re.findall(r"^\| `([^`]+)`", generator.entries(name), re.MULTILINE)
        assert set(content) <= set(described)
