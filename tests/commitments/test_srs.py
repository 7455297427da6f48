"""Parameters of zkvpd: the definition, the file, the audit, and the update."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from zkvpd_case import known_secrets, small_srs, srs_from

from zkcmp.bn254.curve import g1, g2
from zkcmp.bn254.field.fr import FrVector, ints_to_words, words_to_ints
from zkcmp.bn254.msm.fixed_base import fixed_base_mul
from zkcmp.bn254.msm.row_msm import add_points
from zkcmp.bn254.params import FQ_MODULUS as P
from zkcmp.bn254.params import FR_MODULUS as R
from zkcmp.bn254.params import TWIST_B
from zkcmp.bn254.reference import G1, G2, fq2_add, fq2_mul, fq2_sqrt
from zkcmp.commitments import srs as srs_module
from zkcmp.commitments import srs_update
from zkcmp.commitments.srs import Srs, VerifierKey, assemble, file_bytes, load_srs, make_srs
from zkcmp.commitments.srs_audit import audit
from zkcmp.commitments.srs_update import negated, update
from zkcmp.errors import DecodeError, VerificationError

GENERATOR = g1.generator()


def parts(srs: Srs) -> list[np.ndarray]:
    return [a.copy() for a in (srs.key.secrets_g1, srs.key.secrets_g2, srs.tables)]


def test_the_tables_are_the_definition() -> None:
    *s, t = known_secrets(3)
    srs = small_srs(3)
    for k in range(4):
        want = []
        for i in range(1 << (3 - k)):
            value = 1
            for bit, x in zip(f"{i:b}".zfill(3 - k) if k < 3 else "", s[k:], strict=True):
                value = value * (x if bit == "1" else 1 - x) % R
            want.append(G1.mul(G1.generator, value))
        assert g1.to_affine_ints(srs.table(3 - k)) == want
    assert g1.to_affine_ints(srs.key.secrets_g1) == [G1.mul(G1.generator, x) for x in (*s, t)]
    assert g2.to_affine_ints(srs.key.secrets_g2) == [G2.mul(G2.generator, x) for x in (*s, t)]


@pytest.mark.parametrize("m", [0, 1, 2, 4])
def test_made_parameters_pass_the_audit(m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = iter(known_secrets(m))
    monkeypatch.setattr(srs_module, "random_secret", lambda: next(drawn))
    srs = make_srs(m)
    assert srs.key.digest == small_srs(m).key.digest
    stages = []
    audit(srs, lambda *stage: stages.append(stage))
    assert stages[-1][1] == stages[-1][2] == len(stages)


def test_every_setup_is_another() -> None:
    assert make_srs(2).key.digest != make_srs(2).key.digest
    with pytest.raises(ValueError, match="29 variables"):
        make_srs(29)


# --- the file ---------------------------------------------------------------------------------


def test_file(tmp_path: Path) -> None:
    srs = small_srs(3)
    srs.save(tmp_path / "srs")
    back = load_srs(tmp_path / "srs")
    assert back.key.digest == srs.key.digest
    assert all(np.array_equal(a, b) for a, b in zip(parts(srs), parts(back), strict=True))
    audit(back)
    data = (tmp_path / "srs").read_bytes()
    assert len(data) == file_bytes(3) == 64 + 4 * 64 + 4 * 128 + 15 * 64
    for what, bad in (
        ("not parameters", b""),
        ("not parameters", data[:63]),
        ("not parameters", b"X" + data[1:]),
        ("of version 2", data[:8] + b"\2" + data[9:]),
        ("damaged", data[:12] + b"\x1d" + data[13:]),
        ("damaged", data[:20] + b"\1" + data[21:]),
        ("bytes, these have", data[:12] + b"\2" + data[13:]),
        ("bytes, these have", data[:-1]),
        ("bytes, these have", data + b"\0"),
    ):
        (tmp_path / "bad").write_bytes(bad)
        with pytest.raises(DecodeError, match=what):
            load_srs(tmp_path / "bad")
    with pytest.raises(DecodeError, match="cannot read"):
        load_srs(tmp_path / "none")


def test_verifiers_key_as_bytes() -> None:
    """Canonical: nothing but the encoding of a key decodes, and to the key of the same digest."""
    key = small_srs(2).key
    data = key.to_bytes()
    assert len(data) == 48 + 3 * 96
    back = VerifierKey.from_bytes(data)
    assert back.digest == key.digest
    assert back.to_bytes() == data
    assert VerifierKey.from_bytes(data[:16] + bytes(32) + data[48:]).digest != key.digest
    infinity_g1, infinity_g2 = b"\x40" + bytes(31), b"\x40" + bytes(63)
    for what, bad in (
        ("not a verifier's key", b""),
        ("not a verifier's key", data[:47]),
        ("not a verifier's key", b"X" + data[1:]),
        ("of version 2", data[:8] + b"\2" + data[9:]),
        ("not its size", data[:-1]),
        ("not its size", data + b"\0"),
        ("not its size", data[:12] + b"\1" + data[13:]),
        ("not its size", data[:12] + b"\xff\xff\xff\xff" + data[16:]),
        ("flag of a compressed point", data[:48] + bytes(32) + data[80:]),
        ("not the canonical", data[:48] + b"\xbf" + b"\xff" * 31 + data[80:]),
        ("is 0", data[:48] + infinity_g1 + data[80:]),
        ("is 0", data[:-64] + infinity_g2),
        ("field modulus", data[:-64] + b"\xbf" + b"\xff" * 63),
    ):
        with pytest.raises(DecodeError, match=what):
            VerifierKey.from_bytes(bad)


def test_the_digest_names_every_element() -> None:
    srs = small_srs(2)
    seen = {srs.key.digest}
    for which in range(3):
        for place in range(len(parts(srs)[which])):
            changed = parts(srs)
            changed[which][place, 0, ..., 0] ^= np.uint64(1)
            seen.add(assemble(*changed).key.digest)
    assert len(seen) == 1 + 3 + 3 + 7


# --- the audit --------------------------------------------------------------------------------


def off_subgroup() -> np.ndarray:
    """On the twist, not of order r."""
    x = (1, 0)
    while True:
        y = fq2_sqrt(fq2_add(fq2_mul(fq2_mul(x, x), x), TWIST_B))
        if y is not None and not G2.in_subgroup((x, y)):
            return g2.from_affine_ints([(x, y)])
        x = (x[0] + 1, 0)


def wrong_points(point: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """Replacements of a G1 point, with what the audit says; the last two are in the group."""
    broken = point.copy()
    broken[0, 1, 0] ^= np.uint64(1)
    yield "finite point", broken
    yield "finite point", np.zeros_like(point)
    x = words_to_ints(point[0])[0] + P
    if x < 1 << 256:
        shifted = point.copy()
        shifted[0, 0] = ints_to_words([x])[0]
        yield "finite point", shifted
    yield "", add_points(point, GENERATOR)
    yield "", negated(point)


def test_every_wrong_point_of_the_tables_is_found() -> None:
    srs = small_srs(3)
    for place in range(15):
        for what, point in wrong_points(srs.tables[place : place + 1]):
            changed = parts(srs)
            changed[2][place : place + 1] = point
            with pytest.raises(VerificationError, match=rf"parameters: table.*{what}"):
                audit(assemble(*changed))


def test_points_of_every_part_are_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of large tables some at a time."""
    monkeypatch.setattr("zkcmp.commitments.srs_audit._CHUNK", 4)
    srs = small_srs(3)
    audit(srs)
    for place in range(15):
        changed = parts(srs)
        changed[2][place, 1, 0] ^= np.uint64(1)
        with pytest.raises(VerificationError, match=rf"parameters: tables\[{place}\]"):
            audit(assemble(*changed))


