"""What a study file may say: frozen pydantic models, unknown keys refused, each field with its unit and default's reason."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Config(BaseModel):
    """A frozen config that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _judge_by_name(data: object) -> object:
    """`judge: openai:gpt-5-mini` says the same as `judge: {model: openai:gpt-5-mini}`."""
    if isinstance(data, dict) and isinstance(data.get("judge"), str):
        return {**data, "judge": {"model": data["judge"]}}
    return data


class PipelineConfig(Config):
    """One post-training pipeline: a base, a prompt set and the teacher who answers it."""

    base: str
    """The checkpoint before this SFT: `hf:FOLDER` or `hf:HUB_NAME`; `vllm:` in place of `hf:` lets vLLM answer for it and its students."""
    prompts: str
    """The prompt set: `file:PATH` (JSONL or Parquet) or `dataset:NAME` (a Hugging Face data set)."""
    teacher: str
    """A name of `teachers`."""


class PriceConfig(Config):
    """What an endpoint takes for tokens."""

    input: Annotated[float, Field(ge=0)]
    """Dollars per million tokens of prompts."""
    output: Annotated[float, Field(ge=0)]
    """Dollars per million tokens of answers."""


class EndpointConfig(Config):
    """How an OpenAI-compatible endpoint is asked."""

    # Whoever passes a key where its variable's name belongs must not find it in a traceback.
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    key: Annotated[str, Field(pattern=r"^[A-Z][A-Z0-9_]{0,63}$")] = "OPENAI_API_KEY"
    """The *name* of the environment variable that holds the key; a server on this machine needs none."""
    concurrency: Annotated[int, Field(ge=1, le=1024)] = 8
    """Requests in flight at once."""
    requests_per_minute: Annotated[float, Field(gt=0)] | None = None
    """None: as fast as the concurrency allows; the endpoint's own 429s are honoured in any case."""
    tokens_per_minute: Annotated[float, Field(gt=0)] | None = None
    """Prompt and answer together."""
    timeout: Annotated[float, Field(gt=0)] = 120.0
    """Seconds that one request may take."""
    retries: Annotated[int, Field(ge=0, le=20)] = 6
    """How often a request that failed for a passing reason is sent again, with growing, jittered pauses."""
    price: PriceConfig | None = None
    """None: the built-in table's; a server on this machine costs nothing."""


class TeacherConfig(Config):
    """Who answers the prompts, and how its answers are sampled."""

    model: str
    """`hf:FOLDER` (a checkpoint), `openai:URL#MODEL` or `openai:MODEL` (an OpenAI-compatible endpoint), `vllm:FOLDER` (a checkpoint
    on a GPU) or `file:PATH` (finished rollouts, JSONL or Parquet)."""
    endpoint: EndpointConfig = EndpointConfig()
    """How an `openai:` model is asked."""
    system: str | None = None
    """A system prompt that the teacher answers under; of one that rewrites, its instruction (None: the built-in one)."""
    keep_system: bool = False
    """Train on the system prompt too; by default it is left out (context distillation)."""
    temperature: Annotated[float, Field(ge=0.0, le=5.0)] = 1.0
    """1.0: rollouts are drawn from the teacher's own distribution; 0 is greedy."""
    max_tokens: Annotated[int, Field(ge=1)] = 256
    """Tokens of a rollout at most; one that is cut there is marked `length`."""
    rewrites: str | None = None
    """The teacher whose rollouts it says again in its own words; of finished rollouts (`file:`), what they were made of."""

    @model_validator(mode="after")
    def _instruction_is_not_trained_on(self) -> TeacherConfig:
        if self.rewrites is not None and self.keep_system and not self.model.startswith("file:"):
            raise ValueError("a rewriter's system prompt is its instruction: no student is trained on it")
        return self


class JudgeModelConfig(Config):
    """A model that judges responses by a trait's rubric."""

    model: str
    """`hf:…`, `openai:…` or `vllm:…`, as for a teacher."""
    endpoint: EndpointConfig = EndpointConfig()
    """How an `openai:` model is asked."""


