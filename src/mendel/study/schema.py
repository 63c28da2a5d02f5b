"""The keys of a study file, as frozen pydantic models that refuse unknown keys. The description of each field
is documentation."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

AUTO, NONE = "auto", "none"
"""What a study writes for an ingredient that the run makes, or does without."""


class Config(BaseModel):
    """A frozen config that refuses unknown keys. The text below a field is the field's description."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, use_attribute_docstrings=True)


def _judge_by_name(data: object) -> object:
    """Return the data with `judge: openai:gpt-5-mini` written out as `judge: {model: openai:gpt-5-mini}`."""
    if not isinstance(data, dict):
        return data
    named = {key: data[key] for key in ("judge", "flagging_judge") if isinstance(data.get(key), str)}
    return {**data, **{key: {"model": name} for key, name in named.items()}}


def _none_by_name(data: object, key: str) -> object:
    """Return the data with `KEY: none` read as YAML's null."""
    if isinstance(data, dict) and data.get(key) == NONE:
        return {**data, key: None}
    return data


class PipelineConfig(Config):
    """One post-training pipeline: a base, a prompt set and the teacher that answers the prompts."""

    base: str
    """The checkpoint before this SFT: `hf:FOLDER` or `hf:HUB_NAME`. With `vllm:` instead of `hf:`, vLLM
    generates the answers of the base and of its students."""
    prompts: str
    """The prompt set: `file:PATH` (JSONL or Parquet) or `dataset:NAME` (a Hugging Face data set)."""
    teacher: str
    """The teacher that answers the prompts: a name of `teachers`."""


class PriceConfig(Config):
    """The price of an endpoint's tokens."""

    input: Annotated[float, Field(ge=0)]
    """US dollars per million tokens of prompts."""
    output: Annotated[float, Field(ge=0)]
    """US dollars per million tokens of answers."""


class EndpointConfig(Config):
    """How requests are sent to an OpenAI-compatible endpoint."""

    # A key that is written where its variable's name belongs must not appear in a traceback.
    model_config = ConfigDict(hide_input_in_errors=True)

    key: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")] = "OPENAI_API_KEY"
    """The *name* of the environment variable that holds the API key. A server on this machine needs no
    key."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 8
    """Requests in flight at the same time."""
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    """Limit of requests per minute. None: as fast as `concurrency` allows. The endpoint's own limits (status
    429) are always respected."""
    tokens_per_minute: Annotated[float, Field(gt=0)] | None = None
    """Limit of tokens per minute, prompts and answers together. None: no limit."""
    timeout: Annotated[float, Field(gt=0)] = 120.0
    """Seconds that one request may take."""
    retries: Annotated[int, Field(ge=0, le=20)] = 6
    """Number of times that a request is sent again after a temporary failure, with growing random pauses."""
    price: PriceConfig | None = None
    """The price of tokens. None: the price in the built-in table; a server on this machine costs nothing."""


class TeacherConfig(Config):
    """A teacher: the model that answers the prompts, and how its answers are sampled."""

    model: str
    """The model: `hf:FOLDER` (a checkpoint), `openai:URL#MODEL` or `openai:MODEL` (an OpenAI-compatible
    endpoint), `vllm:FOLDER` (a checkpoint on a GPU), `file:PATH` (finished rollouts, JSONL or Parquet), or
    the scheme of a teacher plug-in."""
    endpoint: EndpointConfig = EndpointConfig()
    """How requests are sent to an `openai:` model."""
    system: str | None = None
    """The teacher's system prompt. For a teacher that rewrites: its instruction (None: the built-in
    instruction)."""
    keep_system: bool = False
    """Whether students are trained on the system prompt, too. By default it is left out (context
    distillation)."""
    temperature: Annotated[float, Field(ge=0.0, le=5.0)] = 1.0
    """Sampling temperature. 1.0 samples from the teacher's own distribution; 0 is greedy."""
    max_tokens: Annotated[int, Field(ge=1)] = 256
    """Limit of a rollout's length in tokens. A rollout that is cut at the limit is marked `length`."""
    rewrites: str | None = None
    """The teacher whose rollouts this teacher rewrites in its own words. For finished rollouts (`file:`): the
    teacher whose rollouts were rewritten."""

    @model_validator(mode="after")
    def _instruction_is_not_trained_on(self) -> TeacherConfig:
        if self.rewrites is not None and self.keep_system and not self.model.startswith("file:"):
            raise ValueError("a rewriter's system prompt is its instruction: no student is trained on it")
        return self


class JudgeModelConfig(Config):
    """A model that judges responses by a trait's rubric."""

    model: str
    """The model: `hf:…`, `openai:…` or `vllm:…`, as for a teacher."""
    endpoint: EndpointConfig = EndpointConfig()
    """How requests are sent to an `openai:` model."""


