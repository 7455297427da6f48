"""Every decoder of bytes that another party, or a disk, can choose: what it reads, and valid input.

`read` either returns or raises one of the project's errors; `again`, where there is one canonical
encoding, gives the bytes back, so that a second encoding of the same value is found as well. What a
signature or an authenticated encryption guards is changed before it is signed or encrypted: the
attacker is a party to the deal and does both.
"""

import io
import itertools
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from bitcoin_scripts import htlc
from bitcoin_scripts.errors import SettlementError
from zkcmp.bn254.curve import encoding, g1, g2
from zkcmp.bn254.curve.point_bytes import decode_g1_points
from zkcmp.bn254.field.fr import FrVector
from zkcmp.commitments import srs
from zkcmp.errors import ZkcmpError
from zkcmp.exchange.deal import BuyerState, SellerState, load_state, save_state
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages import encryption, envelope
from zkcmp.exchange.messages.envelope import Kind, Route
from zkcmp.exchange.messages.identity import Identity, ReadingKey
from zkcmp.exchange.method import Method
from zkcmp.exchange.statement import ciphertext_words, parse_threshold
from zkcmp.groth16 import Proof, ProvingKey, VerifyingKey, prove, setup, snarkjs
from zkcmp.groth16.ceremony.contribution import Record, make_factor
from zkcmp.groth16.keys import KEY_NAME
from zkcmp.libra.prove import prove as libra_prove
from zkcmp.libra.prove import verify as libra_verify
from zkcmp.libra.statement import Statement
from zkcmp.model import data_files
from zkcmp.model.architecture import Architecture, Normalisation
from zkcmp.model.array_files import decode_csv, read_npy
from zkcmp.model.dataset import TestSet
from zkcmp.model.network import Conv, Dense, Flatten, Network, Square, SumPool
from zkcmp.model.onnx import export_float_onnx, export_onnx, read_onnx
from zkcmp.model.quantize import quantize
from zkcmp.model.sample_files import read_samples
from zkcmp.seal import seal

ALLOWED = (ZkcmpError, SettlementError)


@dataclass(frozen=True)
class Target:
    """A decoder; one that is dear is called less often."""

    name: str
    seeds: list[bytes]
    read: Callable[[bytes], Any]
    again: Callable[[Any], bytes] | None = None
    weight: int = 100


def _from_file(read: Callable[[Path], Any], suffix: str = "") -> Callable[[bytes], Any]:
    """A reader of files as a reader of bytes, by one file that is written again and again."""
    place = Path(_directory()) / f"input{next(_numbers)}{suffix}"

    def run(data: bytes) -> Any:
        place.write_bytes(data)
        return read(place)

    return run


_numbers = itertools.count()


@cache
def _directory() -> str:
    return _keep().name


@cache
def _keep() -> "tempfile.TemporaryDirectory[str]":
    return tempfile.TemporaryDirectory(prefix="zkcmp-fuzz-")


@cache
def small_network() -> Network:
    """4 pixels, dense to 3, square, dense to 2."""
    architecture = Architecture((1, 2, 2), 4, _layers())
    rng = np.random.default_rng(1)
    return Network(
        architecture, [rng.integers(s.low, s.high + 1, s.shape) for s in architecture.tensors()]
    )


def _layers() -> Any:
    return (Flatten(), Dense(4, 3, 4, 8), Square(), Dense(3, 2, 4, 12))


def every_layer() -> Network:
    """A network that has every kind of layer, with groups, dilation and padding."""
    conv = Conv(2, 4, (2, 2), (1, 2), (1, 0, 0, 1), 4, 5, groups=2, dilation=(2, 1))
    layers = (conv, Square(), SumPool((2, 3), (1, 1)), Flatten(), Dense(12, 2, 4, 9))
    architecture = Architecture((2, 5, 6), 4, layers, Normalisation("0.5,0.25", "-1"))
    rng = np.random.default_rng(2)
    tensors = [rng.integers(s.low, s.high + 1, s.shape) for s in architecture.tensors()]
    return Network(architecture, tensors)


def small_test_set() -> TestSet:
    pixels = np.arange(8).reshape(2, 1, 2, 2)
    return TestSet(pixels, small_network().predict(pixels))


