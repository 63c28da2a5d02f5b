"""One model's responses and scores in the store."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mendel.engine.digest import digest
from mendel.engine.store import Store
from mendel.engine.trace import span
from mendel.results.tables import read_table

if TYPE_CHECKING:
    import pyarrow as pa

    from mendel.measure import Health, Trait
    from mendel.models import ChatModel


MEASURING_SEED = 0
"""Seed of the sampling of responses. It is the same in every command: models answer with the same draws."""
RESPONSES_VERSION = 1
"""Increase it when the same model, trait and seed give other responses."""
MEASUREMENT_VERSION = 2
"""Increase it when the same responses get other scores, or the columns change."""
_judging = threading.Lock()
"""Held while responses are judged: a user's own judge may not be safe to call from several threads."""


@dataclass(frozen=True)
class Measurements:
    """One model's responses and scores in the store."""

    store: Store
    model: str
    """The model's key in the store: a student's digest, or `ModelJob.model`."""
    seed: int = MEASURING_SEED

    def responses_key(self, probe: Trait) -> str:
        """Return the key of the responses to a probe in the store; it does not depend on the judge."""
        content = {"model": self.model, "asked": probe.responses_digest, "seed": self.seed}
        return digest("responses", {**content, "version": RESPONSES_VERSION})

    def scores_key(self, probe: Trait) -> str:
        """Return the key of the scored responses to a probe in the store."""
        content = {"model": self.model, "trait": probe.digest, "seed": self.seed}
        return digest("measurement", {**content, "version": MEASUREMENT_VERSION})

    def answered(self, probe: Trait) -> bool:
        """Return whether the store has the responses to a probe."""
        return self.store.has("responses", self.responses_key(probe))

    def scored(self, probe: Trait) -> bool:
        """Return whether the store has the scored responses to a probe."""
        return self.store.has("measurements", self.scores_key(probe))

    def finished(self, probe: Trait) -> bool:
        """Return whether the worker is finished with a probe.

        It is finished when the responses are scored. If a model is the judge, which scores later and
        elsewhere, it is finished when the responses are there.
        """
        from mendel.measure import needs_model

        return self.answered(probe) if needs_model(probe) else self.scored(probe)

    def left(self, probes: Sequence[Trait]) -> list[Trait]:
        """Return the probes that a worker is not finished with."""
        return [probe for probe in probes if not self.finished(probe)]

    def responses(self, probe: Trait) -> pa.Table | None:
        """Return the unscored responses to a probe; None if the store does not have them."""
        file = self.store.path("responses", self.responses_key(probe)) / "responses.parquet"
        return read_table(file) if file.exists() else None

    def scores(self, probe: Trait) -> pa.Table | None:
        """Return the scored responses to a probe, as in `measurement_schema`; None if there are none."""
        file = self.store.path("measurements", self.scores_key(probe)) / "measurement.parquet"
        return read_table(file) if file.exists() else None

    def write_responses(self, probe: Trait, respond: Callable[[Path], pa.Table]) -> None:
        """Store the responses that `respond` returns, given the folder for an Inspect task's logs."""
        import pyarrow.parquet as pq

        with self.store.writing("responses", self.responses_key(probe)) as folder:
            table = respond(folder / "inspect")
            pq.write_table(table, folder / "responses.parquet", compression="zstd")

    def write_scores(self, probe: Trait, table: pa.Table) -> None:
        """Store the scored responses to a probe."""
        import pyarrow.parquet as pq

        with self.store.writing("measurements", self.scores_key(probe)) as folder:
            pq.write_table(table, folder / "measurement.parquet", compression="zstd")

    def measure(
        self,
        probe: Trait,
        chat: Callable[[], ChatModel],
        *,
        asked: Trait | None = None,
        responses: pa.Table | None = None,
    ) -> None:
        """Ask a model a probe and score its responses; steps whose results are in the store are not repeated.

        Responses that a model judges are not scored here.

        Args:
            probe: The probe.
            chat: Returns the model; called only if the model has to answer.
            asked: The probe with the model's system prompt and prefix; None: the model has neither.
            responses: The model's responses, if it has answered already; None: it is asked.
        """
        from mendel.measure import judge_responses, needs_model, respond

        asked = asked or probe
        if not self.answered(probe):

            def respond_now(logs: Path) -> pa.Table:
                with span("answer", traits=probe.name):
                    return respond(chat(), asked, self.seed, self.model, logs)

            # A second name, since a closure over the parameter would lose its narrowed type.
            answered = responses
            self.write_responses(probe, respond_now if answered is None else lambda _: answered)
        if not needs_model(probe):
            table = self.responses(probe)
            assert table is not None, "they were written just before"
            with span("judge", trait=probe.name), _judging:
                scores = judge_responses(table, asked)
            self.write_scores(probe, scores)

    def health(self, assistant: Trait) -> Health:
        """Return how well the model answers plain questions, from its scores on the assistant's probe."""
        from mendel.measure import assistant_health

        table = self.scores(assistant)
        assert table is not None, "the assistant's probe is measured first"
        return assistant_health(table, assistant)

    def copy_logs(self, probe: Trait, folder: Path) -> None:
        """Copy an Inspect task's logs from the store to a folder, if there are any."""
        logs = self.store.path("responses", self.responses_key(probe)) / "inspect"
        if logs.is_dir():
            shutil.copytree(logs, folder, dirs_exist_ok=True)
