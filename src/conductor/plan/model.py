"""`.conductor.yaml` as a model: every key with its type, its default and one sentence. The JSON schema and the reference are made of it.

Defaults are those of `domain.plan`; what is not given and what is empty (`secrets:` with nothing after it) is the same.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    WithJsonSchema,
    model_validator,
)
from pydantic.annotated_handlers import GetJsonSchemaHandler
from pydantic_core import CoreSchema

from conductor.domain import plan as domain
from conductor.domain.run import Cleanup
from conductor.plan import words


def _text(pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": f"^(?:{pattern})$", "examples": list(examples)})


_TEXTS = {"type": "array", "minItems": 1, "items": {"type": ["string", "number", "boolean"]}}

Duration = Annotated[
    timedelta,
    BeforeValidator(words.duration),
    PlainSerializer(words.duration_text),
    _text(r"(?=[0-9])([0-9]+d)?([0-9]+h)?([0-9]+m)?([0-9]+s)?", "30m"),
]
Memory = Annotated[
    int, BeforeValidator(words.memory), _text(r"[0-9]+(\.[0-9]+)? ?[bkmgBKMG][iI]?[bB]?", "512m")
]
SecretName = Annotated[str, BeforeValidator(words.secret_name), _text(words.NAME, "OPENAI_API_KEY")]
EnvironmentName = Annotated[str, BeforeValidator(words.environment), _text(words.ENVIRONMENT, "qa")]
SuiteName = Annotated[str, BeforeValidator(words.suite_name), _text(words.SUITE_NAME, "api")]
Image = Annotated[str, BeforeValidator(words.image), _text(words.IMAGE, "registry.example/dev:1.4")]
TagPattern = Annotated[
    str, BeforeValidator(words.tag_pattern), WithJsonSchema({"type": "string", "minLength": 1})
]
RepositoryPath = Annotated[
    str, BeforeValidator(words.path), WithJsonSchema({"type": "string", "minLength": 1})
]
Glob = Annotated[str, BeforeValidator(words.glob), WithJsonSchema({"type": "string", "minLength": 1})]
Command = Annotated[
    str | tuple[str, ...],
    BeforeValidator(words.command),
    WithJsonSchema({"anyOf": [{"type": "string", "minLength": 1}, _TEXTS]}),
]
Word = Annotated[str, BeforeValidator(words.word), _text(words.WORD, "backend")]
Variable = Annotated[str, BeforeValidator(words.variable)]
Texts = Annotated[
    dict[Variable, str],
    WithJsonSchema({"type": "object", "additionalProperties": {"type": ["string", "number", "boolean"]}}),
]


def as_list(value: object) -> object:
    """Make a list of one thing; what is a list stays one."""
    return [value] if isinstance(value, str | dict) else value


class _OneOrMany:
    """In the schema: one of them, or a list."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        many = handler(core)
        return {"anyOf": [many["items"], many]}


