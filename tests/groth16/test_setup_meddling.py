"""A directory that others write to while we work: nothing is relied on after it could have changed,
and what came too late is named.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from forged_ceremonies import append, edit_key, edit_powers, off_the_curve, small_order_at, tree
from forged_keys import element
from groth16_circuits import bits

from zkcmp.errors import ZkcmpError
from zkcmp.groth16 import ProvingKey
from zkcmp.groth16.ceremony import Ceremony, CeremonyError
from zkcmp.groth16.ceremony.circuit_phase import derive_key, multiply_deltas
from zkcmp.groth16.ceremony.powers import Powers, multiply_powers
from zkcmp.groth16.ceremony.private_files import publish
from zkcmp.groth16.snarkjs import Ptau
from zkcmp.r1cs import R1CS

pytestmark = pytest.mark.usefixtures("private")


@pytest.fixture(scope="module")
def r1cs() -> R1CS:
    return bits(4, 9)[0]


# --- a directory that changes meanwhile -------------------------------------------------------


def _replace(path: Path, data: bytes) -> None:
    """Another file under the same name."""
    other = path.with_name("other")
    other.write_bytes(data)
    other.replace(path)


def _overwrite(path: Path, data: bytes) -> None:
    """Other bytes in the same file, also for whoever has it open or mapped."""
    with open(path, "r+b") as file:
        file.write(data)


CHANGES = {"replaced": _replace, "overwritten": _overwrite}


class _Meddler:
    """A progress callback that acts once, when a stage of this name is reported."""

    def __init__(self, stage: str, act: Callable[[], object]):
        self.stage, self.act, self.acted = stage, act, False

    def __call__(self, stage: str, done: int, total: int) -> None:
        if stage == self.stage and not self.acted:
            self.acted = True
            self.act()


def _forged(ceremony: Ceremony, edit: Callable[[Path], None]) -> bytes:
    """The last file of the current phase with other points, of the same length."""
    path = ceremony.file(ceremony.phase, ceremony.count(ceremony.phase))
    kept = path.read_bytes()
    edit(path)
    data = path.read_bytes()
    path.write_bytes(kept)
    assert data != kept
    assert len(data) == len(kept)
    return data


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("stage", ["powers: points", "contribution: powers"])
def test_powers_that_change_after_their_check(
    ceremony: Ceremony, r1cs: R1CS, stage: str, change: Callable[[Path, bytes], None]
) -> None:
    """The secrets go into what was checked, so what comes out has no other component."""
    ceremony.contribute()
    path = ceremony.file("powers", 1)
    honest = path.read_bytes()
    forged = _forged(ceremony, edit_powers(tau_g2=small_order_at(1), tau_g1=off_the_curve(1)))
    meddler = _Meddler(stage, lambda: change(path, forged))
    ceremony.contribute(meddler)
    assert meddler.acted
    assert path.read_bytes() == forged
    Powers.open(ceremony.file("powers", 2)).check()
    with pytest.raises(CeremonyError) as caught:
        ceremony.verify(r1cs)
    assert caught.value.contributor == 1
    path.write_bytes(honest)
    ceremony.verify(r1cs)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("stage", ["key: points", "contribution: key"])
def test_key_that_changes_after_its_check(
    ceremony: Ceremony, r1cs: R1CS, stage: str, change: Callable[[Path, bytes], None]
) -> None:
    ceremony.contribute()
    ceremony.begin_circuit(r1cs)
    ceremony.contribute()
    path = ceremony.file("key", 1)
    honest = path.read_bytes()
    edits = edit_key(
        lambda key: {
            "l_query": off_the_curve(0)(element(key, "l_query")),
            "h_query": off_the_curve(0)(element(key, "h_query")),
        }
    )
    forged = _forged(ceremony, edits)
    meddler = _Meddler(stage, lambda: change(path, forged))
    ceremony.contribute(meddler)
    assert meddler.acted
    ProvingKey.open(ceremony.file("key", 2)).check_points()
    path.write_bytes(honest)
    ceremony.verify(r1cs)


def test_result_that_is_exchanged_while_we_publish(
    ceremony: Ceremony, r1cs: R1CS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our record is of what we computed, not of what the directory has by then."""
    other = multiply_powers(Powers.open(ceremony.file("powers", 0)), tmp_path / "other", 2, 3, 4)
    made = (tmp_path / "other").read_bytes()

    def publish_and_lose(content: Path | bytes, destination: Path) -> None:
        publish(content, destination)
        if destination.suffix == ".bin":
            destination.write_bytes(made)

    monkeypatch.setattr("zkcmp.groth16.ceremony.publish", publish_and_lose)
    assert ceremony.contribute().result != other.digest
    with pytest.raises(CeremonyError, match="the digest of its file"):
        ceremony.verify(r1cs)


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("stage", ["powers: points", "powers: equations", "setup: columns"])
def test_powers_that_change_while_the_key_is_derived(
    ceremony: Ceremony,
    r1cs: R1CS,
    tmp_path: Path,
    stage: str,
    change: Callable[[Path, bytes], None],
) -> None:
    """The others are powers as well, of a τ that somebody knows."""
    ceremony.contribute()
    path = ceremony.file("powers", 1)
    wanted = derive_key(Powers.open(path), r1cs, tmp_path / "wanted").digest
    multiply_powers(Powers.open(ceremony.file("powers", 0)), tmp_path / "known", 2, 3, 4)
    known = (tmp_path / "known").read_bytes()
    meddler = _Meddler(stage, lambda: change(path, known))
    ceremony.begin_circuit(r1cs, meddler)
    assert meddler.acted
    assert ProvingKey.open(ceremony.file("key", 0)).digest == wanted


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_key_that_changes_while_it_is_verified(
    ceremony: Ceremony, r1cs: R1CS, tmp_path: Path, change: Callable[[Path, bytes], None]
) -> None:
    """What is written is what was verified; a key that is exchanged too early is refused."""
    ceremony.contribute()
    ceremony.begin_circuit(r1cs)
    ours = [ceremony.contribute().digest, *ceremony.verify(r1cs)["powers"]]
    path = ceremony.file("key", 1)
    honest, wanted = path.read_bytes(), ProvingKey.open(path).digest
    multiply_deltas(ProvingKey.open(ceremony.file("key", 0)), tmp_path / "known", [2])
    known = (tmp_path / "known").read_bytes()
    stages: list[str] = []
    ceremony.verify(r1cs, lambda stage, done, total: stages.append(stage))
    audits = [k for k, stage in enumerate(stages) if stage == "audit: points"]
    second_audit = audits[len(audits) // 2]
    for moment in (0, second_audit - 1, second_audit, len(stages) - 1):
        path.write_bytes(honest)
        events = iter(range(len(stages)))

        def meddle(*_: object, moment: int = moment, events: Any = events) -> None:
            if next(events) == moment:
                change(path, known)

        if moment < second_audit:
            with pytest.raises(CeremonyError, match="the digest of its file"):
                ceremony.finalise(r1cs, tmp_path / "out", meddle, ours=ours)
            assert not (tmp_path / "out").exists()
        else:
            key = ceremony.finalise(r1cs, tmp_path / "out", meddle, ours=ours)
            assert key.digest == wanted
            key.check_points()
        assert path.read_bytes() == known


def test_records_that_change_while_they_are_verified(ceremony: Ceremony, r1cs: R1CS) -> None:
    """The list of records is of those that were checked."""
    wanted = [ceremony.contribute().digest]
    path = ceremony.record_file("powers", 1)
    meddler = _Meddler("powers: equations", lambda: path.write_bytes(b""))
    assert ceremony.verify(r1cs, meddler)["powers"] == wanted
    assert meddler.acted


def test_copy_of_a_ceremony_stays_what_it_was(
    ceremony: Ceremony, r1cs: R1CS, tmp_path: Path
) -> None:
    ceremony.contribute()
    ceremony.begin_circuit(r1cs)
    ceremony.contribute()
    before = tree(ceremony.directory)
    (tmp_path / "copy").mkdir()
    copy = ceremony.copied(tmp_path / "copy")
    for path in ceremony.directory.iterdir():
        _overwrite(path, b"x" * 100)
    assert tree(copy.directory) == before
    copy.finalise(r1cs, tmp_path / "key")


def test_two_contributors_at_once(ceremony: Ceremony, r1cs: R1CS, private: Path) -> None:
    """The later one starts again from the earlier one's file; nothing is lost."""
    others = []
    meddler = _Meddler("contribution: powers", lambda: others.append(ceremony.contribute().digest))
    with pytest.raises(ZkcmpError, match="somebody changed the ceremony meanwhile"):
        ceremony.contribute(meddler)
    assert ceremony.verify(r1cs)["powers"] == others
    ours = ceremony.contribute().digest
    assert ceremony.verify(r1cs)["powers"] == [*others, ours]
    assert not list(private.iterdir())


def test_phase_1_that_ends_meanwhile(ceremony: Ceremony, r1cs: R1CS) -> None:
    ceremony.contribute()
    meddler = _Meddler("contribution: powers", lambda: ceremony.begin_circuit(r1cs))
    with pytest.raises(ZkcmpError, match="somebody changed the ceremony meanwhile"):
        ceremony.contribute(meddler)
    ceremony.contribute()
    assert [len(records) for records in ceremony.verify(r1cs).values()] == [1, 1]


def test_contribution_while_phase_1_ends(ceremony: Ceremony, r1cs: R1CS) -> None:
    ceremony.contribute()
    meddler = _Meddler("setup: columns", ceremony.contribute)
    with pytest.raises(ZkcmpError, match="somebody changed the ceremony meanwhile"):
        ceremony.begin_circuit(r1cs, meddler)
    ceremony.begin_circuit(r1cs)
    assert len(ceremony.verify(r1cs)["powers"]) == 2


# --- contributions to phase 1 that came too late ----------------------------------------------


def _late(ceremony: Ceremony, **arguments: Any) -> None:
    """A contribution to phase 1 by somebody who does not see that phase 2 has begun."""
    keys = {path: path.read_bytes() for path in ceremony.directory.glob("key-*")}
    for path in keys:
        path.unlink()
    append(ceremony, [2, 3, 4], **arguments)
    for path, data in keys.items():
        path.write_bytes(data)


def _expect_late(ceremony: Ceremony, r1cs: R1CS, k: int, out: Path, contributing: bool) -> None:
    before = tree(ceremony.directory)
    said = f"powers, contributor {k}: the key of phase 2 was derived from the step before, without"
    attempts: list[Callable[[], object]] = [lambda: ceremony.verify(r1cs)]
    if ceremony.count("key"):
        attempts.append(lambda: ceremony.finalise(r1cs, out))
    if contributing:
        attempts.append(ceremony.contribute)
    for attempt in attempts:
        with pytest.raises(CeremonyError, match=said) as caught:
            attempt()
        assert (caught.value.phase, caught.value.contributor) == ("powers", k)
        assert f"remove powers-{k:03}.record" in str(caught.value)
    assert tree(ceremony.directory) == before
    assert not out.exists()


def _remove_late(ceremony: Ceremony, k: int) -> None:
    for path in (ceremony.file("powers", k), ceremony.record_file("powers", k)):
        path.unlink(missing_ok=True)


@pytest.mark.parametrize("contributors", [0, 2])
def test_contribution_after_the_end_of_phase_1(
    ceremony: Ceremony, r1cs: R1CS, tmp_path: Path, contributors: int
) -> None:
    """It is named, before and after others contributed to phase 2, and they go on without it."""
    ceremony.contribute()
    ceremony.contribute()
    ceremony.begin_circuit(r1cs)
    for _ in range(contributors):
        ceremony.contribute()
    _late(ceremony)
    _late(ceremony)
    out = tmp_path / "out"
    _expect_late(ceremony, r1cs, 3, out, contributing=True)
    _remove_late(ceremony, 4)
    _remove_late(ceremony, 3)
    ceremony.contribute()
    ceremony.finalise(r1cs, out)


@pytest.mark.parametrize("damage", ["no file", "no powers", "no record", "not in the groups"])
def test_rubbish_after_the_end_of_phase_1(
    ceremony: Ceremony, r1cs: R1CS, tmp_path: Path, damage: str
) -> None:
    ceremony.contribute()
    ceremony.begin_circuit(r1cs)
    ceremony.contribute()
    _late(ceremony, edit=edit_powers(tau_g1=off_the_curve(1)))
    path, record = ceremony.file("powers", 2), ceremony.record_file("powers", 2)
    if damage == "no file":
        path.unlink()
    elif damage == "no powers":
        path.write_bytes(b"rubbish")
    elif damage == "no record":
        record.write_bytes(b"rubbish")
    _expect_late(ceremony, r1cs, 2, tmp_path / "out", contributing=damage == "not in the groups")
    with pytest.raises(CeremonyError, match="powers, contributor 2"):
        ceremony.contribute()


def test_contribution_after_powers_that_needed_none(r1cs: R1CS, tmp_path: Path) -> None:
    ptau = Ptau(Path(__file__).parent / "snarkjs_vectors" / "power.ptau")
    ceremony = Ceremony.begin(tmp_path / "ceremony", r1cs, ptau)
    ceremony.begin_circuit(r1cs, ptau=ptau)
    ceremony.contribute()
    _late(ceremony)
    for attempt in (ceremony.contribute, lambda: ceremony.verify(r1cs, ptau=ptau)):
        with pytest.raises(CeremonyError, match="powers, contributor 1: the key of phase 2 was"):
            attempt()
    _remove_late(ceremony, 1)
    ceremony.verify(r1cs, ptau=ptau)


def test_key_that_leaves_a_contribution_out(ceremony: Ceremony, r1cs: R1CS, tmp_path: Path) -> None:
    """Whoever derived the key from the powers of the day before is found out in the same way."""
    ceremony.contribute()
    early = ceremony.file("powers", 1)
    derive_key(Powers.open(early), r1cs, tmp_path / "early")
    ceremony.contribute()
    ceremony.file("key", 0).write_bytes((tmp_path / "early").read_bytes())
    _expect_late(ceremony, r1cs, 2, tmp_path / "out", contributing=True)
