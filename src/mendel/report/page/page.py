"""The page of a run: one HTML file that opens from disk, runs one script of its own and fetches nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.engine.store import write_atomic
from mendel.report.figures import FIGURES, figures_of
from mendel.report.page.cube import draw_cube
from mendel.report.page.document import asset, environment, markup, policy
from mendel.report.views.cards import Card, card_of
from mendel.report.views.edits import prior_sentences
from mendel.report.views.further import (
    Doses,
    RecipeRow,
    Subset,
    TriedTable,
    doses_of,
    recipes_of,
    subset_of,
    tried_of,
)
from mendel.report.views.ladder import Ladder, ladder_of
from mendel.report.views.location import share_text
from mendel.report.views.made import how_it_was_made
from mendel.report.views.methods import methods_of
from mendel.report.views.reading import read_page_folder
from mendel.report.views.responses import count_responses
from mendel.report.views.trait import TraitSection, trait_sections
from mendel.report.views.transcripts import pack_transcripts
from mendel.report.views.words import describe_arm
from mendel.results.folder import RunFolder
from mendel.results.interval import Format, why_missing
from mendel.results.verdicts import TraitVerdict
from mendel.study.cube import PARTS

if TYPE_CHECKING:
    from markupsafe import Markup

PAGE = "report.html"
LOG_ODDS = Format(2)


@dataclass(frozen=True)
class TraitView:
    """All that the page shows of one trait; what the run does not have is None."""

    trait: TraitSection
    card: Card
    cube: Markup | None
    folded: str
    """The parts that both pipelines share, in words."""
    figures: Mapping[str, Markup | None]
    """By part; None where nothing with an interval is there to draw."""
    ladder: Ladder | None
    subset: Subset | None
    doses: Doses | None
    tried: TriedTable | None
    recipes: tuple[RecipeRow, ...]
    priors: tuple[str, ...] = ()
    """What each edit leaves beside the base's own prior, in sentences."""


def render_report(run_dir: Path) -> str:
    """Return the report of a run as one HTML document.

    Args:
        run_dir: The run's folder. A half-finished run gives a page that says what is missing.

    Returns:
        The document, which fetches nothing.

    Raises:
        InputError: The folder holds no run.
    """
    folder = read_page_folder(run_dir)
    counted = count_responses(folder.tables["measurements"], folder.tables["students"])
    responses = counted.by_key
    traits = trait_sections(folder, responses)
    transcripts = pack_transcripts(folder, counted)
    style, script = asset("page.css"), asset("page.js") if transcripts.packed else ""
    page = environment().get_template("page.html.j2")
    return page.render(
        style=markup(style),
        script=markup(script),
        policy=policy(style, script),
        name=folder.name,
        missing=folder.missing,
        views=[_view(folder, trait, folder.verdicts.traits[trait.name]) for trait in traits],
        made=how_it_was_made(folder),
        methods=methods_of(folder),
        cube=folder.cube,
        describe_arm=partial(describe_arm, words=folder.arm_words),
        log_odds=LOG_ODDS,
        transcripts=transcripts,
        packed=markup(transcripts.packed),
        why_missing=why_missing,
        share_text=share_text,
        responses_of=lambda trait, arm: responses.get((trait, arm)),
    )


def write_report(run_dir: Path) -> Path:
    """Write `report.html` into a run's folder, atomically.

    Args:
        run_dir: The run's folder.

    Returns:
        The page's path.

    Raises:
        InputError: The folder holds no run.
    """
    path = run_dir / PAGE
    write_atomic(path, render_report(run_dir))
    return path


def _view(folder: RunFolder, trait: TraitSection, verdict: TraitVerdict) -> TraitView:
    levels = {row.arm: row.level for row in trait.corners}
    tops = [level.estimate for level in levels.values() if level.estimate is not None]
    top = 1.0 if trait.is_rate else max(tops, default=1.0)
    groups = {row.arm: row.responses.group for row in trait.corners if row.responses}
    ladder, doses = ladder_of(verdict), doses_of(folder, trait.name)
    return TraitView(
        trait,
        card_of(verdict, trait),
        draw_cube(trait.name, folder.cube, levels, folder.shared, trait.numbers, top, groups),
        " and the ".join(part for part in PARTS if part in folder.shared),
        _figures(trait, ladder, doses),
        ladder,
        subset_of(folder, trait.name),
        doses,
        tried_of(folder, trait.name),
        recipes_of(verdict),
        prior_sentences(verdict.recommendation),
    )


def _figures(trait: TraitSection, ladder: Ladder | None, doses: Doses | None) -> dict[str, Markup | None]:
    """Return the figures that the page has places for, by part; None where nothing has an interval."""
    figures = figures_of(trait, trait.anchor, ladder=ladder, doses=doses)
    return {part: figures[part].inline() if part in figures else None for part in FIGURES}