def model_targets() -> Iterator[Target]:
    architecture = small_network().architecture
    digits = quantize(read_onnx(data_files.digits_onnx()))
    layered = every_layer()
    seeds = [a.to_bytes() for a in (architecture, digits.architecture, layered.architecture)]
    yield Target("architecture", seeds, Architecture.from_bytes, lambda a: a.to_bytes())
    test_set = small_test_set()
    wide = TestSet(test_set.images + 300, test_set.labels)
    yield Target(
        "test set",
        [test_set.to_bytes(), wide.to_bytes()],
        TestSet.from_bytes,
        lambda t: t.to_bytes(),
    )
    exported = export_onnx(layered)
    place = Path(_directory()) / "layered.onnx"
    place.write_bytes(exported)
    again = export_float_onnx(read_onnx(place))
    onnx = [data_files.digits_onnx().read_bytes(), exported, again]
    yield Target("onnx", onnx, _from_file(read_onnx, ".onnx"), weight=5)
    npz = io.BytesIO()
    np.savez(npz, images=test_set.images.astype(np.uint8), labels=test_set.labels.astype(np.uint8))
    yield Target("npz", [npz.getvalue()], _from_file(data_files.load_npz, ".npz"), weight=20)
    npy = io.BytesIO()
    np.save(npy, test_set.images.astype(np.uint16))
    yield Target("npy", [npy.getvalue()], _from_file(read_npy, ".npy"), weight=20)
    tables = [b"1,0,255\n0,7,8\n", b"pixel0,label,pixel1\n3,1,4\n\n5,0,6\n"]
    yield Target("csv", tables, lambda data: decode_csv(data, "table.csv"))
    yield _folder_target()
    idx = b"\0\0\x08\x02" + struct.pack(">II", 2, 3) + bytes(6)
    yield Target("idx", [idx], data_files.decode_idx)
    lines = [b"freivalds", b"full", b"libra hyrax", b"sampled 3/100 " + b"0" * 64]
    yield Target("method", lines, lambda d: Method.from_line(_text(d)), lambda m: m.line.encode())
    yield Target("threshold", [b"0.95", b"95%", b"1"], lambda d: parse_threshold(_text(d), 100))


def _folder_target() -> Target:
    """A folder of two classes, of which one image is changed."""
    from PIL import Image

    folder = Path(_directory()) / "folder"
    pixels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    for label in ("0", "1"):
        (folder / label).mkdir(parents=True)
        Image.fromarray(pixels).save(folder / label / "a.png")
    seeds = []
    for kind in ("PNG", "JPEG"):
        stream = io.BytesIO()
        Image.fromarray(pixels).save(stream, kind)
        seeds.append(stream.getvalue())

    def read(data: bytes) -> Any:
        (folder / "0" / "b.png").write_bytes(data)
        return read_samples(folder)

    return Target("image folder", seeds, read, weight=20)


def _text(data: bytes) -> str:
    return data.decode("latin-1")


def groth16_targets() -> Iterator[Target]:
    from zkcmp.cli.proving.bench import dense_circuit

    r1cs, witness = dense_circuit(3)
    place = Path(_directory()) / "groth16"
    place.mkdir()
    key = setup(r1cs, place)
    proof = prove(key, r1cs, witness)
    inputs = witness.slice(1, r1cs.n_public + 1)
    vk = key.verifying_key
    yield Target(
        "groth16 proof", [proof.to_bytes()], Proof.from_bytes, lambda p: p.to_bytes(), weight=10
    )
    yield Target(
        "verifying key",
        [vk.to_bytes()],
        VerifyingKey.from_bytes,
        lambda k: k.to_bytes(),
        weight=10,
    )
    proving = (place / KEY_NAME).read_bytes()
    yield Target("proving key", [proving], _from_file(ProvingKey.open), weight=20)
    files = place / "files"
    files.mkdir()
    snarkjs.write_r1cs(files / "circuit.r1cs", r1cs)
    snarkjs.write_wtns(files / "witness.wtns", witness)
    snarkjs.write_proof(files / "proof.json", proof)
    snarkjs.write_public(files / "public.json", inputs)
    snarkjs.write_verification_key(files / "vk.json", vk)
    snarkjs.export_zkey(key, r1cs, files / "circuit.zkey")
    readers: list[tuple[str, Callable[[Path], Any]]] = [
        ("circuit.r1cs", snarkjs.read_r1cs),
        ("witness.wtns", snarkjs.read_wtns),
        ("proof.json", snarkjs.read_proof),
        ("public.json", snarkjs.read_public),
        ("vk.json", snarkjs.read_verification_key),
        ("circuit.zkey", _read_zkey),
    ]
    for name, read in readers:
        yield Target(f"snarkjs {name}", [(files / name).read_bytes()], _from_file(read), weight=10)
    factors = [make_factor(5, b"tau", bytes(32)), make_factor(7, b"alpha", bytes(32))]
    record = Record(bytes(32), bytes(32), tuple(factors)).to_bytes()
    yield Target(
        "contribution",
        [record],
        lambda d: Record.from_bytes(d, 2),
        lambda r: r.to_bytes(),
        weight=2,
    )


def _read_zkey(path: Path) -> None:
    key = snarkjs.ZKey(path)
    _ = key.matrices


def point_targets() -> Iterator[Target]:
    one, two = encoding.encode_g1(g1.generator()), encoding.encode_g2(g2.generator())
    yield Target("G1 point", [one], encoding.decode_g1, encoding.encode_g1, weight=20)
    yield Target("G2 point", [two], encoding.decode_g2, encoding.encode_g2, weight=10)
    yield Target("G1 points", [one * 3], decode_g1_points, weight=20)
    blocks = FrVector.from_ints([1, 2, 3]).to_words().astype("<u8").tobytes()
    yield Target("ciphertext", [blocks], lambda d: ciphertext_words(d, 3), lambda w: w.tobytes())


