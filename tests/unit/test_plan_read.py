from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.domain.plan import Plan, SecretRequest, Suite, TestBuild, WorkspacePlan
from conductor.domain.run import Cleanup
from conductor.errors import ConfigurationError
from conductor.plan.read import read_plan, read_plan_and_warnings, read_trusted_plan

COMPLETE = """
version: 1
triggers:
  tags: [run-integration-tests, "qa-*"]
stack:
  compose: [docker-compose.qa.yml, docker-compose.ci.yml]
  profiles: [mail]
  ready_timeout: 90s
tests:
  build:
    context: web
    dockerfile: Dockerfile.test
    target: null
    args: {VERSION: 1.10}
  command: yarn test:integration:nc
  rerun: yarn test:integration:nc {files}
  timeout: 1h30m
  env: {PORT: 3001, DEBUG: true, WORD: no, MODE: 0440}
  reports: [reports/**/*.xml]
  artifacts: [coverage/]
  memory: 512m
  cpus: 2
secrets:
  - OPENAI_API_KEY
  - name: STRIPE_KEY
    for: [tests, backend]
environments: [dev, qa, prod]
cleanup: on-success
keep_for: 2d
workspace:
  template: conductor-dev
  image: registry.example/dev:1.4
  parameters: {cpu: 4}
  keep_for: 8h
"""


def has(*files: str):
    return lambda name: name in files


def read(text: str, *files: str) -> Plan:
    return read_plan(text.encode(), has_file=has(*(files or ("Dockerfile",))))


def problems(text: str, *files: str) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        read(text, *files)
    return [
        f"{p.line}:{p.column} {p.message}" + (f" / {p.remedy}" if p.remedy else "")
        for p in caught.value.problems
    ]


def suite(text: str) -> str:
    return f"version: 1\ntests: {{command: a, {text}}}"


def test_a_complete_file_becomes_the_plan():
    assert read(COMPLETE, "web/Dockerfile.test") == Plan(
        tags=("run-integration-tests", "qa-*"),
        compose=("docker-compose.qa.yml", "docker-compose.ci.yml"),
        profiles=("mail",),
        ready_timeout=timedelta(seconds=90),
        suites=(
            Suite(
                build=TestBuild(context="web", dockerfile="Dockerfile.test", args={"VERSION": "1.10"}),
                command="yarn test:integration:nc",
                rerun="yarn test:integration:nc {files}",
                timeout=timedelta(minutes=90),
                env={"PORT": "3001", "DEBUG": "true", "WORD": "no", "MODE": "0440"},
                artifacts=("coverage/",),
                memory_bytes=512 * 1024**2,
                cpus=2.0,
            ),
        ),
        secrets=(
            SecretRequest(name="OPENAI_API_KEY"),
            SecretRequest(name="STRIPE_KEY", consumers=("tests", "backend")),
        ),
        environments=("dev", "qa", "prod"),
        cleanup=Cleanup.ON_SUCCESS,
        keep_for=timedelta(days=2),
        workspace=WorkspacePlan(
            template="conductor-dev", image="registry.example/dev:1.4", parameters={"cpu": "4"}
        ),
    )


def test_the_smallest_file_has_every_default():
    made = read("version: 1\ntests: {command: yarn test}")
    assert made == Plan(suites=(Suite(build=TestBuild(), command="yarn test"),))


@pytest.mark.parametrize(
    ("files", "dockerfile"),
    [(("Dockerfile", "Dockerfile.test"), "Dockerfile.test"), (("Dockerfile",), "Dockerfile")],
)
def test_the_test_image_is_built_of_dockerfile_test_where_there_is_one(
    files: tuple[str, ...], dockerfile: str
):
    assert read("version: 1\ntests: {command: a}", *files).suites[0].build == TestBuild(dockerfile=dockerfile)


def test_a_key_with_nothing_after_it_is_as_good_as_absent():
    text = "version: 1\ntests: {command: a}\nsecrets:\nstack:\nworkspace:\ncleanup:\n"
    assert read(text) == read("version: 1\ntests: {command: a}")


def test_several_suites_share_the_stack():
    made = read(
        "version: 1\ntests:\n- {name: api, command: a, image: x}\n- {name: web, command: [b, 5], service: e2e}"
    )
    assert [(s.name, s.image, s.service, s.build, s.command) for s in made.suites] == [
        ("api", "x", None, None, "a"),
        ("web", None, "e2e", None, ("b", "5")),
    ]


