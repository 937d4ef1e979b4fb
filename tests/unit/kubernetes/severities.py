"""How severe a finding of checkov is: offline it does not say so itself.

Source: the public policy reference of Prisma Cloud, which has checkov's checks with a severity each ("Kubernetes Policy Index", in
`docs/en/enterprise-edition/policy-reference/kubernetes-policies` of github.com/PaloAltoNetworks/prisma-cloud-docs). Here are those of
workloads and of rights; checks of a cluster's own programs are left out.
"""

from __future__ import annotations

from collections.abc import Mapping

HIGH, MEDIUM, LOW = "high", "medium", "low"
_NUMBERS: Mapping[str, tuple[int, ...]] = {
    HIGH: (2, 16, 39, 155, 156),
    MEDIUM: (1, 3, 4, 5, 6, 17, 18, 19, 20, 23, 27, 49, 157, 158),
    LOW: (7, 8, 9, 10, 11, 12, 13, 14, 15, 21, 22, 24, 25, 26, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 40, 41, 42, 43, 44, 45,
          152, 153, 154),
}  # fmt: skip
_OVER_SEVERAL_OBJECTS: Mapping[str, tuple[int, ...]] = {HIGH: (1, 2, 3, 5), MEDIUM: (4,)}
SEVERITIES: Mapping[str, str] = {
    f"{kind}_K8S_{number}": severity
    for kind, table in (("CKV", _NUMBERS), ("CKV2", _OVER_SEVERAL_OBJECTS))
    for severity, numbers in table.items()
    for number in numbers
}


def severity(check: str) -> str:
    """Return how severe a check's finding is. One that the reference does not have is high until somebody has looked at it.

    >>> severity("CKV_K8S_16"), severity("CKV_K8S_23"), severity("CKV_K8S_43"), severity("CKV_K8S_9999")
    ('high', 'medium', 'low', 'high')
    """
    return SEVERITIES.get(check, HIGH)
