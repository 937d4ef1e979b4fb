from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from conductor.domain.plan import DEFAULT_TAGS, Plan, SecretRequest, WorkspacePlan
from conductor.plan.trust import restrict


def plan(*secrets: SecretRequest, **others: object) -> Plan:
    return replace(Plan(secrets=secrets), **others)


def secret(name: str, *consumers: str) -> SecretRequest:
    return SecretRequest(name=name, consumers=consumers or None)


def test_what_both_files_say_comes_through_without_a_note():
    asked = plan(secret("A"), secret("B", "tests"), environments=("qa",))
    assert restrict(asked, asked) == (asked, ())


def test_a_secret_that_the_default_branch_does_not_name_is_not_given():
    made, notes = restrict(plan(secret("A"), secret("B")), plan(secret("A")))
    assert made.secrets == (secret("A"),)
    assert notes == ("the secret B is not given: the default branch's .conductor.yaml decides that",)


def test_a_commit_may_ask_for_fewer_secrets_consumers_and_environments_without_a_note():
    made, notes = restrict(plan(secret("A", "tests"), environments=("qa",)), plan(secret("A"), secret("B")))
    assert (made.secrets, made.environments, notes) == ((secret("A", "tests"),), ("qa",), ())


def test_a_commit_cannot_widen_who_gets_a_secret():
    made, notes = restrict(
        plan(secret("A"), secret("B", "web", "tests")), plan(secret("A", "tests"), secret("B", "tests"))
    )
    assert made.secrets == (secret("A", "tests"), secret("B", "tests"))
    assert notes == (
        "the secret A is given to tests only: the default branch's .conductor.yaml decides that",
        "the secret B is given to tests only: the default branch's .conductor.yaml decides that",
    )


def test_a_secret_for_consumers_who_share_nothing_is_not_given():
    made, notes = restrict(plan(secret("A", "web")), plan(secret("A", "tests")))
    assert (made.secrets, len(notes)) == ((), 1)


def test_a_default_branch_without_the_file_gives_no_secrets_and_says_why():
    asked = plan(secret("A"), environments=("qa", "prod"), workspace=WorkspacePlan(image="evil"))
    made, notes = restrict(asked, None)
    assert (made.secrets, made.environments, made.workspace.image) == ((), ("qa",), None)
    assert notes == (
        "the secret A is not given: the default branch has no .conductor.yaml yet",
        "the environment prod is not allowed: the default branch has no .conductor.yaml yet",
        "the workspace's image is the default one, not evil: the default branch has no .conductor.yaml yet",
    )


def test_a_plan_that_asks_for_nothing_is_told_nothing():
    assert restrict(Plan(), None) == (Plan(), ())


def test_the_workspace_is_made_of_the_default_branchs_image():
    trusted = plan(workspace=WorkspacePlan(image="good"))
    assert restrict(Plan(), trusted)[0].workspace.image == "good"
    assert restrict(plan(workspace=WorkspacePlan(image="evil")), trusted)[0].workspace.image == "good"


def test_a_tag_pattern_within_an_allowed_one_is_less_and_a_wider_one_is_more():
    allowed = plan(tags=("qa-*", "run.1"))
    made, notes = restrict(plan(tags=("qa-web-*", "qa-1", "qa*", "*", "runx1")), allowed)
    assert made.tags == ("qa-web-*", "qa-1")
    assert len(notes) == 3


def test_everything_else_is_the_commits_own_business():
    asked = plan(
        compose=("mine.yml",), profiles=("p",), workspace=WorkspacePlan(template="t", parameters={"a": "1"})
    )
    assert restrict(asked, Plan()) == (asked, ())


names = st.sampled_from(["A", "B", "C"])
consumers = st.none() | st.lists(st.sampled_from(["tests", "workspace", "web"]), min_size=1, unique=True).map(
    tuple
)
secrets = st.dictionaries(names, consumers).map(
    lambda found: tuple(SecretRequest(name=n, consumers=c) for n, c in found.items())
)
plans = st.builds(
    Plan,
    secrets=secrets,
    environments=st.lists(st.sampled_from(["dev", "qa", "prod"]), unique=True).map(tuple),
    tags=st.lists(st.sampled_from([*DEFAULT_TAGS, "*", "a-*", "a-b"]), unique=True).map(tuple),
    workspace=st.builds(WorkspacePlan, image=st.sampled_from([None, "x", "y"])),
)


@given(plans, plans)
def test_a_commit_never_gets_more_than_the_default_branch_allows(asked: Plan, trusted: Plan):
    made, notes = restrict(asked, trusted)
    for given_secret in made.secrets:
        for consumer in ("tests", "workspace", "web", "other"):
            if given_secret.is_for(consumer):
                assert any(s.name == given_secret.name and s.is_for(consumer) for s in trusted.secrets)
                assert any(s.name == given_secret.name and s.is_for(consumer) for s in asked.secrets)
    assert set(made.environments) == set(asked.environments) & set(trusted.environments)
    assert made.workspace.image == trusted.workspace.image
    assert restrict(made, trusted) == (made, ())
    assert bool(notes) or replace(made, workspace=asked.workspace) == asked