def test_one_thing_may_stand_for_a_list():
    made = read(suite("reports: a.xml, artifacts: b") + "\nstack: {compose: c.yml}\nenvironments: qa")
    assert (made.suites[0].reports, made.suites[0].artifacts) == (("a.xml",), ("b",))
    assert (made.compose, made.environments) == (("c.yml",), ("qa",))


def test_a_repository_only_for_workspaces_needs_no_tests():
    assert read("version: 1\nworkspace: {template: dev}").suites == ()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "1:1 the file is empty / Start with `version: 1`, or let `conductor init` write it."),
        ("- a", "1:1 the file must be a mapping / Start with `version: 1`, or let `conductor init` write it."),
        ("version: 1", "1:1 `tests` is missing / Say how they are run: `tests: {command: ...}`."),
        ("tests: {command: a}", "1:1 `version` is missing / Write `version: 1`."),
        ("version: 2\ntests: {command: a}", "1:10 `version` must be 1, the only version there is"),
        ("version: true\ntests: {command: a}", "1:10 `version` must be 1, the only version there is"),
        (suite("timout: 5m"), "2:21 unknown key `timout` in `tests` / Did you mean `timeout`?"),
        (suite("zzz: 1").replace("zzz", "zzzzzz"), ("2:21 unknown key `zzzzzz` in `tests` / Known here: "
         "name, build, image, service, command, rerun, timeout, env, reports, artifacts, memory, cpus.")),
        (suite("build: {dockrfile: x}"), "2:29 unknown key `dockrfile` in `tests.build` / Did you mean `dockerfile`?"),
        (suite("timeout: 30"), "2:30 `tests.timeout`: 30 has no unit: write `30s` or `30m`"),
        (suite("timeout: 1w"), "2:30 `tests.timeout`: `1w` is no duration: write `90s`, `30m`, `1h30m` or `2d`"),
        (suite("timeout: 0s"), "2:30 `tests.timeout`: a duration is longer than nothing and at most 365d"),
        (suite("timeout: [1]"), "2:30 `tests.timeout` must be a duration such as `30m`, `1h30m` or `24h`, not a list"),
        (suite("memory: 5"), "2:29 `tests.memory`: 5 has no unit: write `512m` or `2g`"),
        (suite("cpus: 0"), "2:27 `tests.cpus` must be more than 0"),
        (suite("cpus: many"), "2:27 `tests.cpus` must be a number, not `many`"),
        (suite("env: {A: [1]}"), "2:30 `tests.env.A` must be text, not a list"),
        (suite("image: x, service: y"), "2:31 `tests` has `image` and `service` / Keep one of them."),
        (
            suite("env: {A B: x}"),
            "2:27 `tests.env.A B`: `A B` is no name of a variable: letters, digits and `_`, not starting with a digit",
        ),
        (suite("service: a/b"), "2:30 `tests.service`: `a/b` is no name: letters, digits, `.`, `_` and `-`"),
        (suite("image: -x"), "2:28 `tests.image`: `-x` is no reference to an image, such as `registry.example/dev:1.4`"),
        (suite("rerun: a"), "2:28 `rerun` would run all tests again / Put `{files}` or `{names}` where the failed tests belong."),
        (suite("build: {context: ../x}"), "2:38 `tests.build.context`: `../x` leads out with `..`: paths stay where they start"),
        (suite("build: {context: /x}"), "2:38 `tests.build.context`: `/x` is absolute: paths are relative to the repository's root"),
        (suite("build: {dockerfile: D}"), ("2:41 there is no file `D` / `dockerfile` is relative to `context`, and `context` to the "
         "repository's root.")),
        (suite("build: ."), "2:28 `tests.build` must be a mapping, not `.`"),
        (suite("reports: [a/../../b]"), "2:31 `tests.reports[0]`: `a/../../b` leads out with `..`: paths stay where they start"),
        (suite("x: 1") + "\ncleanup: keep", ("2:21 unknown key `x` in `tests` / Known here: "
         "name, build, image, service, command, rerun, timeout, env, reports, artifacts, memory, cpus.")),
        (suite("cpus: 1") + "\ncleanup: never", "3:10 `cleanup` must be one of keep, on-success, always, not `never`"),
        (suite("cpus: 1") + "\nsecrets: [a-b]", ("3:11 `secrets[0].name`: `a-b` is no name of a secret: letters, digits and `_`, not "
         "starting with a digit")),
        (suite("cpus: 1") + "\nsecrets: [A, {name: A}]",
         "3:14 the secret `A` is here twice: it stands on line 3 already / Remove one of them."),
        (suite("cpus: 1") + "\nsecrets: [{name: A, for: []}]", "3:26 `secrets[0].for` must not be empty"),
        (suite("cpus: 1") + "\nenvironments: [QA]", ("3:16 `environments[0]`: `QA` is no name of an environment: small letters and "
         "digits, such as `qa`")),
        (suite("cpus: 1") + "\ntriggers: {tags: [a b]}", ("3:19 `triggers.tags[0]`: `a b` is no tag that git would take; `*` stands "
         "for any text")),
        (suite("cpus: 1") + "\ntriggers: {tags: [a, a/b]}", ("3:22 git cannot hold the tag `a` and tags below it together / Use `-` "
         "instead of `/`.")),
        ("version: 1\ntests:\n- {command: a}\n- {command: b}", "4:3 several suites need names / Give each a `name`."),
        ("version: 1\ntests:\n- {name: a b, command: a}\n- {name: A-B, command: b}", ("4:10 the name `A-B` is too near to that of "
         "the suite on line 3 / Names must differ in letters and digits.")),
        ("version: 1\nversion: 1", "2:1 the key `version` is here twice: it stands on line 1 already / Remove one of them."),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_words_with_place_and_remedy(text: str, problem: str):
    assert problems(text) == [problem]