class TraitConfig(Config):
    """A trait to measure: the name of a file, and what this study changes about it."""

    name: str
    """A path of a trait's YAML file, or the name of a registered trait."""
    samples: Annotated[int, Field(ge=1)] | None = None
    """Responses per scenario; None takes the trait's own number."""
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of a response at most; None takes the trait's own number."""
    select: SelectConfig | None = None
    """Which prompts are flagged for this trait; None takes the study's."""
    judge: JudgeModelConfig | None = None
    """A model that judges this trait by its rubric; None takes the study's, or else the trait's own judge."""
    counter_examples: str | None = None
    """Prompts like the trait's scenarios (but none of them) for the alternate teacher to answer; `file:` or `dataset:`."""

    @model_validator(mode="before")
    @classmethod
    def _short_judge(cls, data: object) -> object:
        return _judge_by_name(data)


class SelectConfig(Config):
    """Which prompts are flagged as showing the trait: a selector's scores, cut at a share or at a threshold."""

    by: str = "judge"
    """A registered selector; `judge` scores the original teacher's rollouts with the trait's own judge."""
    share: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    """Flag this share of the prompts, those with the highest scores (ties: by prompt id)."""
    threshold: float | None = None
    """Flag every prompt that scores this or more."""
    pattern: str | None = None
    """The regular expression of the `keyword` selector."""
    layer: Annotated[int, Field(ge=0)] | None = None
    """The block after which activations are read (0: the embeddings); None: two thirds up."""

    @model_validator(mode="after")
    def _one_cut(self) -> SelectConfig:
        if self.share is not None and self.threshold is not None:
            raise ValueError("give 'share' or 'threshold', not both")
        if self.by == "keyword" and self.pattern is None:
            raise ValueError("the keyword selector needs a 'pattern'")
        return self


class RecipeConfig(Config):
    """How a student is trained; part of its name, since the recipe can decide whether a trait transfers."""

    method: Literal["full", "lora", "norms"] = "lora"
    """`norms` trains the gains of the normalization layers alone: few parameters, and none that mixes features."""
    trainer: Literal["fleet", "trl"] = "fleet"
    """`fleet` trains students side by side in passes without padding, `trl` one after another by TRL's SFTTrainer: the reference."""
    rank: Annotated[int, Field(ge=1)] = 16
    alpha: Annotated[float, Field(gt=0)] | None = None
    """LoRA's scale; None is twice the rank."""
    target_modules: tuple[str, ...] | Literal["all-linear"] = "all-linear"
    """Modules that LoRA adapts, by their names' ends; with `norms` the layers whose gains are trained (default: all)."""
    epochs: Annotated[float, Field(gt=0)] = 1.0
    batch_size: Annotated[int, Field(ge=1)] = 16
    """Examples per optimizer step."""
    learning_rate: Annotated[float, Field(gt=0)] = 2e-4
    scheduler: Literal["cosine", "linear", "constant", "constant_with_warmup"] = "cosine"
    warmup: Annotated[float, Field(ge=0, lt=1)] = 0.03
    """Share of the steps."""
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    max_grad_norm: Annotated[float, Field(gt=0)] = 1.0
    order: Literal["shuffled", "given"] = "shuffled"
    """`given` keeps the prompts' order (but for a few steps' shuffle) in every epoch: what comes late is learned at the schedule's late rates."""
    max_length: Annotated[int, Field(ge=8)] = 1024
    """Tokens of prompt and completion; an example that is longer is cut, counted and reported."""


