"""experiments/verify_standalone.py on real deals: it accepts them, and nothing that was changed."""

import ast
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import pytest
import standalone_groth16 as groth16
import standalone_messages as messages
import standalone_statement as statements
import verify_standalone as standalone

import zkcmp
from zkcmp.exchange import buyer as exchange
from zkcmp.exchange.messages.identity import Identity
from zkcmp.model.architecture import Architecture
from zkcmp.model.bounds import bounds
from zkcmp.model.data_files import digits_onnx, load_digits_test
from zkcmp.model.layers import Conv, Dense, Flatten, Square, SumPool
from zkcmp.seal import n_blocks

EXPERIMENTS = Path(__file__).parents[2] / "experiments"
FILES = (
    "verify_standalone.py",
    "standalone_messages.py",
    "standalone_statement.py",
    "standalone_groth16.py",
)
MODES = ("full", "freivalds")
PRICE_SAT = 250_000


@dataclass
class Sold:
    """An exported deal with its lock, and who can sign as the buyer."""

    folder: Path
    seller: str
    buyer: Identity

    @property
    def deal(self) -> standalone.Deal:
        return standalone.read_deal(self.folder)

    def lock(self) -> messages.Message:
        return messages.read_message(standalone.read_file(self.folder, "lock.zkcmp"), messages.LOCK)

    @cached_property
    def judged(self) -> tuple[groth16.VerifyingKey, statements.Statement, groth16.Proof]:
        """What the pairing equation is about."""
        threshold, method, _ = standalone.read_asked(self.folder)
        rounds = statements.rounds_of(method)
        key = groth16.read_verifying_key((self.folder / "verifying.key").read_bytes(), rounds)
        statement = standalone.read_statement(self.folder, self.deal, threshold, method, key)
        return key, statement, groth16.read_proof(self.proof, rounds)

    @property
    def proof(self) -> bytes:
        return (self.folder / "proof.bin").read_bytes()


@pytest.fixture(scope="module")
def deals(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Sold]:
    """The digits network sold over two images, once in each mode."""
    root = tmp_path_factory.mktemp("deals")
    network, digits = zkcmp.quantize(digits_onnx()), load_digits_test()
    seller, buyer = zkcmp.Seller(root / "seller"), zkcmp.Buyer(root / "buyer")
    sold = {}
    with zkcmp.regtest(root / "chain") as chain:
        chain.mine(103, buyer.wallet_script)
        for start, mode in ((240, "full"), (242, "freivalds")):
            deal, out = root / mode, root / f"{mode}-files"
            images, labels = digits.images[start : start + 2], digits.labels[start : start + 2]
            seller.seal(deal, network, PRICE_SAT)
            fingerprint = seller.fingerprint
            buyer.request(deal, images, labels, threshold=1, seller=fingerprint, method=mode)
            buyer.setup(deal)
            seller.prove(deal, buyer=buyer.fingerprint)
            buyer.verify(deal)
            buyer.lock(deal, chain)
            chain.mine(1, buyer.wallet_script)
            with exchange.Buyer.opened(root / "buyer") as party:
                party.export_files(deal, out)
                sold[mode] = Sold(out, fingerprint, party.identity)
    return sold


@pytest.fixture(params=MODES)
def sold(request: pytest.FixtureRequest, deals: dict[str, Sold]) -> Sold:
    return deals[request.param]


@pytest.fixture
def copied(deals: dict[str, Sold], tmp_path: Path) -> Sold:
    """The deal in mode full, to change."""
    shutil.copytree(deals["full"].folder, tmp_path / "files")
    return replace(deals["full"], folder=tmp_path / "files")


def refused(folder: Path, why: str, seller: str | None = None) -> None:
    with pytest.raises(messages.Refused, match=why):
        standalone.verify_deal(folder, seller)


# --- what it accepts ------------------------------------------------------------------------------


def test_accepts_a_real_deal(sold: Sold, capsys: pytest.CaptureFixture[str]) -> None:
    assert standalone.main([str(sold.folder), "--seller", sold.seller]) == 0
    said = capsys.readouterr().out
    assert "verified   the sealed network gets at least 1 of 2 images right," in said
    assert "sound only if you made verifying.key yourself" in said
    assert f"lock       {PRICE_SAT} sat for that preimage" in said


def test_another_fingerprint(sold: Sold, capsys: pytest.CaptureFixture[str]) -> None:
    assert standalone.main([str(sold.folder), "--seller", "0000 " * 8]) == 2
    captured = capsys.readouterr()
    assert captured.err == "refused: the offer is another seller's\n"
    assert captured.out == ""