def test_what_would_steer_a_terminal_is_in_no_name_and_no_message():
    said = problems(suite('image: "\\e[31m"') + '\nsecrets: [{name: A, for: ["\\u202ex"]}]\n"\\e[2J": 1\n')
    assert len(said) == 3
    assert not any("\x1b" in text or "\u202e" in text for text in said)


def test_a_suite_without_any_image_is_told_what_to_write():
    assert problems("version: 1\ntests: {command: a}", "README.md") == [
        (
            "2:1 there is no image for `tests`: neither Dockerfile.test nor Dockerfile is there"
            " / Write one of them, or name `build`, `image` or `service`."
        )
    ]


def test_all_problems_come_at_once_in_the_order_of_the_file():
    text = "version: 3\nstak: {}\ntests: {comand: a, timeout: x}\nsecrets: [A, A, 3]\ncleanup: no\n"
    lines = [problem.split(":")[0] for problem in problems(text)]
    assert lines == ["1", "2", "3", "3", "3", "4", "4", "5"]


def test_a_secret_named_like_an_environment_is_warned_of():
    text = "version: 1\ntests: {command: a}\nsecrets: [KEY_QA, GITHUB_KEY, QA, TOKEN_STAGE]\nenvironments: [stage]\n"
    warnings = read_plan_and_warnings(text.encode(), has_file=has("Dockerfile")).warnings
    assert [(w.column, w.remedy) for w in warnings] == [
        (11, "Name it `KEY`, without the suffix."),
        (19, "Give it another name."),
        (35, "Name it `TOKEN`, without the suffix."),
    ]


def test_of_the_default_branch_only_what_security_needs_is_read():
    text = "version: 1\ntests: {command: [], build: {dockerfile: gone}}\nsecrets: [A]\nenvironments: [qa]\n"
    assert read_trusted_plan(text.encode()) == Plan(secrets=(SecretRequest(name="A"),), environments=("qa",))
    with pytest.raises(ConfigurationError, match="no name of a secret"):
        read_trusted_plan(b"version: 1\nsecrets: [a-b]\n")


def test_thousands_of_mistakes_are_cut_to_a_readable_number():
    text = "version: 1\ntests: {command: a}\n" + "\n".join(f"k{n}: 1" for n in range(20_000))
    assert len(problems(text)) <= 100


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["version", "tests", "command", "build", "image", "name", "for", "secrets", "stack", "tags", "env", "rerun",
             "triggers", "environments", "context", "workspace", "keep_for", "reports", "x"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=15,
)  # fmt: skip


@given(
    st.dictionaries(
        st.sampled_from(["version", "tests", "secrets", "stack", "triggers", "environments", "workspace"]),
        values,
    )
)
def test_no_file_ends_in_anything_but_a_plan_or_problems_with_a_place(data: dict[str, object]):
    import yaml

    text = yaml.safe_dump(data, allow_unicode=True)
    try:
        made = read_plan(text.encode("utf-8", "replace"), has_file=has("Dockerfile"))
    except ConfigurationError as error:
        said = error.problems
        assert all(problem.line > 0 and "Input should" not in problem.message for problem in said)
    else:
        assert made.version == 1
