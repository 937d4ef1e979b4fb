"""A build's Job and the namespace of builds: those that somebody looked at, and why they are so."""

from __future__ import annotations

import json
import os
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.kubernetes.pod_security import breaks
from tests.unit.kubernetes.schemas import LAST_THREE, errors

from conductor.adapters.kubernetes.kaniko.job import Order, job, job_name, owned
from conductor.adapters.kubernetes.kaniko.place import bounds, namespace, namespace_of
from conductor.adapters.kubernetes.kaniko.site import GitAccess, KanikoSite, Reach, read_pulls, read_reach
from conductor.adapters.kubernetes.manifests.site import Site
from conductor.domain.stack import Build
from conductor.errors import UsageError
from conductor.ports.builder import BuildOrder, Remote
from conductor.ports.registry import Credentials, PushGrant

SNAPSHOT = Path(__file__).parents[1] / "snapshots" / "kubernetes-kaniko.yaml"
SITE = Site(instance="here")
KANIKO = KanikoSite(
    image="ghcr.io/osscontainertools/kaniko:v1.28.3",
    mirrors=("mirror.example.org/hub",),
    ca="-----BEGIN CERTIFICATE-----\n",
    git=GitAccess(host="git.example.org", token="a-git-token"),
    pulls={"docker.io": {"auth": "cHVsbDpwdWxs"}},
)
WHO = Credentials(server="registry.example.org", username="robot", password="a-password")
ORDER = BuildOrder(
    run="shop-k3v9qd",
    repository="acme/shop",
    name="backend",
    build=Build(
        context="backend", dockerfile="backend/Dockerfile", target="run", args={"B": "", "A": "x=y,z"}
    ),
    checkout="/there",
    key="0123456789abcdef" * 4,
    remote=Remote(url="https://git.example.org/acme/shop.git", commit="c" * 40),
    labels={"conductor.dev/run": "shop-k3v9qd"},
)
FETCHED = Order(
    order=ORDER,
    reference="registry.example.org/acme_shop/backend:0123456789abcdef0123456789abcdef",
    cache="registry.example.org/acme_shop/cache",
    dockerfile_path="Dockerfile",
    fetches=True,
    grant=PushGrant(credentials=WHO, narrow=True),
    token="7f00",
)
SENT = replace(FETCHED, fetches=False, grant=PushGrant(credentials=WHO, narrow=False))


def test_the_manifests_are_those_that_somebody_looked_at():
    made = [
        namespace(SITE, KANIKO),
        *bounds(SITE, KANIKO, hosts=("192.0.2.7:5000",), closed=("198.51.100.4",)),
    ]
    for wanted in (FETCHED, SENT):
        made += [job(wanted, site=SITE, kaniko=KANIKO), *_owned(wanted)]
    text = yaml.safe_dump_all(made, sort_keys=False)
    if os.environ.get("CONDUCTOR_UPDATE_SNAPSHOTS"):
        SNAPSHOT.write_text(text)
    assert text == SNAPSHOT.read_text()


@pytest.mark.parametrize("version", LAST_THREE)
@pytest.mark.parametrize("wanted", [FETCHED, SENT], ids=["fetched", "sent"])
def test_every_version_takes_them(wanted: Order, version: str):
    made = [
        namespace(SITE, KANIKO),
        *bounds(SITE, KANIKO),
        job(wanted, site=SITE, kaniko=KANIKO),
        *_owned(wanted),
    ]
    assert [error for thing in made for error in errors(thing, version)] == []


@pytest.mark.parametrize("wanted", [FETCHED, SENT], ids=["fetched", "sent"])
def test_a_build_meets_what_its_namespace_enforces(wanted: Order):
    assert breaks("baseline", _template(wanted)) == []


@pytest.mark.parametrize("wanted", [FETCHED, SENT], ids=["fetched", "sent"])
def test_no_secret_value_is_in_a_job(wanted: Order):
    text = json.dumps(job(wanted, site=SITE, kaniko=KANIKO))
    for value in ("a-password", "a-git-token", "cHVsbDpwdWxs"):
        assert value not in text


def test_a_wide_grant_is_not_where_the_dockerfile_runs():
    pod = _template(SENT)["spec"]
    build, push = pod["initContainers"][0], pod["containers"][0]
    secret = _secret(SENT)
    assert "registry.example.org" not in secret["build.json"]
    assert "registry.example.org" in secret["push.json"]
    assert [one["name"] for one in build["volumeMounts"]] == ["build", "trusted", "image"]
    assert [one["name"] for one in push["volumeMounts"]] == ["push", "trusted", "image"]
    assert "--no-push" in build["args"]
    assert not any("cache" in word for word in build["args"]), "a cache would have to be pushed to"
    assert push["securityContext"]["capabilities"] == {"drop": ["ALL"]}


def test_a_narrow_grant_is_beside_the_accounts_for_pulling():
    assert sorted(json.loads(_secret(FETCHED)["build.json"])["auths"]) == [
        "docker.io",
        "registry.example.org",
    ]


