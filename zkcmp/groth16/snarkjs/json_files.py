"""proof.json, public.json and verification_key.json as snarkjs writes and reads them.

Numbers are decimal strings; a point of G1 is [x, y, "1"], one of G2 [[x.c0, x.c1], [y.c0, y.c1],
["1", "0"]]. Read strictly: canonical numbers, points in their groups and not infinity, no key
twice. A verification key names no circuit; whoever takes one must know where it comes from.
"""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector
from zkcmp.bn254.params import FQ_MODULUS, FR_MODULUS
from zkcmp.disk import write_whole
from zkcmp.errors import DecodeError
from zkcmp.groth16.proof import Proof
from zkcmp.groth16.snarkjs.rounds import require_one_round
from zkcmp.groth16.verifying_key import VerifyingKey, check_points
from zkcmp.json_nesting import nests_too_deeply

NO_CIRCUIT = bytes(32)
"""The circuit digest of a key that names none."""

MAX_BYTES = 1 << 30

_NUMBER = re.compile(r"0|[1-9][0-9]{0,77}", re.ASCII)
_PROTOCOL = {"protocol": "groth16", "curve": "bn128"}


# --- writing ----------------------------------------------------------------------------------


def _g1(point: np.ndarray) -> list[str]:
    value = g1.to_affine_ints(point.reshape(1, 2, 4))[0]
    return ["0", "1", "0"] if value is None else [str(value[0]), str(value[1]), "1"]


def _g2(point: np.ndarray) -> list[list[str]]:
    value = g2.to_affine_ints(point.reshape(1, 2, 2, 4))[0]
    if value is None:
        return [["0", "0"], ["1", "0"], ["0", "0"]]
    return [[str(c) for c in coordinate] for coordinate in value] + [["1", "0"]]


def _write(path: Path | str, value: object) -> None:
    write_whole(Path(path), (json.dumps(value, indent=1) + "\n").encode("ascii"))


def write_proof(path: Path | str, proof: Proof) -> None:
    """Write proof.json. Raises ZkcmpError for a proof of two rounds."""
    require_one_round(proof.d is not None, "proof")
    _write(path, {"pi_a": _g1(proof.a), "pi_b": _g2(proof.b), "pi_c": _g1(proof.c), **_PROTOCOL})


def write_public(path: Path | str, public_inputs: FrVector) -> None:
    """Write public.json: z_1 … z_ℓ without the constant one."""
    _write(path, [str(z) for z in public_inputs.to_ints()])


def write_verification_key(path: Path | str, key: VerifyingKey) -> None:
    """Write verification_key.json, without vk_alphabeta_12, which no verifier reads.

    Raises ZkcmpError for a key of two rounds.
    """
    require_one_round(key.two_rounds, "key")
    _write(
        path,
        {
            **_PROTOCOL,
            "nPublic": key.n_public,
            "vk_alpha_1": _g1(key.alpha_g1),
            "vk_beta_2": _g2(key.beta_g2),
            "vk_gamma_2": _g2(key.gamma_g2),
            "vk_delta_2": _g2(key.delta_g2),
            "IC": [_g1(point) for point in key.gamma_abc_g1],
        },
    )


# --- reading ----------------------------------------------------------------------------------


def _load(path: Path | str) -> Any:
    path = Path(path)
    try:
        with open(path, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise DecodeError(f"cannot read {path}: {error.strerror}") from error
    if len(data) > MAX_BYTES:
        raise DecodeError(f"{path} is larger than {MAX_BYTES} bytes; refuse it")
    if nests_too_deeply(data):
        raise DecodeError(f"{path} is nested too deeply; refuse it")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise DecodeError(f"{path} is not a JSON file; make it again") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) != len(pairs):
        raise ValueError("a key twice")
    return dict(pairs)


def _number(value: Any, modulus: int, name: str) -> int:
    if not isinstance(value, str) or not _NUMBER.fullmatch(value) or int(value) >= modulus:
        raise DecodeError(f"{name} is not a canonical number of its field; make it again")
    return int(value)


def _list(value: Any, n: int, name: str) -> list[Any]:
    if not isinstance(value, list) or len(value) != n:
        raise DecodeError(f"{name} is not a list of {n}; make it again")
    return value


def _read_g1(values: list[Any], name: str) -> np.ndarray:
    """Points as (n, 2, 4), checked."""
    points: list[g1.Point] = []
    for value in values:
        x, y, one = _list(value, 3, name)
        if one != "1":
            raise DecodeError(f"{name} is not a finite affine point; make it again")
        points.append((_number(x, FQ_MODULUS, name), _number(y, FQ_MODULUS, name)))
    array = g1.from_affine_ints(points)
    check_points(array, name)
    return array


def _read_g2(value: Any, name: str) -> np.ndarray:
    x, y, one = _list(value, 3, name)
    if one != ["1", "0"]:
        raise DecodeError(f"{name} is not a finite affine point; make it again")
    x0, x1, y0, y1 = (_number(c, FQ_MODULUS, name) for z in (x, y) for c in _list(z, 2, name))
    array = g2.from_affine_ints([((x0, x1), (y0, y1))])
    check_points(array, name)
    return array


def _object(path: Path | str, names: set[str], kind: str) -> dict[str, Any]:
    value = _load(path)
    if not isinstance(value, dict) or not names | _PROTOCOL.keys() <= value.keys():
        raise DecodeError(f"{path} is no {kind}; make it again")
    if any(value[name] != expected for name, expected in _PROTOCOL.items()):
        raise DecodeError(f"{path} is not for Groth16 over bn128; make it again")
    return value


def read_proof(path: Path | str) -> Proof:
    """The proof in proof.json. Raises DecodeError."""
    value = _object(path, {"pi_a", "pi_b", "pi_c"}, "proof")
    return Proof(
        _read_g1([value["pi_a"]], "proof pi_a"),
        _read_g2(value["pi_b"], "proof pi_b"),
        _read_g1([value["pi_c"]], "proof pi_c"),
    )


def read_public(path: Path | str) -> FrVector:
    """The public inputs in public.json. Raises DecodeError."""
    value = _load(path)
    if not isinstance(value, list):
        raise DecodeError(f"{path} is no list of public inputs; make it again")
    return FrVector.from_ints([_number(z, FR_MODULUS, "a public input") for z in value])


def read_verification_key(path: Path | str) -> VerifyingKey:
    """The key in verification_key.json, with `NO_CIRCUIT` as its circuit. Raises DecodeError."""
    names = {"nPublic", "vk_alpha_1", "vk_beta_2", "vk_gamma_2", "vk_delta_2", "IC"}
    value = _object(path, names, "verification key")
    n_public = value["nPublic"]
    if type(n_public) is not int or n_public < 0:
        raise DecodeError(f"{path} has no usable nPublic; make it again")
    return VerifyingKey(
        NO_CIRCUIT,
        _read_g1([value["vk_alpha_1"]], "vk_alpha_1"),
        _read_g2(value["vk_beta_2"], "vk_beta_2"),
        _read_g2(value["vk_gamma_2"], "vk_gamma_2"),
        _read_g2(value["vk_delta_2"], "vk_delta_2"),
        _read_g1(_list(value["IC"], n_public + 1, "IC"), "IC"),
    )
