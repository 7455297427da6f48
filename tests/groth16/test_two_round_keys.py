"""Files of keys of two rounds: one encoding each; wires cannot be moved between the rounds."""

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
from forged_keys import forge
from groth16_circuits import cubic, shuffled

from zkcmp.bn254.field.fr import FrVector
from zkcmp.errors import DecodeError, VerificationError
from zkcmp.groth16 import FirstRound, ProvingKey, VerifyingKey, setup
from zkcmp.groth16.estimate import CircuitSize
from zkcmp.groth16.estimate import key_bytes as key_bytes_of
from zkcmp.groth16.key_file import Shape, create_key_file
from zkcmp.groth16.keys import COMMITMENT_SECTIONS, POWER_SECTIONS, SECTIONS, section_names
from zkcmp.r1cs import R1CS

NAMES = SECTIONS + COMMITMENT_SECTIONS + POWER_SECTIONS
FIXED, ENTRY = 80 + 16, 72
HEADER = FIXED + ENTRY * len(NAMES) + 32
SIZES = ("n_public", "n_wires", "n_constraints", "domain_size", "n_challenges", "n_committed")


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> ProvingKey:
    return setup(shuffled(), tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="module")
def key_bytes(key: ProvingKey) -> bytes:
    return key.file.path.read_bytes()


def _open(data: bytes, directory: Path) -> ProvingKey:
    path = directory / "changed.bin"
    path.write_bytes(data)
    return ProvingKey.open(path)


def _patched(data: bytes, at: int, new: bytes) -> bytes:
    return data[:at] + new + data[at + len(new) :]


def _resealed(data: bytes) -> bytes:
    return _patched(data, HEADER - 32, hashlib.sha256(data[: HEADER - 32]).digest())


def test_open_again(key: ProvingKey, key_bytes: bytes, tmp_path: Path) -> None:
    again = _open(key_bytes, tmp_path)
    again.check_points()
    again.check_circuit(shuffled())
    assert again.digest == key.digest == hashlib.sha256(key_bytes[:HEADER]).digest()
    assert tuple(again.file.sections) == NAMES == section_names(again.shape)
    assert (again.shape.n_challenges, again.shape.n_committed) == (1, 2)
    assert (again.shape.first_committed, again.shape.first_other) == (5, 7)


def test_one_round_keys_have_their_old_form(tmp_path: Path) -> None:
    """Version 1, no trace of a second round."""
    one = setup(cubic()[0], tmp_path)
    assert one.file.path.read_bytes()[8:12] == struct.pack("<I", 1)
    assert tuple(one.file.sections) == SECTIONS + POWER_SECTIONS == section_names(one.shape)
    assert len(one.delta0_g1) == len(one.delta0_g2) == len(one.commitment_query) == 0
    assert one.verifying_key.to_bytes()[8:12] == struct.pack("<I", 1)
    assert len(one.verifying_key.to_bytes()) == 48 + 64 + 3 * 128 + 3 * 64


def test_every_header_byte_counts(key_bytes: bytes, tmp_path: Path) -> None:
    for position in range(HEADER):
        changed = bytes([key_bytes[position] ^ (1 << (position % 8))])
        with pytest.raises(DecodeError):
            _open(_patched(key_bytes, position, changed), tmp_path)


@pytest.mark.parametrize("cut", [FIXED - 20, FIXED, HEADER - 1, HEADER, -64, -1])
def test_truncated(key_bytes: bytes, tmp_path: Path, cut: int) -> None:
    with pytest.raises(DecodeError):
        _open(key_bytes[:cut], tmp_path)


@pytest.mark.parametrize("name", NAMES)
def test_damaged_section(key: ProvingKey, key_bytes: bytes, tmp_path: Path, name: str) -> None:
    section = key.file.sections[name]
    at = section.offset + section.length - 1
    with pytest.raises(DecodeError):
        _open(_patched(key_bytes, at, bytes([key_bytes[at] ^ 1])), tmp_path).check_points()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *(("n_challenges", v) for v in (0, 2, 4, 5, 2**63)),
        *(("n_committed", v) for v in (0, 1, 3, 4, 2**63)),
        *(("n_public", v) for v in (0, 3, 5)),
        *(("n_wires", v) for v in (5, 6, 7)),
    ],
)
def test_forged_sizes(key_bytes: bytes, tmp_path: Path, field: str, value: int) -> None:
    """A wire list, the verifying key or the domain contradicts each; or its circuit does."""
    forged = _patched(key_bytes, 48 + 8 * SIZES.index(field), struct.pack("<Q", value))
    with pytest.raises((DecodeError, VerificationError)):
        _open(_resealed(forged), tmp_path).check_circuit(shuffled())