# --- the statement and the proof ------------------------------------------------------------------

CHANGES: dict[str, Callable[[statements.Statement], statements.Statement]] = {
    "architecture": lambda s: replace(
        s,
        architecture=replace(s.architecture, encoded=s.architecture.encoded[:-1] + b" }"),
    ),
    "block": lambda s: replace(s, blocks=[s.blocks[0] + 1, *s.blocks[1:]]),
    "ciphertext": lambda s: replace(s, ciphertext=s.ciphertext[::-1]),
    "commitment": lambda s: replace(s, commitment=s.commitment[::-1]),
    "test set": lambda s: replace(
        s, test_set=replace(s.test_set, encoded=s.test_set.encoded + b"\0")
    ),
    "threshold": lambda s: replace(s, threshold=s.threshold + 1),
    "request": lambda s: replace(s, request=s.request[::-1]),
    "key": lambda s: replace(s, verifying_key_digest=s.verifying_key_digest[::-1]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_field_of_the_statement_is_bound(sold: Sold, change: str) -> None:
    """It moves IC; that another IC is refused, the next test shows."""
    key, statement, proof = sold.judged
    proved, other = statement.public_inputs(), CHANGES[change](statement).public_inputs()
    assert len(proved) == len(other)
    assert not same_point(
        groth16.input_point(key, proved, proof), groth16.input_point(key, other, proof)
    )


def same_point(one: groth16.Point, other: groth16.Point) -> bool:
    return bool(groth16.bn.normalize(one) == groth16.bn.normalize(other))


def test_another_request(sold: Sold) -> None:
    key, statement, proof = sold.judged
    inputs = CHANGES["request"](statement).public_inputs()
    with pytest.raises(messages.Refused, match="does not verify"):
        groth16.check_equation(key, inputs, proof)


def test_method_is_bound(deals: dict[str, Sold]) -> None:
    _, statement, _ = deals["full"].judged
    other = replace(statement, method=f"sampled 1/1 {'0' * 64}").public_inputs()
    differ = [a != b for a, b in zip(statement.public_inputs(), other, strict=True)]
    assert differ == [True, True, *[False] * (len(other) - 2)]


def test_pixels_and_labels_are_inputs_of_mode_full(deals: dict[str, Sold]) -> None:
    """The last label's last place, or the last pixel, moves IC even with the proved context."""
    key, statement, proof = deals["full"].judged
    inputs = statement.public_inputs()
    proved = groth16.input_point(key, inputs, proof)
    for index in (-1, -21):
        changed = [*inputs]
        changed[index] += 1
        assert not same_point(proved, groth16.input_point(key, changed, proof))


def test_every_element_of_the_proof(sold: Sold) -> None:
    key, statement, proof = sold.judged
    elements = {"a": 0, "b": 32, "c": 96} | ({"d": 128} if proof.d else {})
    for name, at in elements.items():
        negated = bytearray(sold.proof)
        negated[at] ^= 0x40
        other = groth16.read_proof(bytes(negated), 2 if proof.d else 1)
        assert getattr(other, name) != getattr(proof, name)
        with pytest.raises(messages.Refused, match="does not verify"):
            groth16.check_equation(key, statement.public_inputs(), other)


@pytest.mark.parametrize("at", [0, 32, 96, 128])
def test_encodings_of_the_proof(deals: dict[str, Sold], at: int) -> None:
    encoded = deals["freivalds"].proof
    tail = encoded[at + 32 :]
    modulus = groth16.P.to_bytes(32, "big")
    same_x = int.from_bytes(encoded[at : at + 32], "big") % 2**254 + groth16.P
    forms = [
        ("infinity", b"\x40" + bytes(31)),
        ("no known form", bytes([encoded[at] & 0x3F]) + encoded[at + 1 : at + 32]),
        ("not canonical", bytes([modulus[0] | 0x80]) + modulus[1:]),
    ]
    if same_x < 2**254:
        forms.append(("not canonical", (same_x + 2**255).to_bytes(32, "big")))
    for why, form in forms:
        with pytest.raises(messages.Refused, match=why):
            groth16.read_proof(encoded[:at] + form + tail, 2)


@pytest.mark.parametrize("change", [lambda p: p[:-1], lambda p: p + b"\0", lambda p: p + p[:32]])
def test_other_lengths_of_the_proof(copied: Sold, change: Callable[[bytes], bytes]) -> None:
    (copied.folder / "proof.bin").write_bytes(change(copied.proof))
    refused(copied.folder, "the proof is of another length")


def test_a_point_outside_the_subgroup_of_g2() -> None:
    """About half of all x have a point on the twist; nearly none of these is of order r."""
    reasons = set()
    for x in range(1, 9):
        with pytest.raises(messages.Refused) as refusal:
            groth16.decompress_g2(bytes([0x80]) + bytes(62) + bytes([x]))
        reasons.add(str(refusal.value))
    assert reasons == {
        "a point of the proof is not on the curve",
        "a point of the proof is not in the subgroup",
    }


def test_a_proof_of_the_other_deal(deals: dict[str, Sold], copied: Sold) -> None:
    (copied.folder / "proof.bin").write_bytes(deals["freivalds"].proof[:128])
    refused(copied.folder, "does not verify")


# --- the verifying key ----------------------------------------------------------------------------


def test_the_circuit_of_the_key_is_bound_by_its_digest(sold: Sold) -> None:
    """It enters no equation: only the context knows it."""
    encoded = bytearray((sold.folder / "verifying.key").read_bytes())
    encoded[12] ^= 1
    key, statement, proof = sold.judged
    other = groth16.read_verifying_key(bytes(encoded), 2 if proof.d else 1)
    assert other.inputs == key.inputs
    assert other.circuit != key.circuit
    changed = replace(statement, verifying_key_digest=other.digest).public_inputs()
    assert changed[:2] != statement.public_inputs()[:2]


@pytest.mark.parametrize("name", ["alpha", "beta", "gamma", "delta", "delta_0", "inputs"])
def test_every_element_of_the_key(deals: dict[str, Sold], name: str) -> None:
    key, statement, proof = deals["freivalds"].judged
    point = getattr(key, name)
    doubled = [groth16.bn.double(point[0]), *point[1:]] if name == "inputs" else None
    other = replace(key, **{name: doubled or groth16.bn.double(point)})
    with pytest.raises(messages.Refused, match="does not verify"):
        groth16.check_equation(other, statement.public_inputs(), proof)


def test_forms_of_the_key(deals: dict[str, Sold]) -> None:
    encoded = (deals["full"].folder / "verifying.key").read_bytes()
    start = 8 + 4 + 32 + 4
    x = int.from_bytes(encoded[start : start + 32], "little") + groth16.P
    for why, changed in {
        "not canonical": encoded[:start] + x.to_bytes(32, "little") + encoded[start + 32 :],
        "not on the curve": encoded[:start] + bytes(64) + encoded[start + 64 :],
        "another length": encoded + bytes(64),
        "cut short": encoded[:start],
        "number of rounds": encoded[:8] + b"\2" + encoded[9:],
        "no verifying key": b"Z" + encoded[1:],
    }.items():
        with pytest.raises(messages.Refused, match=why):
            groth16.read_verifying_key(changed, 1)


def test_a_key_for_fewer_inputs(deals: dict[str, Sold]) -> None:
    key, statement, proof = deals["full"].judged
    fewer = replace(key, n_public=key.n_public - 1, inputs=key.inputs[:-1])
    with pytest.raises(messages.Refused, match="another number of public inputs"):
        groth16.check_equation(fewer, statement.public_inputs(), proof)


# --- the files ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        *("offer.zkcmp", "request.zkcmp", "delivery.zkcmp", "lock.zkcmp", "test_set.bin"),
        *("ciphertext.bin", "proof.bin", "verifying.key", "lock-transaction.hex"),
    ],
)
def test_every_file_is_judged(copied: Sold, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bit in the middle, bytes behind the end, nothing at all, and no file."""
    if name.startswith("lock"):  # judged after the proof, which is not what is wrong here
        monkeypatch.setattr(standalone, "check_equation", lambda *_: None)
    path = copied.folder / name
    data = path.read_bytes()
    middle = len(data) // 2
    flipped = data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
    for changed in (flipped, data + b"00", b""):
        path.write_bytes(changed)
        refused(copied.folder, ".")
    path.unlink()
    if name != "lock.zkcmp":
        refused(copied.folder, f"cannot read .*{name}: No such file")


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [
        ("threshold", 2, "does not verify"),
        ("threshold", 0, "threshold is not from 1"),
        ("threshold", 3, "threshold is not from 1"),
        ("threshold", True, "is no number"),
        ("method", "freivalds", "another number of rounds"),
        ("method", "sampled 2/4 " + "0" * 64, "no reduced fraction"),
        ("method", "libra hyrax", "not one of Groth16's"),
        ("more", 1, "other fields"),
    ],
)
def test_what_was_asked(copied: Sold, field: str, value: object, why: str) -> None:
    path = copied.folder / "request.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {field: value}))
    refused(copied.folder, why)


@pytest.mark.parametrize("name", ["offer.zkcmp", "request.zkcmp", "delivery.zkcmp", "lock.zkcmp"])
def test_a_message_of_the_other_deal(
    deals: dict[str, Sold], copied: Sold, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Signed by the right party, and about something else."""
    monkeypatch.setattr(standalone, "check_equation", lambda *_: None)
    shutil.copy(deals["freivalds"].folder / name, copied.folder / name)
    refused(copied.folder, "of another deal|another offer")


def test_the_right_ciphertext_of_another_seal(deals: dict[str, Sold], copied: Sold) -> None:
    shutil.copy(deals["freivalds"].folder / "ciphertext.bin", copied.folder)
    refused(copied.folder, "the ciphertext is not the one of the offer")


# --- the lock -------------------------------------------------------------------------------------


def signed(sold: Sold, header: messages.Json) -> messages.Message:
    """A lock that the buyer itself signed with these fields."""
    record = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    data = b"ZKCMP\5\0\1" + sold.buyer.public_key + len(record).to_bytes(4, "big") + record
    data += bytes(8)
    signature = sold.buyer.sign(b"zkcmp message signature" + messages.sha256(data))
    return messages.read_message(data + signature, messages.LOCK)


def check_lock(sold: Sold, changes: messages.Json, transaction: bytes | None = None) -> str:
    refund_key = standalone.read_asked(sold.folder)[2]
    lock = signed(sold, sold.lock().header | changes)
    ours = standalone.read_hex(sold.folder, "lock-transaction.hex")
    return standalone.check_lock(sold.deal, lock, refund_key, transaction or ours)


def test_the_lock(sold: Sold) -> None:
    assert check_lock(sold, {}) == f"{sold.lock().header['txid']}:{sold.lock().header['vout']}"


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"amount_sat": PRICE_SAT - 1}, "names another amount"),
        ({"deal": "00" * 16}, "another deal"),
        ({"answers": "00" * 32}, "answers another delivery"),
        ({"txid": "00" * 32}, "not the one of lock.zkcmp"),
        ({"vout": 1}, "pays to another script|no such output"),
        ({"vout": 9}, "no such output"),
        ({"timeout_height": 300}, "not the hash-lock"),
        ({"timeout_height": 500_000_000}, "no height"),
        ({"redeem_script": "51"}, "not the hash-lock"),
    ],
)
def test_fields_of_the_lock(deals: dict[str, Sold], changes: messages.Json, why: str) -> None:
    with pytest.raises(messages.Refused, match=why):
        check_lock(deals["full"], changes)


