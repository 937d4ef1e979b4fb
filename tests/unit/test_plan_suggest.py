import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conductor.errors import NotFoundError
from conductor.plan.read import read_plan
from conductor.plan.suggest import suggest


def suggested(files: dict[str, str]) -> str:
    def read_text(name: str) -> str:
        if name not in files:
            raise NotFoundError(f"there is no {name}")
        return files[name]

    return suggest(has_file=files.__contains__, read_text=read_text, list_files=lambda: list(files))


def plan_of(files: dict[str, str]):
    return read_plan(suggested(files).encode(), has_file=files.__contains__)


def package(scripts: dict[str, str], **others: object) -> str:
    return json.dumps({"scripts": scripts, **others})


def test_a_shop_gets_the_file_that_its_owner_would_write():
    compose = "services: {a: {environment: [OPENAI_API_KEY=${OPENAI_API_KEY:?}, A=${DB_PASSWORD:-x}, B=$STRIPE_TOKEN_QA, C=$$X_KEY]}}"
    text = suggested(
        {
            "package.json": package({"test": "jest", "test:integration:nc": "jest --ci"}),
            "yarn.lock": "",
            "Dockerfile": "",
            "Dockerfile.test": "",
            "docker-compose.qa.yml": compose,
        }
    )
    lines = [line.strip() for line in text.splitlines()]
    assert "dockerfile: Dockerfile.test" in lines
    assert "command: yarn test:integration:nc" in lines
    assert [line for line in lines if line.startswith("#   -")] == [
        "#   - OPENAI_API_KEY",
        "#   - STRIPE_TOKEN",
    ]


@pytest.mark.parametrize(
    ("files", "command"),
    [
        ({"package.json": package({"test": "x"})}, "npm test"),
        ({"package.json": package({"test:integration": "x", "test": "y"}), "pnpm-lock.yaml": ""}, "pnpm run test:integration"),
        ({"package.json": package({"e2e": "x"}), "package-lock.json": ""}, "npm run e2e"),
        ({"package.json": package({"test": "x"}, packageManager="yarn@4.1.0")}, "yarn test"),
        ({"pyproject.toml": "[tool.pytest.ini_options]"}, "pytest --junitxml=reports/junit.xml"),
        ({"pytest.ini": "", "uv.lock": "", "tests/integration/test_a.py": ""},
         "uv run pytest --junitxml=reports/junit.xml tests/integration"),
        ({"go.mod": "module x"}, "go test ./..."),
        ({"Makefile": "test := 1\nintegration: build\n\tgo\n"}, "make integration"),
        ({"package.json": "{", "Makefile": "test:\n"}, "make test"),
        ({"package.json": "[" * 100_000}, "./run-tests"),
        ({"README.md": ""}, "./run-tests"),
    ],
)  # fmt: skip
def test_the_command_is_that_of_the_repositorys_own_tools(files: dict[str, str], command: str):
    assert plan_of(files).suites[0].command == command


def test_failed_tests_alone_are_run_again_where_the_runner_takes_files():
    assert plan_of({"package.json": package({"test": "jest"})}).suites[0].rerun == "npm test -- {files}"
    assert plan_of({"package.json": package({"test": "node test.js"})}).suites[0].rerun is None


@pytest.mark.parametrize(
    ("files", "build"),
    [
        ({"Dockerfile": "", "a/Dockerfile.test": ""}, (".", "Dockerfile")),
        ({"b/Dockerfile": "", "a/b/Dockerfile.test": ""}, ("a/b", "Dockerfile.test")),
        ({"123/Dockerfile": ""}, ("123", "Dockerfile")),
    ],
)
def test_the_test_image_is_built_where_its_dockerfile_is(files: dict[str, str], build: tuple[str, str]):
    made = plan_of(files).suites[0].build
    assert made is not None
    assert (made.context, made.dockerfile) == build


def test_without_a_dockerfile_an_image_is_named_and_the_way_to_a_better_one():
    files = {"go.mod": ""}
    assert plan_of(files).suites[0].image == "golang:1.26"
    assert "write Dockerfile.test" in suggested(files)


def test_another_compose_file_is_named():
    assert plan_of({"compose.yaml": "", "docker-compose.test.yml": ""}).compose == (
        "docker-compose.test.yml",
    )


names = st.sampled_from(
    ["package.json", "yarn.lock", "Makefile", "go.mod", "pyproject.toml", "Dockerfile", "Dockerfile.test", "compose.yml",
     "docker-compose.qa.yml", "a b/Dockerfile", "null/Dockerfile.test", "-x/Dockerfile", "a: b/Dockerfile", "../Dockerfile",
     "é/Dockerfile.test", "a\nb/Dockerfile", "true/x/Dockerfile", "tests/integration/x.py"]
)  # fmt: skip
texts = st.text(max_size=60) | st.sampled_from(
    [
        "pytest",
        "test:\n",
        package({"test": "jest"}),
        '{"scripts": {"test": 1}, "packageManager": []}',
        "${A_TOKEN:?x} $K_SECRET_QA ${é_KEY}",
    ]
)


@given(st.dictionaries(names, texts))
def test_what_is_suggested_can_be_read_whatever_the_repository_looks_like(files: dict[str, str]):
    assert plan_of(files).suites


@given(st.dictionaries(names, texts))
def test_the_suggested_secrets_can_be_read_too(files: dict[str, str]):
    text = suggested(files)
    head, _, tail = text.partition("# secrets:")
    taken, _, rest = tail.partition("\n\n")
    uncommented = f"{head}secrets:{taken.replace('#  ', '  ')}\n\n{rest}"
    assert read_plan(uncommented.encode(), has_file=files.__contains__).secrets