def test_where_nobody_is_asked_nothing_secret_is_made():
    plain = KanikoSite()
    wanted = replace(FETCHED, grant=PushGrant(credentials=None, narrow=True))
    assert list(owned(wanted, {"name": "x", "uid": "y"}, site=SITE, kaniko=plain)) == []
    assert _template(wanted, plain)["spec"]["volumes"] == []


def test_the_token_goes_to_its_host_and_no_other():
    other = replace(ORDER, remote=Remote(url="https://elsewhere.example.org/a/b.git", commit="c" * 40))
    assert "git-password" in _secret(FETCHED)
    assert "git-password" not in _secret(replace(FETCHED, order=other))
    assert "git-password" not in _secret(SENT)


def test_a_context_of_the_whole_repository_has_no_sub_path():
    whole = replace(FETCHED, order=replace(ORDER, build=Build()))
    arguments = _template(whole)["spec"]["containers"][0]["args"]
    assert not any(word.startswith("--context-sub-path") for word in arguments)
    assert f"--context=git://git.example.org/acme/shop.git#{'c' * 40}" in arguments


def test_an_argument_without_a_value_takes_none_from_kaniko_s_environment():
    arguments = _template(FETCHED)["spec"]["containers"][0]["args"]
    assert [word for word in arguments if word.startswith("--build-arg")] == [
        "--build-arg=A=x=y,z",
        "--build-arg=B=",
    ]


def test_a_build_without_cache_asks_for_none():
    without = replace(FETCHED, order=replace(ORDER, build=replace(ORDER.build, no_cache=True)))
    assert not any("cache" in word for word in _template(without)["spec"]["containers"][0]["args"])


def test_a_name_is_the_same_for_a_repeat_and_no_other_order_s():
    others = [replace(ORDER, run="r"), replace(ORDER, name="web"), replace(ORDER, key="ff")]
    names = [job_name(order) for order in (ORDER, *others)]
    assert job_name(replace(ORDER, labels={})) == names[0]
    assert len(set(names)) == len(names)
    long = replace(ORDER, run="a" * 90, name="tests/" + "b" * 90)
    assert len(job_name(long)) <= 57, "a pod's name has six more"


def test_builds_reach_the_internet_and_what_is_named_and_no_private_address():
    kaniko = replace(KANIKO, reaches=(read_reach("10.1.2.3/32:5000"), read_reach("harbor")))
    *_, policy = bounds(
        SITE, kaniko, hosts=("registry.example.org", "192.0.2.7:5000"), closed=("198.51.100.4",)
    )
    _, internet, *named = policy["spec"]["egress"]
    closed = internet["to"][0]["ipBlock"]["except"]
    assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "198.51.100.4/32"} <= set(
        closed
    )
    assert named == [
        {"to": [{"ipBlock": {"cidr": "10.1.2.3/32"}}], "ports": [{"protocol": "TCP", "port": 5000}]},
        {"to": [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "harbor"}}}]},
        {"to": [{"ipBlock": {"cidr": "192.0.2.7/32"}}], "ports": [{"protocol": "TCP", "port": 5000}]},
    ]
    assert policy["spec"]["ingress"] == []


def test_the_namespace_is_named_after_the_instance_unless_it_is_named():
    assert namespace_of(SITE, KANIKO) == "conductor-builds-here"
    assert namespace_of(SITE, replace(KANIKO, namespace="mine")) == "mine"
    assert len(namespace_of(Site(instance="x" * 40), KANIKO)) <= 63


def test_what_is_no_reach_is_refused():
    assert read_reach("2001:db8::/32") == Reach(network="2001:db8::/32")
    for text in ("10.0.0.0/99", "Not A Name", "10.0.0.1:80"):
        with pytest.raises(ValueError, match=r"network|bits|prefix"):
            read_reach(text)


def test_what_is_no_docker_configuration_is_refused_without_being_shown():
    assert read_pulls('{"auths": {"x": {"auth": "eDp4"}}}') == {"x": {"auth": "eDp4"}}
    with pytest.raises(UsageError) as caught:
        read_pulls('{"credHelpers": "s3cret"}')
    assert "s3cret" not in str(caught.value) + caught.value.remedy


def test_nothing_secret_is_in_what_a_site_prints():
    for word in ("a-git-token", "cHVsbDpwdWxs"):
        assert word not in repr(KANIKO)


def _owned(wanted: Order) -> list[dict[str, Any]]:
    return list(owned(wanted, {"name": job_name(ORDER), "uid": "a-uid"}, site=SITE, kaniko=KANIKO))


def _secret(wanted: Order) -> Mapping[str, str]:
    made = next(thing for thing in _owned(wanted) if thing["kind"] == "Secret")
    return {key: b64decode(value).decode() for key, value in made["data"].items()}


def _template(wanted: Order, kaniko: KanikoSite = KANIKO) -> Any:
    return job(wanted, site=SITE, kaniko=kaniko)["spec"]["template"]  # type: ignore[index]