def test_sections_of_the_other_kind(key: ProvingKey, tmp_path: Path) -> None:
    """A header of two rounds without the commitment's sections, and the reverse."""
    s = key.shape
    one_round = Shape(s.circuit_digest, s.n_public, s.n_wires, s.n_constraints, s.domain_size)
    for shape, names in ((s, SECTIONS + POWER_SECTIONS), (one_round, NAMES)):
        path = tmp_path / "forged"
        with create_key_file(path, shape, len(names)) as writer:
            for name in names:
                writer.section(name, [key.file.bytes(name)])
        with pytest.raises(DecodeError, match="sections of its rounds"):
            ProvingKey.open(path)


def test_sections_in_another_order(key: ProvingKey, tmp_path: Path) -> None:
    names = SECTIONS + POWER_SECTIONS + COMMITMENT_SECTIONS
    path = tmp_path / "forged"
    with create_key_file(path, key.shape, len(names)) as writer:
        for name in names:
            writer.section(name, [key.file.bytes(name)])
    with pytest.raises(DecodeError, match="does not have the sections it must have"):
        ProvingKey.open(path)


@pytest.mark.parametrize("circuit", [shuffled(), cubic()[0]])
def test_key_has_the_predicted_size(circuit: R1CS, tmp_path: Path) -> None:
    key, size = setup(circuit, tmp_path), CircuitSize.of(circuit)
    found = key.file.path.stat().st_size
    assert found <= key_bytes_of(size) < found + 64 * len(key.file.sections)
    assert size.l_wires == len(key.l_wires) + len(key.commitment_wires)


# --- wires of one round and of the other ------------------------------------------------------


@pytest.mark.parametrize(
    ("section", "wires"),
    [
        ("l_wires", [5, 7]),
        ("l_wires", [6, 7]),
        ("l_wires", [5]),
        ("l_wires", [4, 7]),
        ("commitment_wires", [5, 6, 7]),
        ("commitment_wires", [5, 7]),
        ("commitment_wires", [4, 5, 6]),
        ("commitment_wires", [6, 5]),
        ("commitment_wires", [5, 5]),
    ],
)
def test_a_wire_in_the_list_of_the_other_round(
    key: ProvingKey, tmp_path: Path, section: str, wires: list[int]
) -> None:
    """In both lists, or in the wrong one: no such file is a key."""
    query = section.replace("wires", "query")
    points = np.repeat(key.l_query[:1], len(wires), axis=0)
    path = forge(key, tmp_path / "forged", **{section: np.array(wires, np.uint32), query: points})
    with pytest.raises(DecodeError, match=f"section {section} is not a list of wires"):
        ProvingKey.open(path)


@pytest.mark.parametrize("n", [0, 1, 3])
def test_commitment_query_of_another_length(key: ProvingKey, tmp_path: Path, n: int) -> None:
    points = np.repeat(key.l_query[:1], n, axis=0)
    with pytest.raises(DecodeError, match=f"commitment_query has {n} entries, not 2"):
        ProvingKey.open(forge(key, tmp_path / "forged", commitment_query=points))


@pytest.mark.parametrize(("section", "left"), [("elements_g1", 3), ("elements_g2", 2)])
def test_delta0_missing(key: ProvingKey, tmp_path: Path, section: str, left: int) -> None:
    size = 128 if section.endswith("g2") else 64
    rest = np.frombuffer(key.file.bytes(section)[:-size], np.uint64)
    with pytest.raises(DecodeError, match=f"{section} has {left} entries, not {left + 1}"):
        ProvingKey.open(forge(key, tmp_path / "forged", **{section: rest}))


def test_points_of_the_commitment_are_checked(key: ProvingKey, tmp_path: Path) -> None:
    for name in ("delta0_g1", "commitment_query"):
        for bad in (np.zeros_like(getattr(key, name)), getattr(key, name) + np.uint64(1)):
            forged = ProvingKey.open(forge(key, tmp_path / "forged", **{name: bad}))
            with pytest.raises(DecodeError, match=f"proving key {name}, point 0"):
                forged.check_points()


