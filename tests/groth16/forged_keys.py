"""Key files with elements of the forger's choice; every digest fits, only the content is wrong."""

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.params import FQ_MODULUS, FR_MODULUS, TWIST_B
from zkcmp.bn254.reference import G1, G2, fq2_add, fq2_mul, fq2_sqrt
from zkcmp.groth16 import ProvingKey, VerifyingKey
from zkcmp.groth16.key_file import create_key_file
from zkcmp.groth16.keys import section_names

SMALL_ORDER = 10069
G2_COFACTOR = 2 * FQ_MODULUS - FR_MODULUS
assert G2_COFACTOR % SMALL_ORDER == 0

IN_VERIFYING_KEY = {field.name for field in fields(VerifyingKey)}


def forge(key: ProvingKey, path: Path, **changed: np.ndarray) -> Path:
    """A copy of the key with these arrays, or whole sections, instead.

    Elements that the verifying key has too change in both places.
    """
    vk = replace(
        key.verifying_key, **{name: x for name, x in changed.items() if name in IN_VERIFYING_KEY}
    )

    def get(name: str) -> Any:
        return changed[name] if name in changed else getattr(key, name)

    content = {
        "verifying_key": vk.to_bytes(),
        "elements_g1": np.concatenate(
            [get(name) for name in ("alpha_g1", "beta_g1", "delta_g1", "delta0_g1")]
        ),
        "elements_g2": np.concatenate([get(name) for name in ("beta_g2", "delta_g2", "delta0_g2")]),
    }
    content.update({name: x for name, x in changed.items() if name in content})
    names = section_names(key.shape)
    with create_key_file(path, key.shape, len(names)) as writer:
        for name in names:
            writer.section(name, [content[name] if name in content else get(name)])
    return path


def element(key: ProvingKey, name: str) -> np.ndarray:
    """A copy of the array of this name, from the proving or the verifying key."""
    return np.array(getattr(key if hasattr(key, name) else key.verifying_key, name))


def with_entry(points: np.ndarray, index: int, new: np.ndarray) -> np.ndarray:
    out = np.array(points)
    out[index] = new[0]
    return out


def plus(point: np.ndarray, addend: Any) -> np.ndarray:
    """P + Q for an array of one point and a point of plain integers."""
    if point.ndim == 3:
        return g1.from_affine_ints([G1.add(g1.to_affine_ints(point)[0], addend)])
    return g2.from_affine_ints([G2.add(g2.to_affine_ints(point)[0], addend)])


def generator_of(points: np.ndarray) -> Any:
    return G1.generator if points.ndim == 3 else G2.generator


def _multiple(point: Any, scalar: int) -> Any:
    """scalar·P without reducing the scalar mod r (P need not have order r)."""
    return G2._affine(G2._mul_jacobian(point, scalar))


def twist_point() -> Any:
    """A point of the twist outside G2."""
    for c in range(1, 100):
        x = (c, 1)
        y = fq2_sqrt(fq2_add(fq2_mul(fq2_mul(x, x), x), TWIST_B))
        if y is not None and not G2.in_subgroup((x, y)):
            return x, y
    raise RuntimeError("no point found")


def small_order_point() -> Any:
    """A point of the twist of order exactly 10069."""
    point = _multiple(twist_point(), FR_MODULUS * G2_COFACTOR // SMALL_ORDER)
    assert point is not None
    assert _multiple(point, SMALL_ORDER) is None
    return point