class _NameOrMapping:
    """In the schema: only its name, or the mapping."""

    def __get_pydantic_json_schema__(self, core: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        name = {"type": "string", "pattern": f"^{words.NAME}$"}
        return {"anyOf": [name, handler(core)]}


def _named(value: object) -> object:
    return {"name": value} if isinstance(value, str) else value


class Section(BaseModel):
    """A mapping of the file: strict, and no key that it does not know."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _empty_is_absent(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        return {key: value for key, value in data.items() if value is not None or key not in known_keys(cls)}


def known_keys(section: type[BaseModel]) -> list[str]:
    """List the keys of a section, as they are written."""
    return [field.alias or name for name, field in section.model_fields.items()]


class BuildSection(Section):
    """How the test image is built."""

    context: RepositoryPath = "."
    """The folder that the build may read, relative to the repository's root."""
    dockerfile: RepositoryPath = "Dockerfile"
    """Relative to the context."""
    target: Annotated[str, WithJsonSchema({"type": ["string", "null"]})] | None = None
    """The stage to stop at; without it the last one."""
    args: Texts = Field(default_factory=dict)
    """Build arguments. They can be read from the image: no secrets."""


class SuiteSection(Section):
    """One test suite: one container that runs to its end beside the stack. It has `build`, `image` or `service`, or none of them."""

    name: SuiteName = domain.TESTS
    """Its name in reports; needed where there are several."""
    build: BuildSection | None = None
    """The test image is built. Without `build`, `image` and `service`: of `Dockerfile.test` where there is one, else of `Dockerfile`."""
    image: Image | None = None
    """The test image is there already."""
    service: Word | None = None
    """The suite takes the place of this service of the compose file, with its image, environment and mounts."""
    command: Command
    """What runs the tests: text (run by the shell of the image) or a list of arguments. Exit code 0 is passed."""
    rerun: Command | None = None
    """How failed tests alone are run again, with `{files}` or `{names}` in it; without it that is refused."""
    timeout: Duration = timedelta(minutes=30)
    """How long the tests may take. Longer is a failed verdict (`DeadlineExceeded`)."""
    env: Texts = Field(default_factory=dict)
    """Variables of the test container. No secrets: they are named under `secrets`."""
    reports: Annotated[list[Glob], BeforeValidator(as_list), _OneOrMany()] = list(domain.DEFAULT_REPORTS)
    """JUnit XML files, relative to the working directory of the image, or absolute."""
    artifacts: Annotated[list[Glob], BeforeValidator(as_list), _OneOrMany()] = []
    """Files and folders that are kept with the run."""
    memory: Memory | None = None
    """Limit of the test container; without it the engine's default."""
    cpus: Annotated[float, Field(gt=0, le=1024, strict=False)] | None = None
    """Limit of the test container, such as `1.5`; without it the engine's default."""


class TriggersSection(Section):
    """What starts a run. Read from the default branch."""

    tags: Annotated[list[TagPattern], BeforeValidator(as_list), _OneOrMany()] = list(domain.DEFAULT_TAGS)
    """Tags that start a run when they are pushed; `*` stands for any text."""


class StackSection(Section):
    """The services that the tests run against."""

    compose: Annotated[list[RepositoryPath], Field(min_length=1), BeforeValidator(as_list), _OneOrMany()] = [
        domain.DEFAULT_COMPOSE
    ]
    """The compose file, or several: later ones override earlier ones."""
    profiles: Annotated[list[Word], BeforeValidator(as_list), _OneOrMany()] = []
    """Profiles of the compose file that are enabled."""
    ready_timeout: Duration = timedelta(minutes=5)
    """How long the stack may take to get ready. Longer is a broken run (`NotReady`)."""


class SecretSection(Section):
    """A secret, and who gets it."""

    name: SecretName
    """Its name in GitHub Secrets, without the suffix of the environment: `KEY` is taken from `KEY_QA`."""
    consumers: Annotated[list[Word], Field(min_length=1), BeforeValidator(as_list), _OneOrMany()] | None = (
        Field(default=None, alias="for")
    )
    """`tests`, `workspace`, or names of services; nobody else gets it. Without it: every one of them."""


class WorkspaceSection(Section):
    """What a development environment is made of."""

    template: Word | None = None
    """The Coder template."""
    image: Image | None = None
    """The prebuilt development image. Read from the default branch."""
    parameters: Texts = Field(default_factory=dict)
    """Parameters of the template."""
    keep_for: Duration = timedelta(hours=8)
    """How long an environment lives."""


class Configuration(Section):
    """What a repository asks Conductor for."""

    version: Annotated[Literal[1], BeforeValidator(words.version)]
    """The version of this format."""
    triggers: TriggersSection = TriggersSection()
    """What starts a run. Read from the default branch."""
    stack: StackSection = StackSection()
    """The services that the tests run against."""
    tests: Annotated[list[SuiteSection], BeforeValidator(as_list), _OneOrMany()] = []
    """One test suite, or a list of named ones that run side by side in the same stack. Needed, unless there is a `workspace`."""
    secrets: list[Annotated[SecretSection, BeforeValidator(_named), _NameOrMapping()]] = []
    """Names in GitHub Secrets, without the suffix of the environment. Read from the default branch."""
    environments: Annotated[list[EnvironmentName], BeforeValidator(as_list), _OneOrMany()] = ["dev", "qa"]
    """Which suffixes this repository may ask for; the server's settings may allow fewer. Read from the default branch."""
    cleanup: Annotated[Cleanup, Field(strict=False)] = Cleanup.KEEP
    """What happens to the stack after the verdict: `keep` it for its lease, remove it `on-success`, or `always`."""
    keep_for: Duration = timedelta(hours=24)
    """How long a kept stack lives."""
    workspace: WorkspaceSection = WorkspaceSection()
    """What a development environment is made of."""
