"""A contributor among cheats: no secret touches points that were not checked, and what is private
stays so.
"""

import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from forged_ceremonies import (
    append,
    edit_key,
    edit_powers,
    off_the_curve,
    set_to,
    small_order_at,
    tree,
)
from forged_keys import SMALL_ORDER, element, small_order_point, twist_point
from groth16_circuits import bits, shuffled

from zkcmp.bn254.curve import g2
from zkcmp.bn254.params import FR_MODULUS
from zkcmp.bn254.reference import G2
from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.groth16 import ProvingKey, setup
from zkcmp.groth16.ceremony import Ceremony, CeremonyError
from zkcmp.groth16.ceremony.powers import Powers, multiply_powers
from zkcmp.groth16.ceremony.private_files import private_directory, publish, read_small, take_copy
from zkcmp.groth16.key_file import create_key_file
from zkcmp.groth16.keys import SECTIONS
from zkcmp.r1cs import R1CS

pytestmark = pytest.mark.usefixtures("private")


@pytest.fixture(scope="module")
def r1cs() -> R1CS:
    return bits(4, 9)[0]


# --- points that would give a factor away -----------------------------------------------------


def test_what_a_small_order_tells(ceremony: Ceremony, tmp_path: Path) -> None:
    """The attack itself: (τ·(P + S))·r = (τ mod 10069)·(S·r), and 10069 guesses are few."""
    append(ceremony, [2, 3, 4], edit=edit_powers(tau_g2=small_order_at(1)))
    tau = FR_MODULUS - 123456789
    out = multiply_powers(Powers.open(ceremony.file("powers", 1)), tmp_path / "out", tau, 5, 6)

    def component(point: Any) -> Any:
        return G2._affine(G2._mul_jacobian(point, FR_MODULUS))

    seen = component(g2.to_affine_ints(out.tau_g2[1:2])[0])
    step = component(small_order_point())
    guess, point = 1, step
    while point != seen:
        guess, point = guess + 1, G2.add(point, step)
    # the integer by which points are multiplied is tau plus a small multiple of r
    assert guess in {(tau + k * FR_MODULUS) % SMALL_ORDER for k in range(-2, 8)}


UNFIT_POWERS: dict[str, tuple[Callable[[Path], None], str]] = {
    "tau_g1 off the curve": (edit_powers(tau_g1=off_the_curve(3)), r"tau_g1\[3\]"),
    "last of tau_g1 off the curve": (edit_powers(tau_g1=off_the_curve(14)), r"tau_g1\[14\]"),
    "alpha off the curve": (edit_powers(alpha_tau_g1=off_the_curve(0)), r"alpha_tau_g1\[0\]"),
    "beta off the curve": (edit_powers(beta_tau_g1=off_the_curve(7)), r"beta_tau_g1\[7\]"),
    "all off the curve": (
        edit_powers(alpha_tau_g1=lambda p: np.repeat(off_the_curve(0)(p)[:1], len(p), axis=0)),
        r"alpha_tau_g1\[0\]",
    ),
    "order 10069 alone": (edit_powers(tau_g2=set_to(5, small_order_point())), r"tau_g2\[5\]"),
    "order 10069 mixed in": (edit_powers(tau_g2=small_order_at(1)), r"tau_g2\[1\]"),
    "outside G2": (edit_powers(tau_g2=set_to(0, twist_point())), r"tau_g2\[0\]"),
    "beta_g2 of order 10069": (edit_powers(beta_g2=set_to(0, small_order_point())), "beta_g2"),
    "infinity in G1": (edit_powers(tau_g1=set_to(14, None)), r"tau_g1\[14\]"),
    "infinity in G2": (edit_powers(tau_g2=set_to(7, None)), r"tau_g2\[7\]"),
    "not canonical": (edit_powers(beta_tau_g1=lambda p: p | (1 << 63)), r"beta_tau_g1\[0\]"),
}