def test_every_wrong_secret_is_found() -> None:
    srs = small_srs(3)
    for place in range(4):
        for what, point in wrong_points(srs.key.secrets_g1[place : place + 1]):
            changed = parts(srs)
            changed[0][place : place + 1] = point
            with pytest.raises(VerificationError, match=rf"parameters: secrets.*{what}"):
                audit(assemble(*changed))
        other = g2.from_affine_ints([G2.mul(G2.generator, 99)])
        broken = srs.key.secrets_g2[place : place + 1].copy()
        broken[0, 0, 0, 0] ^= np.uint64(1)
        for what, point in (
            ("in both groups", other),
            ("finite point", np.zeros_like(other)),
            ("finite point", broken),
            ("finite point", off_subgroup()),
        ):
            changed = parts(srs)
            changed[1][place : place + 1] = point
            with pytest.raises(VerificationError, match=rf"parameters: secrets.*{what}"):
                audit(assemble(*changed))


def test_consistent_secrets_that_the_tables_do_not_have_are_found() -> None:
    """A secret wrong in both groups, for t harmless, for the others not."""
    *s, t = known_secrets(3)
    audit(srs_from([*s, t + 1]))
    for k in range(3):
        scalars = FrVector.from_ints([x + (i == k) for i, x in enumerate((*s, t))])
        changed = parts(small_srs(3))
        changed[0], changed[1] = fixed_base_mul("g1", scalars), fixed_base_mul("g2", scalars)
        with pytest.raises(VerificationError, match=f"parameters: table {3 - k}"):
            audit(assemble(*changed))