@pytest.mark.parametrize("key", ["commitment", "claim_key"])
def test_a_lock_for_another_hash_or_key(deals: dict[str, Sold], key: str) -> None:
    """The script is a hash-lock, and the output pays to it, but not the offer's E or key."""
    sold = deals["full"]
    terms, header = sold.deal.offer.header, sold.lock().header
    other = {**terms, key: "03" * (len(terms[key]) // 2)}
    script = standalone.hash_lock(
        bytes.fromhex(other["commitment"]),
        bytes.fromhex(other["claim_key"]),
        header["timeout_height"],
        standalone.read_asked(sold.folder)[2],
    )
    with pytest.raises(messages.Refused, match="not the hash-lock"):
        check_lock(sold, {"redeem_script": script.hex()})


def test_the_output_pays_the_price_to_the_script(deals: dict[str, Sold]) -> None:
    """The transaction itself is changed, and lock.zkcmp names it as it is."""
    sold = deals["full"]
    data = standalone.read_hex(sold.folder, "lock-transaction.hex")
    script = messages.sha256(bytes.fromhex(sold.lock().header["redeem_script"]))
    price = PRICE_SAT.to_bytes(8, "little")
    assert data.count(script) == data.count(price) == 1
    for old, new, why in (
        (price, (PRICE_SAT - 1).to_bytes(8, "little"), "the output pays another amount"),
        (script, script[::-1], "the output pays to another script"),
        (b"\0\x20" + script, b"\x51\x20" + script, "the output pays to another script"),
    ):
        changed = data.replace(old, new)
        txid, _ = standalone.read_transaction(changed)
        with pytest.raises(messages.Refused, match=why):
            check_lock(sold, {"txid": txid}, changed)


def test_a_refund_to_another_key(deals: dict[str, Sold]) -> None:
    sold = deals["full"]
    transaction = standalone.read_hex(sold.folder, "lock-transaction.hex")
    with pytest.raises(messages.Refused, match="not the hash-lock of this deal"):
        standalone.check_lock(sold.deal, sold.lock(), b"\2" + bytes(32), transaction)


def test_pushes_of_heights_are_minimal() -> None:
    for height, pushed in (
        (1, "51"),
        (16, "60"),
        (17, "0111"),
        (127, "017f"),
        (128, "028000"),
        (247, "02f700"),
        (32768, "03008000"),
        (840_000, "0340d10c"),
    ):
        assert standalone.push_number(height).hex() == pushed


# --- messages and architectures -------------------------------------------------------------------


def test_ed25519_vectors_of_rfc_8032() -> None:
    for key, message, signature in (
        (
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bac"
            "c61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e"
            "458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
    ):
        public, text, made = (bytes.fromhex(part) for part in (key, message, signature))
        messages.check_signature(public, text, made)
        for other in (text + b"r", text[:-1] + b"\1"):
            with pytest.raises(messages.Refused, match="not the sender's"):
                messages.check_signature(public, other, made)
        s = int.from_bytes(made[32:], "little") + messages.ED_ORDER
        with pytest.raises(messages.Refused, match="not canonical"):
            messages.check_signature(public, text, made[:32] + s.to_bytes(32, "little"))


@pytest.mark.parametrize(
    "data", [b'{"b":1,"a":2}', b'{"a": 1}', b'{"a":1,"a":1}', b"[" * 50_000, b"[]", b'{"a":"\xc3"}']
)
def test_json_has_one_form(data: bytes) -> None:
    with pytest.raises(messages.Refused):
        messages.canonical_json(data, "it")


def conv(padding: tuple[int, int, int, int], groups: int, dilation: tuple[int, int]) -> Conv:
    return Conv(2, 4, (3, 2), (2, 1), padding, 7, 9, groups, dilation)


@pytest.mark.parametrize(
    ("layers", "n_inputs"),
    [
        ((Flatten(), Dense(162, 3, 8, 12)), 162),
        ((conv((0, 0, 0, 0), 1, (1, 1)), Square(), Flatten(), Dense(128, 10, 5, 30)), 128),
        ((conv((1, 0, 2, 1), 2, (2, 3)), SumPool((2, 2), (2, 3)), Flatten()), 16),
    ],
)
def test_architectures(layers: tuple[zkcmp.model.layers.Layer, ...], n_inputs: int) -> None:
    """Shapes, blocks and bounds are those of the project's own reading."""
    if not isinstance(layers[-1], Dense):
        layers = (*layers, Dense(n_inputs, 10, 3, 62))
    ours = Architecture((2, 9, 9), 8, layers)
    read = statements.read_architecture(ours.to_bytes())
    shapes = statements.Shapes(ours.input_shape, 255)
    for index, layer in enumerate(json.loads(ours.to_bytes())["layers"]):
        getattr(shapes, layer["kind"])(layer, "it")
        assert shapes.shape == ours.shapes()[index + 1]
        assert shapes.largest == bounds(ours)[index]
    assert read.n_blocks == shapes.n_blocks == n_blocks(ours)
    assert read.n_classes == ours.n_classes


def test_an_architecture_that_can_wrap() -> None:
    squares = (Square(),) * 5
    wraps = Architecture((1, 2, 2), 8, (*squares, Flatten(), Dense(4, 3, 8, 12)))
    with pytest.raises(messages.Refused, match=r"accumulators of square4 can wrap"):
        statements.read_architecture(wraps.to_bytes())


def test_it_shares_nothing_with_the_project() -> None:
    allowed = {*sys.stdlib_module_names, "py_ecc"} | {name.removesuffix(".py") for name in FILES}
    for name in FILES:
        for node in ast.walk(ast.parse((EXPERIMENTS / name).read_text())):
            if isinstance(node, ast.Import):
                assert {each.name.split(".")[0] for each in node.names} <= allowed
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0
                assert (node.module or "").split(".")[0] in allowed
    loaded = subprocess.run(
        [sys.executable, "-c", "import sys, verify_standalone; print(*sys.modules)"],
        cwd=EXPERIMENTS,
        capture_output=True,
        text=True,
        check=True,
    )
    roots = {name.split(".")[0] for name in loaded.stdout.split()}
    assert "py_ecc" in roots
    assert not roots & {"zkcmp", "circuits", "bitcoin_scripts", "bitcoin", "numpy", "Crypto"}
