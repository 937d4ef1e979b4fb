"""Amounts as Kubernetes writes them: `500m`, `64Mi`, `1Gi`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from decimal import ROUND_CEILING, Decimal

_SUFFIX = {
    "": 1, "m": Decimal("0.001"), "u": Decimal("1e-6"), "n": Decimal("1e-9"), "k": 10**3, "M": 10**6, "G": 10**9, "T": 10**12,
    "P": 10**15, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50,
}  # fmt: skip
Amounts = Mapping[str, Decimal]


def amount(text: str | float) -> Decimal:
    """Read one.

    >>> amount("500m"), amount("1Ki"), amount(2)
    (Decimal('0.500'), Decimal('1024'), Decimal('2'))
    """
    found = re.fullmatch(r"([+-]?[\d.]+)([a-zA-Z]*)", str(text))
    if not found:
        raise ValueError(text)
    return Decimal(found[1]) * _SUFFIX[found[2]]


def written(value: Decimal, like: str = "") -> str:
    """Write one, in thousandths where it is no whole number; a memory as `like` where that comes out even.

    >>> written(Decimal("0.5")), written(Decimal(134217728), "64Mi"), written(Decimal(3))
    ('500m', '128Mi', '3')
    """
    if value != value.to_integral_value():
        return f"{(value * 1000).to_integral_value(ROUND_CEILING)}m"
    if "i" in like:
        for suffix in ("Pi", "Ti", "Gi", "Mi", "Ki"):
            if value and value % int(_SUFFIX[suffix]) == 0:
                return f"{int(value) // int(_SUFFIX[suffix])}{suffix}"
    return str(int(value))


def added(amounts: Iterable[Amounts]) -> dict[str, Decimal]:
    """Add up what several ask for."""
    total: dict[str, Decimal] = {}
    for found in amounts:
        for name, value in found.items():
            total[name] = total.get(name, Decimal(0)) + value
    return total