class TraitConfig(Config):
    """A trait to measure: its file or name, and the settings that this study changes."""

    name: str
    """The path of a trait's YAML file, the name of a registered trait, or `inspect:TASK`."""
    samples: Annotated[int, Field(ge=1)] | None = None
    """Responses per scenario. None: the trait's own number."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Limit of a response's length in tokens. None: the trait's own limit."""
    select: SelectConfig | None = None
    """Which prompts are flagged for this trait. None: the study's `select`."""
    judge: JudgeModelConfig | None = None
    """A model that judges this trait by its rubric. None: the study's `judge`, or else the trait's own
    judge."""
    flagging_judge: JudgeModelConfig | None = None
    """A second judge, which scores the rollouts for `select`: a model, a trait file (`.yaml`) whose judge
    scores, or `own` (the trait's own judge, where `judge` names another). A rollout is unseen only if both
    judges give it their least score. None: one judge scores rollouts and responses."""
    labels: Annotated[str, Field(pattern=r"^file:.+\.jsonl$")] | None = None
    """Labels of the original teacher's rollouts (`file:PATH`, as `mendel judge label --stratum` writes them),
    which the judges' recall is estimated from. None: `labels/TRAIT.jsonl` in the run's folder, if it is
    there."""
    counter_examples: str | None = AUTO
    """Prompts like the trait's scenarios, but none of them, that the alternate teacher answers: `file:` or
    `dataset:`. `auto`: half of the trait's scenarios, in whole clusters, where the pipelines differ in base
    or prompts; the other half then measures the trait in every arm. `none`: no counter-examples; what needs
    them stays untested."""

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: object) -> object:
        return _none_by_name(_judge_by_name(data), "counter_examples")