def _refuses_to_contribute(
    ceremony: Ceremony, said: str, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is written, here or there, and no factor was even drawn."""

    def drawn() -> int:
        raise AssertionError("a secret was drawn")

    before = tree(ceremony.directory)
    with monkeypatch.context() as patch:
        patch.setattr("zkcmp.groth16.ceremony.random_factor", drawn)
        with pytest.raises(CeremonyError, match=said) as caught:
            ceremony.contribute()
    assert (caught.value.phase, caught.value.contributor) == (ceremony.phase, 1)
    assert tree(ceremony.directory) == before
    assert not list(private.iterdir())


@pytest.mark.parametrize("name", UNFIT_POWERS)
def test_points_of_phase_1(
    ceremony: Ceremony, private: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit, where = UNFIT_POWERS[name]
    append(ceremony, [2, 3, 4], edit=edit)
    said = f"contributor 1: powers: {where}.*: expected a point of its group, not infinity"
    _refuses_to_contribute(ceremony, said, private, monkeypatch)


def _edit_element(name: str, change: Callable[[np.ndarray], np.ndarray]) -> Callable[[Path], None]:
    return edit_key(lambda key: {name: change(element(key, name))})


def _without_powers(path: Path) -> None:
    kept = path.rename(path.with_name("kept"))
    key = ProvingKey.open(kept)
    with create_key_file(path, key.shape, len(SECTIONS)) as writer:
        for name in SECTIONS:
            writer.section(name, [key.file.bytes(name)])
    kept.unlink()


UNFIT_KEYS: dict[str, tuple[Callable[[Path], None], str]] = {
    "delta off the curve": (_edit_element("delta_g1", off_the_curve(0)), r"delta_g1\[0\]: exp"),
    "l_query off the curve": (_edit_element("l_query", off_the_curve(3)), r"l_query\[3\]: exp"),
    "h_query off the curve": (_edit_element("h_query", off_the_curve(6)), r"h_query\[6\]: exp"),
    "l_query infinity": (_edit_element("l_query", set_to(0, None)), r"l_query\[0\]: expected"),
    "h_query infinity": (_edit_element("h_query", set_to(1, None)), r"h_query\[1\]: expected"),
    "delta infinity": (_edit_element("delta_g1", set_to(0, None)), r"delta_g1\[0\]: expected"),
    "delta_g2 of order 10069": (
        _edit_element("delta_g2", set_to(0, small_order_point())),
        "delta_g2.* is not in its group",
    ),
    "no powers": (_without_powers, "without the powers of tau"),
    "damaged": (
        lambda path: path.write_bytes(path.read_bytes()[:-1] + b"\xff"),
        "section tau_g2 is damaged",
    ),
    "two rounds": (lambda path: setup(shuffled(), path), "the circuit of the first"),
}


@pytest.mark.parametrize("name", UNFIT_KEYS)
def test_points_of_phase_2(
    ceremony: Ceremony,
    r1cs: R1CS,
    private: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    edit, said = UNFIT_KEYS[name]
    ceremony.contribute()
    ceremony.begin_circuit(r1cs)
    append(ceremony, [2], edit=edit)
    _refuses_to_contribute(ceremony, said, private, monkeypatch)


# --- private and shared files -----------------------------------------------------------------


def test_private_directory_is_private_and_removed(private: Path) -> None:
    with private_directory() as place:
        assert place.parent == private
        assert stat.S_IMODE(place.stat().st_mode) == 0o700
        (place / "file").write_bytes(b"x")
    with pytest.raises(KeyboardInterrupt), private_directory():
        raise KeyboardInterrupt
    assert not list(private.iterdir())


def test_private_directory_that_others_could_exchange(ceremony: Ceremony, private: Path) -> None:
    before = tree(ceremony.directory)
    for mode in (0o777, 0o770, 0o703):
        private.chmod(mode)
        with pytest.raises(ZkcmpError, match="set TMPDIR to a place of your own"):
            ceremony.contribute()
        assert tree(ceremony.directory) == before
    private.chmod(0o1777)
    ceremony.contribute()


def test_nothing_private_is_left(ceremony: Ceremony, r1cs: R1CS, private: Path) -> None:
    seen = set()

    def look(stage: str, done: int, total: int) -> None:
        seen.update(stat.S_IMODE(place.stat().st_mode) for place in private.iterdir())
        if done == total and stage == "contribution: powers":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        ceremony.contribute(look)
    assert seen == {0o700}
    assert not list(private.iterdir())
    ceremony.contribute()
    ceremony.begin_circuit(r1cs)
    assert not list(private.iterdir())


def test_no_room_for_a_copy(
    ceremony: Ceremony, private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("zkcmp.groth16.ceremony.private_files.shutil.disk_usage", lambda _: full)
    with pytest.raises(ZkcmpError, match="set TMPDIR to a directory with more room"):
        ceremony.contribute()
    assert not list(private.iterdir())


@pytest.mark.parametrize("kind", ["pipe", "directory", "device"])
@pytest.mark.parametrize("name", ["powers-001.bin", "powers-001.record"])
def test_what_is_no_file(ceremony: Ceremony, r1cs: R1CS, kind: str, name: str) -> None:
    """Reading it could hang, or never end."""
    ceremony.contribute()
    path = ceremony.directory / name
    path.unlink()
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "directory":
        path.mkdir()
    else:
        path.symlink_to("/dev/zero")
    for attempt in (lambda: ceremony.verify(r1cs), ceremony.contribute):
        with pytest.raises(CeremonyError, match="not a regular file") as caught:
            attempt()
        assert caught.value.contributor == 1


def test_copies_and_publications(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    source.write_bytes(b"content" * 1000)
    take_copy(source, out)
    assert out.read_bytes() == source.read_bytes()
    with pytest.raises(FileExistsError):
        take_copy(source, out)
    assert read_small(source, 6) == b"content"
    with pytest.raises(DecodeError, match="cannot read"):
        read_small(tmp_path / "none", 6)
    # names that somebody else prepared lead nowhere
    victim = tmp_path / "victim"
    victim.write_bytes(b"victim")
    out.unlink()
    out.symlink_to(victim)
    (tmp_path / "out.part").symlink_to(victim)
    publish(source, out)
    assert victim.read_bytes() == b"victim"
    assert not out.is_symlink()
    assert out.read_bytes() == source.read_bytes()
    publish(b"small", out)
    assert out.read_bytes() == b"small"
    assert not (tmp_path / "out.part").exists()
    (tmp_path / "out.part").symlink_to(victim)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", lambda *_, **__: None)  # it came back at once
        with pytest.raises(FileExistsError):
            publish(b"large", out)
    assert victim.read_bytes() == b"victim"
    with pytest.raises(OSError, match="none"):
        publish(tmp_path / "none", out)
    assert out.read_bytes() == b"small"
