import pytest
from tests.unit.compose.conftest import Repository

from conductor.domain.plan import SecretRequest
from conductor.domain.stack import Hook, SecretText


@pytest.mark.parametrize("kind", ["post_start", "pre_stop"])
def test_hooks_keep_their_order_and_what_they_say(repository: Repository, kind: str):
    service = repository.service(
        f"{kind}: [{{command: do 'a b', user: root, working_dir: /w, environment: [A=1, B]}}, {{command: [x, y]}}]"
    )
    assert getattr(service, kind) == (
        Hook(command=("do", "a b"), user="root", working_dir="/w", environment={"A": "1"}),
        Hook(command=("x", "y")),
    )


def test_a_hook_gets_a_secret_by_name_where_its_service_may(repository: Repository):
    attributes = "post_start: [{command: x, environment: {K: '${KEY}'}}]"
    service = repository.service(attributes, secrets=[SecretRequest(name="KEY")])
    assert service.post_start[0].environment == {"K": SecretText(parts=("", "KEY", ""))}
    (problem,) = repository.problems(attributes, secrets=[SecretRequest(name="KEY", consumers=("db",))])
    assert "it is only for db" in problem


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("[{user: x}]", "needs its `command`"),
        ("[{command: }]", "needs its `command`"),
        ("[x]", "expected a mapping"),
        ("{command: x}", "expected a list"),
        ("[{command: x, usr: y}]", "Did you mean `user`?"),
    ],
)
def test_what_is_no_hook_is_said(repository: Repository, written: str, said: str):
    assert any(said in problem for problem in repository.problems(f"pre_stop: {written}"))


def test_hooks_of_several_files_are_joined(repository: Repository):
    repository.file("one.yaml", "services: {web: {image: a, post_start: [{command: a}]}}")
    repository.file("two.yaml", "services: {web: {post_start: [{command: b}]}}")
    hooks = repository.load("one.yaml", "two.yaml").stack.service("web").post_start
    assert [hook.command for hook in hooks] == [("a",), ("b",)]
