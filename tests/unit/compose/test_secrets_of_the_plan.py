import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.plan import SecretRequest
from conductor.domain.stack import SecretText

FOR_ALL = SecretRequest(name="OPENAI_API_KEY")
FOR_WEB = SecretRequest(name="STRIPE_KEY", consumers=("tests", "web"))
FOR_TESTS = SecretRequest(name="TEST_KEY", consumers=("tests",))
SECRETS = (FOR_ALL, FOR_WEB, FOR_TESTS)


@pytest.mark.parametrize(
    "written", ["{STRIPE_KEY: '${STRIPE_KEY}'}", "[STRIPE_KEY]", "['STRIPE_KEY=$STRIPE_KEY']"]
)
def test_a_secret_is_in_the_environment_by_name(repository: Repository, written: str):
    service = repository.service(f"environment: {written}", secrets=SECRETS)
    assert service.environment == {"STRIPE_KEY": SecretText(parts=("", "STRIPE_KEY", ""))}


def test_text_around_a_secret_is_kept(repository: Repository):
    service = repository.service(
        "environment: ['URL=https://u:${STRIPE_KEY}@x/${NOPE:-db}']", secrets=SECRETS
    )
    assert service.environment["URL"] == SecretText(parts=("https://u:", "STRIPE_KEY", "@x/db"))


def test_a_service_gets_the_secrets_that_are_for_it(repository: Repository):
    assert repository.service("init: true", secrets=SECRETS).secret_keys == ("OPENAI_API_KEY", "STRIPE_KEY")


def test_a_secret_satisfies_what_is_required_and_hides_a_default(repository: Repository):
    service = repository.service(
        "environment: {A: '${STRIPE_KEY:?x}', B: '${STRIPE_KEY:-x}'}", secrets=SECRETS
    )
    assert all(isinstance(value, SecretText) for value in service.environment.values())


def test_a_secret_comes_before_a_value_in_the_dotenv_file(repository: Repository):
    repository.file(".env", "STRIPE_KEY=committed\n")
    service = repository.service("environment: [STRIPE_KEY]", secrets=SECRETS)
    assert isinstance(service.environment["STRIPE_KEY"], SecretText)


def test_a_secret_in_an_env_file_stays_a_name(repository: Repository):
    repository.file("web.env", "STRIPE_KEY\nURL=x:$STRIPE_KEY\n")
    service = repository.service("env_file: web.env", secrets=SECRETS)
    assert service.environment["URL"] == SecretText(parts=("x:", "STRIPE_KEY", ""))
    assert isinstance(service.environment["STRIPE_KEY"], SecretText)


@pytest.mark.parametrize("written", ["environment: [TEST_KEY]", "environment: {A: 'x$TEST_KEY'}"])
def test_a_secret_for_others_is_refused_with_the_reason(repository: Repository, written: str):
    (problem,) = repository.problems(written, secrets=SECRETS)
    assert "the secret TEST_KEY in web is refused: it is only for tests" in problem
    assert "Add `web` to its `for`" in problem


@pytest.mark.parametrize(
    "attribute",
    [
        "image: app:$STRIPE_KEY", "command: run $STRIPE_KEY", "command: [run, $STRIPE_KEY]", "entrypoint: $STRIPE_KEY",
        "labels: {a: $STRIPE_KEY}", "labels: [a=$STRIPE_KEY]", "user: $STRIPE_KEY", "hostname: $STRIPE_KEY",
        "healthcheck: {test: curl $STRIPE_KEY}", "ports: [$STRIPE_KEY]", "volumes: ['$STRIPE_KEY:/x']", "mem_limit: $STRIPE_KEY",
        "extra_hosts: {a: $STRIPE_KEY}", "init: $STRIPE_KEY", "stop_grace_period: $STRIPE_KEY", "cpus: $STRIPE_KEY",
        "build: {context: ., args: {A: $STRIPE_KEY}, dockerfile_inline: FROM x}",
        "build: {context: ., args: [STRIPE_KEY], dockerfile_inline: x}",
    ],
)  # fmt: skip
def test_a_secret_anywhere_else_is_refused_with_the_remedy(repository: Repository, attribute: str):
    (problem,) = repository.problems(attribute, secrets=SECRETS)
    assert "the secret STRIPE_KEY is refused" in problem
    assert "environment" in problem


def test_a_file_from_a_secret_has_its_name(repository: Repository):
    service = repository.service(
        "secrets: [key]", "secrets: {key: {environment: STRIPE_KEY}}", secrets=SECRETS
    )
    (mount,) = service.mounts
    assert mount.content == SecretText(parts=("", "STRIPE_KEY", ""))
    assert mount.secret


def test_a_file_from_a_secret_for_others_is_refused(repository: Repository):
    (problem,) = repository.problems(
        "configs: [key]", "configs: {key: {environment: TEST_KEY}}", secrets=SECRETS
    )
    assert "it is only for tests" in problem