def test_errors_that_make_up_for_each_other_are_found() -> None:
    """In a sum of halves, between two places of a table, and a point moved with its children."""
    srs = small_srs(3)
    minus = negated(GENERATOR)
    for first, second in ((0, 4), (0, 1), (8, 12), (4, 5), (1, 8)):
        changed = parts(srs)
        for place, extra in ((first, GENERATOR), (second, minus)):
            changed[2][place : place + 1] = add_points(changed[2][place : place + 1], extra)
        with pytest.raises(VerificationError, match="parameters: table"):
            audit(assemble(*changed))


def test_a_table_of_other_secrets_is_found() -> None:
    """Every table is an eq table, but not of one point."""
    *s, t = known_secrets(3)
    other = srs_from([s[0] + 1, s[1], s[2], t])
    changed = parts(small_srs(3))
    changed[2][:8] = other.table(3)
    with pytest.raises(VerificationError, match="parameters: table 3"):
        audit(assemble(*changed))


def test_tables_scaled_as_a_whole_are_found() -> None:
    """Consistent from one table to the next, with another root."""
    srs = small_srs(2)
    changed = parts(srs)
    points = g1.to_affine_ints(srs.tables)
    changed[2] = g1.from_affine_ints([G1.mul(p, 5) for p in points])
    with pytest.raises(VerificationError, match="parameters: table 0"):
        audit(assemble(*changed))


# --- the update -------------------------------------------------------------------------------


@pytest.mark.parametrize("m", [0, 1, 3])
def test_an_update_multiplies_the_secrets(m: int, monkeypatch: pytest.MonkeyPatch) -> None:
    factors = [7 + 2 * k for k in range(m + 1)]
    drawn = iter(factors)
    monkeypatch.setattr(srs_update, "random_secret", lambda: next(drawn))
    got = update(small_srs(m))
    want = srs_from([x * y % R for x, y in zip(known_secrets(m), factors, strict=True)])
    assert got.key.digest == want.key.digest
    audit(got)


def test_updates_are_fresh_and_leave_the_old_parameters_alone() -> None:
    srs = small_srs(2)
    before = parts(srs)
    digests = {update(srs).key.digest for _ in range(2)}
    assert len(digests | {srs.key.digest}) == 3
    assert all(np.array_equal(a, b) for a, b in zip(before, parts(srs), strict=True))


def test_what_is_not_well_formed_is_not_updated() -> None:
    changed = parts(small_srs(2))
    changed[2][0] = GENERATOR[0]
    with pytest.raises(VerificationError, match="parameters: table 2"):
        update(assemble(*changed))


def test_negation() -> None:
    points = [None, *(G1.mul(G1.generator, k) for k in (1, 2, R - 1, 12345))]
    got = g1.to_affine_ints(negated(g1.from_affine_ints(points)))
    assert got == [G1.neg(p) for p in points]
    # words where the borrow runs through
    y = ints_to_words([P - (1 << 192), P - (1 << 128) - 1, P - 1, 1])
    pairs = np.stack([ints_to_words([1] * 4), y], axis=1)
    assert words_to_ints(negated(pairs)[:, 1]) == [1 << 192, (1 << 128) + 1, 1, P - 1]
