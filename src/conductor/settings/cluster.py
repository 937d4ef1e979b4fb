"""The cluster: how it is reached, what namespaces of runs are like, and how people reach the stacks in them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings

from conductor.settings.kinds import Amounts, Domain, Egress, GatewayName, Key, ObjectNames, Size


class ClusterSettings(BaseSettings):
    """What matters where the engine is `kubernetes`."""

    kubeconfig: str | None = Field(
        default=None,
        description="File that says where the cluster is and who asks. Without it: the pod's service account, `KUBECONFIG`, "
        "`~/.kube/config`.",
    )
    kube_context: str | None = Field(
        default=None, description="Context of the kubeconfig, where it is not the current one."
    )
    kube_role: str = Field(
        default="",
        description="ClusterRole that Conductor gives its own account in each namespace that it makes (`deploy/` has it); empty where "
        "the account has its rights everywhere.",
    )
    egress: Egress = Field(
        default="allow",
        description="What pods of runs reach outside of their namespace: `allow` is everything but link-local addresses, `cluster` the "
        "cluster's pods, `deny` nothing but name servers; or networks such as `10.0.0.0/8,192.0.2.7/32`.",
    )
    callers: ObjectNames = Field(
        default=(),
        description="Namespaces that may call into those of runs, with commas between them: the monitoring's, the ingress's.",
    )
    dns_namespaces: ObjectNames = Field(
        default=("kube-system",), description="Namespaces in which the cluster's name servers are."
    )
    tools_image: str = Field(
        default="docker.io/w3evolutionsllc/conductor-tools:1",
        description="Image that prepares what pods mount, and collects what tests leave; `deploy/tools/` makes it.",
    )
    pull_secrets: ObjectNames = Field(
        default=(), description="Secrets in a run's namespace with which images are pulled."
    )
    storage_class: str = Field(
        default="", description="Class of the volumes of stacks; the cluster's default where empty."
    )
    volume_size: Size = Field(
        default="1Gi", description="What a named volume asks for: compose files do not say."
    )
    quota: Amounts = Field(
        default={},
        description="Quota of each namespace, such as `pods=60,requests.cpu=8,limits.memory=48Gi`: what is named replaces the default of "
        "that name.",
    )
    limits: Amounts = Field(
        default={},
        description="Limits of a container whose file names none, such as `cpu=2,memory=1Gi`.",
    )
    requests: Amounts = Field(
        default={},
        description="What is reserved for a container whose file says nothing of it, such as `cpu=50m,memory=64Mi`.",
    )
    ingress_domain: Domain = Field(
        default="",
        description="Domain under which services of kept stacks get addresses of their own, such as `stacks.example.org`; all names "
        "below it lead to the ingress. Empty for none.",
    )
    ingress_scheme: Literal["http", "https"] = Field(
        default="https",
        description="How visitors reach the ingress. Its certificate is the ingress's own business.",
    )
    ingress_class: str = Field(
        default="", description="IngressClass of the addresses; the cluster's default where empty."
    )
    ingress_namespaces: ObjectNames = Field(
        default=(),
        description="Namespaces of the ingress controller or gateway, with commas between them: they reach the gates of stacks and "
        "nothing else. Without it those of `CONDUCTOR_CALLERS`.",
    )
    gateway: GatewayName = Field(
        default="",
        description="Gateway that addresses are attached to, as `namespace/name`: HTTPRoutes are made then instead of Ingresses.",
    )
    gate_image: str = Field(
        default="docker.io/w3evolutionsllc/conductor:latest",
        description="Image of Conductor, which also guards the addresses of a stack; `deploy/image/` makes it.",
    )
    gate_key: Key | None = Field(
        default=None,
        description="What the token of each stack's addresses is worked out from, 32 characters or more; without it no address is "
        "made. `openssl rand -hex 32` makes one.",
    )