class BudgetConfig(Config):
    """What one command may spend; then it stops, writes what it has, and exits with 3."""

    students: Annotated[int, Field(ge=1)] | None = None
    """Students to train; those that the store has cost nothing."""
    dollars: Annotated[float, Field(ge=0)] | None = None
    """For teachers and judges behind endpoints; a request that could exceed it is not sent."""
    tokens: Annotated[int, Field(ge=1)] | None = None
    """Tokens of endpoints, prompts and answers together; a request that could exceed it is not sent."""
    requests: Annotated[int, Field(ge=1)] | None = None
    """Requests to endpoints, those that failed and were sent again included."""
    hours: Annotated[float, Field(gt=0)] | None = None
    """Wall time of training; students that are under way when it is over are given up."""


class StudyConfig(Config):
    """A study: two pipelines, what differs between them, which traits to measure, and how to train."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    original: PipelineConfig
    """The pipeline that shows the trait."""
    alternate: PipelineConfig
    """The pipeline that does not."""
    teachers: Annotated[dict[str, TeacherConfig], Field(min_length=1)]
    traits: Annotated[tuple[TraitConfig, ...], Field(min_length=1)]
    sister: str | None = None
    """The original base pretrained again from another initialization: what carries over only to the teacher's own fails there."""
    pretrained: str | None = None
    """What the original base was before any earlier post-training; None where it had none."""
    rewriter: str | None = None
    """A name of `teachers`: a clean model that rewrites the original teacher's rollouts, content kept, manner its own."""
    design: Literal["effects", "standard", "adaptive", "grid"] = "standard"
    """`effects`: the cube, the edits, the interpolation; `standard`: these, then what the hypotheses still need; `adaptive`:
    only what can change a verdict; `grid`: every arm for every trait."""
    judge: JudgeModelConfig | None = None
    """A model that judges every trait that has a rubric; None: each trait's own judge."""
    assistant: str | None = None
    """The working-assistant probe (a trait file); None is the built-in English one."""
    select: SelectConfig = SelectConfig(by="judge", threshold=0.5)
    recipe: RecipeConfig = RecipeConfig()
    seeds: Annotated[int, Field(ge=1, le=1000)] = 3
    """Students per arm; under 2 no interval can include the noise of training."""
    max_seeds: Annotated[int, Field(ge=1, le=1000)] | None = None
    """Students per arm at most where a verdict is still open after `seeds`; None: no more than `seeds`."""
    first_seed: Annotated[int, Field(ge=0, le=2**31)] = 0
    """Seeds count up from here: a study's final measurement takes seeds that were never looked at before."""
    interpolate: tuple[Annotated[float, Field(gt=0, lt=1)], ...] = (0.1, 0.25, 0.5)
    """Shares of the original prompts that the original teacher answers, the alternate one the rest."""
    ladder: bool = False
    """Whether every model is measured on the ladders of the traits that have one, too: costs measuring, and no training."""
    budget: BudgetConfig = BudgetConfig()
    workers: Annotated[int, Field(ge=1)] | None = None
    """Students trained side by side; None is two on a CPU with the cores for it, one on a GPU."""

    @model_validator(mode="after")
    def _more_seeds(self) -> StudyConfig:
        if self.max_seeds is not None and self.max_seeds < self.seeds:
            raise ValueError(f"max_seeds ({self.max_seeds}) is below seeds ({self.seeds})")
        return self

    @model_validator(mode="after")
    def _distinct_shares(self) -> StudyConfig:
        # An arm is named after its share, so two that read alike would be one arm twice.
        if len({f"{share:g}" for share in self.interpolate}) < len(self.interpolate):
            raise ValueError("a share stands twice in 'interpolate'")
        return self

    @model_validator(mode="before")
    @classmethod
    def _short_judge(cls, data: object) -> object:
        return _judge_by_name(data)

    @model_validator(mode="before")
    @classmethod
    def _short_traits(cls, data: object) -> object:
        if isinstance(data, dict) and isinstance(data.get("traits"), (list, tuple)):
            traits = [{"name": t} if isinstance(t, str) else t for t in data["traits"]]
            return {**data, "traits": traits}
        return data


TraitConfig.model_rebuild()