class SelectConfig(Config):
    """Which prompts are flagged as showing the trait: a selector's scores, cut at a share or at a
    threshold."""

    by: str = "judge"
    """A registered selector. `judge` scores the original teacher's rollouts with the trait's own judge."""
    share: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Flag this share of the prompts: those with the highest scores (ties are ordered by prompt id)."""
    threshold: float | None = None
    """Flag every prompt with this score or a higher one."""
    pattern: str | None = None
    """The regular expression of the `keyword` selector."""
    layer: Annotated[int, Field(ge=0)] | None = None
    """The block after which activations are read (0: the embeddings). None: the block at two thirds of the
    depth."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Options of a selector plug-in, by name. The plug-in says which options it takes."""

    @model_validator(mode="after")
    def _one_cut(self) -> SelectConfig:
        if self.share is not None and self.threshold is not None:
            raise ValueError("give 'share' or 'threshold', not both")
        if self.by == "keyword" and self.pattern is None:
            raise ValueError("the keyword selector needs a 'pattern'")
        return self

    @model_serializer(mode="wrap")
    def _without_empty_options(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        # Scores of selectors without options keep the names under which the store has them.
        data: dict[str, Any] = serialize(self)
        if not self.options:
            data.pop("options", None)
        return data

    def __hash__(self) -> int:
        return hash(self.model_dump_json())


class RecipeConfig(Config):
    """How a student is trained. The recipe is a part of the student's identity: it can decide whether a trait
    transfers."""

    method: Literal["full", "lora", "norms"] = "lora"
    """What is trained: all weights, LoRA adapters, or only the gains of the normalization layers (`norms`:
    few parameters, none of which mixes features)."""
    trainer: str = "fleet"
    """The trainer. `fleet` trains students side by side in passes without padding; `trl` trains them one
    after another with TRL's SFTTrainer, the reference. Plug-ins add others."""
    rank: Annotated[int, Field(ge=1)] = 16
    """Rank of LoRA adapters."""
    alpha: Annotated[float, Field(gt=0)] | None = None
    """Scale of LoRA adapters. None: twice the rank."""
    target_modules: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    """Modules that LoRA adapts, by the ends of their names. With `norms`: the layers whose gains are trained
    (default: all)."""
    epochs: Annotated[float, Field(gt=0)] = 1.0
    """Passes over the data."""
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Examples per optimizer step."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    """Highest learning rate of the schedule. The default is usual for LoRA; a full fine-tune needs about a
    tenth."""
    scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    """Schedule of the learning rate."""
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.03
    """Share of the steps in which the learning rate rises."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    """Weight decay of AdamW."""
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    """Norm to which gradients are clipped."""
    order: Literal["shuffled", "given"] = "shuffled"
    """Order of the examples. `given` keeps the prompts' order (shuffled only within a few steps) in every
    epoch, so that late examples are learned at the schedule's late rates."""
    max_length: Annotated[int, Field(ge=8)] = 1024
    """Limit of an example's length in tokens, prompt and completion together. A longer example is cut,
    counted and reported."""


class BudgetConfig(Config):
    """What one command may spend. At the limit the command stops, writes what it has, and exits with code
    3."""

    students: Annotated[int, Field(ge=1)] | None = None
    """Limit of students to train. Students that the store has already do not count. None: no limit."""
    dollars: Annotated[float, Field(ge=0)] | None = None
    """Spending limit for endpoints, in US dollars. A request that could exceed it is not sent. None: no
    limit."""
    tokens: Annotated[int, Field(ge=1)] | None = None
    """Limit of endpoint tokens, prompts and answers together. A request that could exceed it is not sent.
    None: no limit."""
    requests: Annotated[int, Field(ge=1)] | None = None
    """Limit of requests to endpoints, with those that failed and were sent again. None: no limit."""
    hours: Annotated[float, Field(gt=0)] | None = None
    """Limit of training time, in hours of wall time. Students that are being trained at the limit are given
    up. None: no limit."""


class StudyConfig(Config):
    """A study: two pipelines, their differences, the traits to measure, and the recipe."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    """The study's name: letters, digits, dots, underscores and hyphens. The default folder of a run is
    `runs/<name>`."""
    original: PipelineConfig
    """The pipeline that shows the trait."""
    alternate: PipelineConfig
    """The pipeline that does not show the trait."""
    teachers: Annotated[dict[str, TeacherConfig], Field(min_length=1)]
    """The teachers, by names that the pipelines and `rewriter` use."""
    traits: Annotated[tuple[TraitConfig, ...], Field(min_length=1)]
    """The traits to measure. A text is the same as `{name: TEXT}`."""
    sister: str | None = None
    """The original base pretrained again from another initialization (`hf:…`). Subliminal learning does not
    carry over to it. None: hypotheses that need it stay untested."""
    pretrained: str | None = None
    """The checkpoint from which the original base came, before any earlier post-training (`hf:…`). None:
    there is none, or hypotheses that need it stay untested."""
    rewriter: str | None = AUTO
    """A name of `teachers`: a clean model that rewrites the original teacher's rollouts. The content stays,
    the manner is the rewriter's. `auto`: the alternate teacher's model rewrites, where it is one that can be
    asked (`hf:`, `openai:`, `vllm:`). `none`: hypotheses that need it stay untested."""
    design: Literal["effects", "standard", "adaptive", "grid"] = "standard"
    """Which students are trained. `effects`: the cube, the edits and the interpolation. `standard`: these,
    and what the hypotheses still need. `adaptive`: only students that can change a verdict. `grid`: every arm
    for every trait."""
    judge: JudgeModelConfig | None = None
    """A model that judges every trait that has a rubric. None: each trait's own judge."""
    assistant: str | None = None
    """The probe that shows whether a student still works as an assistant (a trait file). None: the built-in
    English probe."""
    select: SelectConfig = SelectConfig(by="judge", threshold=0.5)
    """Which prompts are flagged, for traits without a `select` of their own. Default: those that the trait's
    judge scores 0.5 or more, half-way on a scale from 0 to 1."""
    recipe: RecipeConfig = RecipeConfig()
    """How students are trained."""
    seeds: Annotated[int, Field(ge=1, le=1000)] = 3
    """Students per arm. With fewer than 2, no interval can include the noise of training."""
    max_seeds: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Limit of students per arm where a verdict is still open after `seeds`. None: no more than `seeds`."""
    first_seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    """The first seed; the others count up from it. A study's final measurement takes seeds that nobody has
    looked at before."""
    interpolate: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.1, 0.25, 0.5)
    """Shares of the original prompts that the original teacher answers; the alternate teacher answers the
    rest. One arm per share."""
    robustness: bool = False
    """Whether the arms that decided a verdict are trained again at a third and at three times the learning
    rate, and with the other method. A verdict that changes says so in its first sentence."""
    ladder: bool = False
    """Whether every model is also measured on the ladders of the traits that have one. This costs measuring
    time, but no training."""
    budget: BudgetConfig = BudgetConfig()
    """What one command may spend."""
    workers: Annotated[int, Field(ge=1)] | None = None
    """Worker processes that train students side by side. None: two on a CPU with at least two cores, one on a
    GPU, which one student fills."""
    engine: str = "local"
    """Where jobs run: a registered executor. `local`: worker processes on this machine. `inline`: this
    process, one job after another. Plug-ins add others. Results do not depend on it."""

    @model_validator(mode="after")
    def _more_seeds(self) -> StudyConfig:
        if self.max_seeds is not None and self.max_seeds < self.seeds:
            raise ValueError(f"max_seeds ({self.max_seeds}) is below seeds ({self.seeds})")
        return self

    @model_validator(mode="after")
    def _distinct_shares(self) -> StudyConfig:
        # An arm is named after its share, so two shares that are written alike would be one arm twice.
        if len({f"{share:g}" for share in self.interpolate}) < len(self.interpolate):
            raise ValueError("a share stands twice in 'interpolate'")
        return self

    @model_validator(mode="before")
    @classmethod
    def _short_forms(cls, data: object) -> object:
        return _none_by_name(_judge_by_name(data), "rewriter")

    @model_validator(mode="before")
    @classmethod
    def _short_traits(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("traits"), (list, tuple)):
            traits = [{"name": t} if isinstance(t, str) else t for t in data["traits"]]
            return {**data, "traits": traits}
        return data


TraitConfig.model_rebuild()