def libra_targets() -> Iterator[Target]:
    from zkcmp.commitments.hyrax import Hyrax
    from zkcmp.commitments.zkvpd import Zkvpd

    network, test_set = small_network(), small_test_set()
    sealed, preimage = seal(network)
    statement = Statement(
        network.architecture, sealed.ciphertext, sealed.commitment, test_set, 2, bytes(32)
    )
    parameters = srs.make_srs(statement.layout.n_vars)
    for name, scheme in (("hyrax", Hyrax()), ("zkvpd", Zkvpd(parameters))):
        proof = libra_prove(statement, statement.secret(network, preimage), scheme)

        def read(data: bytes, scheme: Any = scheme) -> None:
            libra_verify(statement, scheme, data)

        yield Target(f"libra proof, {name}", [proof], read, weight=1)
    key = parameters.key
    yield Target(
        "verifier's key",
        [key.to_bytes()],
        srs.VerifierKey.from_bytes,
        lambda k: k.to_bytes(),
        weight=2,
    )
    small = srs.make_srs(2)
    small.save(Path(_directory()) / "small.srs")
    data = (Path(_directory()) / "small.srs").read_bytes()
    yield Target("parameters", [data], _from_file(srs.load_srs), weight=50)


def message_targets() -> Iterator[Target]:
    """Headers and plaintexts of all five messages, signed and encrypted after they were changed."""
    place = Path(_directory()) / "messages"
    place.mkdir()
    sample = _sample(place)
    files = {
        "offer": sample.read_offer,
        "request": sample.read_request,
        "key_material": sample.read_key_material,
        "delivery": sample.read_delivery,
        "lock": sample.read_lock,
    }
    for name, read in files.items():
        data = (place / name).read_bytes()
        yield Target(f"message {name}", [data], _from_file(read), weight=20)
    for name, who in (("offer", sample.seller), ("lock", sample.buyer)):
        data = (place / name).read_bytes()
        yield Target(
            f"signed {name}", [data[:-64]], _from_file(_signed(who, files[name])), weight=20
        )
    yield _encrypted(sample, place, Kind.REQUEST, sample.buyer, sample.seller_reading)
    yield _encrypted(sample, place, Kind.DELIVERY, sample.seller, sample.buyer_reading)


def _sample(place: Path) -> Any:
    sys.path.append(str(Path(__file__).parent.parent / "exchange"))
    from sample_messages import build_sample

    return build_sample(place)


def _signed(who: Identity, read: Callable[[Path], Any]) -> Callable[[Path], Any]:
    import hashlib

    def run(path: Path) -> Any:
        body = path.read_bytes()
        signature = who.sign(b"zkcmp message signature" + hashlib.sha256(body).digest())
        path.write_bytes(body + signature)
        return read(path)

    return run


def _encrypted(
    sample: Any, place: Path, kind: Kind, sender: Identity, reader: ReadingKey
) -> Target:
    """The plaintext of a message: record length, record, blob."""
    name = kind.name.lower()
    source = envelope.read(place / name, kind, messages._ROUTE)
    header = source.header
    route = Route(kind, *(header["deal"], source.sender, header["recipient"], header["answers"]))  # type: ignore[arg-type]
    info = route.info()
    key = encryption.reader_key(reader, header["encapsulated"], info)  # type: ignore[arg-type]
    with source.open_body() as file:
        plain = b"".join(encryption.decrypt(key, info, file, source.body_length))
    out = place / f"{name}.changed"
    read = {Kind.REQUEST: sample.read_request, Kind.DELIVERY: sample.read_delivery}[kind]

    def run(data: bytes) -> Any:
        encapsulated, body_key = encryption.sender_key(reader.public_key, info)
        envelope.write(
            out,
            kind,
            sender,
            route.header(messages._ROUTE, encapsulated),
            encryption.encrypt(body_key, info, [data]),
            encryption.encrypted_length(len(data)),
        )
        return read(out)

    return Target(f"plaintext of a {kind.title}", [plain], run, weight=20)


def private_targets() -> Iterator[Target]:
    """A party's own files: damaged, not hostile, and still no traceback."""
    place = Path(_directory()) / "state"
    place.mkdir()
    for kind, state in (
        (SellerState, SellerState("07" * 16, "deal", "01" * 32, "02" * 32)),
        (BuyerState, BuyerState("07" * 16, "deal", "01" * 32, "02" * 32, "03" * 32)),
    ):
        save_state(place, state)
        data = (place / "state.json").read_bytes()

        def read(changed: bytes, kind: Any = kind) -> Any:
            (place / "state.json").write_bytes(changed)
            return load_state(place, kind)

        yield Target(f"state of a {kind.__name__.removesuffix('State').lower()}", [data], read)
    x = bytes.fromhex("79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798")
    terms = htlc.Htlc(bytes(32), b"\x02" + x, b"\x03" + x, 300)
    script = bytes(terms.redeem_script)
    yield Target("hash-lock script", [script], htlc.parse, lambda h: bytes(h.redeem_script))


GROUPS: dict[str, Callable[[], Iterator[Target]]] = {
    "model": model_targets,
    "groth16": groth16_targets,
    "points": point_targets,
    "libra": libra_targets,
    "messages": message_targets,
    "private": private_targets,
}