def test_key_of_a_circuit_with_other_rounds(key: ProvingKey, tmp_path: Path) -> None:
    """The same matrices in one round, under the digest of the circuit of two."""
    s = key.shape
    shape = Shape(s.circuit_digest, s.n_public, s.n_wires, s.n_constraints, s.domain_size)
    vk = key.verifying_key
    one_round_vk = VerifyingKey(
        vk.circuit_digest, vk.alpha_g1, vk.beta_g2, vk.gamma_g2, vk.delta_g2, vk.gamma_abc_g1
    )
    content = {
        "verifying_key": one_round_vk.to_bytes(),
        "elements_g1": key.file.bytes("elements_g1")[:192],
        "elements_g2": key.file.bytes("elements_g2")[:256],
        "l_wires": np.array([5, 6, 7], np.uint32),
        "l_query": np.repeat(key.l_query, 3, axis=0),
    }
    path = tmp_path / "forged"
    with create_key_file(path, shape, len(SECTIONS)) as writer:
        for name in SECTIONS:
            writer.section(name, [content.get(name, key.file.bytes(name))])
    forged = ProvingKey.open(path)
    with pytest.raises(VerificationError, match="the sizes of its circuit"):
        FirstRound(forged, shuffled(), FrVector.zeros(3))


# --- the verifying key ------------------------------------------------------------------------


def test_verifying_key_round_trip(key: ProvingKey) -> None:
    data = key.verifying_key.to_bytes()
    assert len(data) == 52 + 64 + 4 * 128 + 5 * 64
    again = VerifyingKey.from_bytes(data)
    assert again == key.verifying_key
    assert again.digest == hashlib.sha256(data).digest()
    assert (again.n_challenges, again.n_inputs, again.two_rounds) == (1, 3, True)


def test_every_verifying_key_byte_counts(key: ProvingKey) -> None:
    data = key.verifying_key.to_bytes()
    for position in range(len(data)):
        changed = _patched(data, position, bytes([data[position] ^ (1 << (position % 8))]))
        if 12 <= position < 44 or position == 48:
            # the circuit's digest, and 1 challenge of 4 public wires or 2, are another key
            if position != 48:
                assert VerifyingKey.from_bytes(changed).digest != key.verifying_key.digest
            continue
        with pytest.raises(DecodeError):
            VerifyingKey.from_bytes(changed)


@pytest.mark.parametrize("n_challenges", [0, 5, 2**32 - 1])
def test_impossible_challenges(key: ProvingKey, n_challenges: int) -> None:
    data = _patched(key.verifying_key.to_bytes(), 48, struct.pack("<I", n_challenges))
    with pytest.raises(DecodeError, match="impossible rounds"):
        VerifyingKey.from_bytes(data)


def test_another_number_of_challenges_is_another_key(key: ProvingKey, tmp_path: Path) -> None:
    """It decodes, with another identity; and no proving key has it inside."""
    data = _patched(key.verifying_key.to_bytes(), 48, struct.pack("<I", 2))
    assert VerifyingKey.from_bytes(data).digest != key.verifying_key.digest
    raw = np.frombuffer(data, np.uint8)
    with pytest.raises(DecodeError, match="of another proving key"):
        ProvingKey.open(forge(key, tmp_path / "forged", verifying_key=raw))


def test_verifying_key_lengths(key: ProvingKey) -> None:
    data = key.verifying_key.to_bytes()
    for changed in (data[:-1], data + b"\0", data[:50], data[:52], data[:48], data[:-64]):
        with pytest.raises(DecodeError):
            VerifyingKey.from_bytes(changed)
    # a key of two rounds read as one of one round
    with pytest.raises(DecodeError, match="wrong length"):
        VerifyingKey.from_bytes(_patched(data, 8, struct.pack("<I", 1)))


def test_fields_belong_together(key: ProvingKey) -> None:
    vk = key.verifying_key
    first = (vk.circuit_digest, vk.alpha_g1, vk.beta_g2, vk.gamma_g2, vk.delta_g2, vk.gamma_abc_g1)
    for n_challenges, delta0 in ((0, vk.delta0_g2), (1, vk.delta0_g2[:0]), (5, vk.delta0_g2)):
        with pytest.raises(ValueError, match="belong together"):
            VerifyingKey(*first, n_challenges, delta0)
