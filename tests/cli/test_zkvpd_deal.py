"""A sale by the Libra backend with zkVPD: parameters that the buyer makes and the seller audits."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest
from changed_deliveries import redeliver
from deal_stages import ARCHITECTURE, NETWORK, Sale, samples

from zkcmp.commitments.srs import Srs, file_bytes, load_srs, make_srs
from zkcmp.commitments.zkvpd import Zkvpd
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.contents import Delivery
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.proofs import Asked, DealStatement
from zkcmp.exchange.proofs.libra import prove_with
from zkcmp.exchange.seller import Seller
from zkcmp.exchange.statement import ciphertext_words
from zkcmp.libra.estimate import committed_vars

ZKVPD = ("--backend", "libra", "--commitment", "zkvpd")
HYRAX = ("--backend", "libra", "--commitment", "hyrax")
N_VARS = committed_vars(ARCHITECTURE, 3)


@pytest.fixture(scope="module")
def other() -> Srs:
    """Good parameters of the right size that are not this buyer's."""
    return make_srs(N_VARS)


@pytest.fixture
def set_up(sale: Callable[[str], Sale]) -> Sale:
    deal = sale("sealed")
    assert deal.request(1, *ZKVPD).code == 0
    assert deal.run("buyer", "setup").code == 0
    return deal


def test_sale(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    asked = deal.request(1, *ZKVPD)
    assert asked.code == 0, asked.err
    assert "mode       libra zkvpd\n" in asked.out
    assert "next       `zkcmp buyer setup --deal " in asked.out
    assert "zkcmp buyer setup" in deal.run("seller", "prove").err
    setup = deal.run("buyer", "setup")
    assert setup.code == 0, setup.err
    assert "made and trusted by us alone" in setup.out
    # the buyer keeps a key of some hundred bytes, and of the tables what it sent, sealed
    assert not (deal.private("buyer") / "proving.key").exists()
    kept = (deal.private("buyer") / "verifying.key").read_bytes()
    assert len(kept) == 48 + 96 * (N_VARS + 1)
    sent = deal.message("key-material").read_bytes()
    assert deal.run("buyer", "setup").code == 0
    assert deal.message("key-material").read_bytes() == sent
    audited = deal.run("seller", "audit")
    assert audited.code == 0, audited.err
    key = load_srs(deal.private("seller") / "proving.key").key
    assert key.to_bytes() == kept
    assert f"audited    key {key.digest.hex()}" in audited.out
    assert "already audited" in deal.run("seller", "audit").out
    proved = deal.prove()
    assert proved.code == 0, proved.err
    assert not (deal.private("seller") / "proving.key").exists()
    assert "already proved" in deal.prove().out
    verified = deal.run("buyer", "verify")
    assert verified.code == 0, verified.err
    assert "gets at least 2 of 3 images right,\n" in verified.out
    assert "statistical error: at most 2^-2" in verified.out
    assert deal.run("buyer", "lock").code == 0
    assert deal.run("chain", "mine", "1").code == 0
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0


# --- the seller's side ------------------------------------------------------------------------


def _proves_not(deal: Sale, said: str) -> None:
    before = deal.tree()
    for command in ("audit", "prove"):
        result = deal.run("seller", command)
        assert result.refused
        assert said in result.err, result.err
        assert deal.tree() == before
    assert not deal.message("delivery").exists()


def _send(deal: Sale, path: Path, announced: bytes) -> None:
    """Key material with this file inside, encrypted and signed by the buyer."""
    offer = messages.read_offer(deal.message("offer"))
    with Seller.opened(deal.root / "seller") as seller, Buyer.opened(deal.root / "buyer") as buyer:
        reading = seller.need(deal.deal).keys().reading
        request = messages.read_request(deal.message("request"), offer, reading)
        deal.message("key-material").unlink()
        messages.write_key_material(
            deal.message("key-material"), buyer.identity, offer, request.digest, announced, path
        )


def test_damaged_parameters_are_refused_by_name(set_up: Sale, other: Srs, tmp_path: Path) -> None:
    """Nothing is bound to them, so that honest ones are welcome afterwards."""
    path, digest = tmp_path / "srs", other.key.digest
    other.save(path)
    honest = path.read_bytes()
    secrets, tables = 64, 64 + 192 * (N_VARS + 1)

    def swapped(at: int, size: int) -> bytes:
        one, two = honest[at : at + size], honest[at + size : at + 2 * size]
        return honest[:at] + two + one + honest[at + 2 * size :]

    last = len(honest) - 64
    huge = honest[:12] + struct.pack("<I", 28) + honest[16:]
    for bad, said in (
        (swapped(tables, 64), f"parameters: table {N_VARS}: expected"),
        (swapped(secrets, 64), "parameters: secrets: expected the same ones in both groups"),
        (honest[:tables] + b"\1" + honest[tables + 1 :], "parameters: tables[0]: expected a"),
        (honest[:tables] + bytes(64) + honest[tables + 64 :], "parameters: tables[0]: expected a"),
        (honest[:last] + honest[tables : tables + 64], "parameters: table 0: expected the gen"),
        (honest[:-1], "parameters: size in bytes: expected"),
        (huge, "parameters for 2^28 values have"),
        (b"X" + honest[1:], "not parameters of a commitment"),
    ):
        path.write_bytes(bad)
        _send(set_up, path, digest)
        _proves_not(set_up, said)
    path.write_bytes(honest)
    _send(set_up, path, bytes(32))
    _proves_not(set_up, "key material: verifying key: expected the announced one")
    make_srs(N_VARS - 1).save(path)
    _send(set_up, path, digest)
    _proves_not(set_up, f"parameters: size in bytes: expected {file_bytes(N_VARS)}, got")
    other.save(path)
    _send(set_up, path, digest)
    assert set_up.prove().code == 0


def test_key_material_of_any_other_size_is_not_read(set_up: Sale) -> None:
    """A file of 64 GB, most of it a hole, is refused before a byte of it is copied."""
    path = set_up.message("key-material")
    honest = path.read_bytes()
    with path.open("r+b") as file:
        file.truncate(1 << 36)
    result = set_up.run("seller", "audit")
    assert result.refused
    assert "more than such a message has" in result.err
    path.write_bytes(honest)
    assert set_up.run("seller", "audit").code == 0


def test_parameters_that_were_changed_after_the_audit(set_up: Sale, other: Srs) -> None:
    assert set_up.run("seller", "audit").code == 0
    path = set_up.private("seller") / "proving.key"
    audited = path.read_bytes()
    path.write_bytes(audited[:-1] + bytes([audited[-1] ^ 1]))
    _proves_not(set_up, "parameters: expected those that were audited, got others")
    other.save(path)
    _proves_not(set_up, "parameters: expected those that were audited, got others")
    path.unlink()
    _proves_not(set_up, "cannot read the parameters")
    path.write_bytes(audited)
    with Seller.opened(set_up.root / "seller") as seller:
        bound = seller.need(set_up.deal)
        remembered, bound.state.audited = bound.state.audited, ""
        bound.save()
    _proves_not(set_up, "parameters: expected those that were audited, got others")
    with Seller.opened(set_up.root / "seller") as seller:
        bound = seller.need(set_up.deal)
        bound.state.audited = remembered
        bound.save()
    assert set_up.prove().code == 0


# --- the buyer's side -------------------------------------------------------------------------


def _refused(deal: Sale, said: str) -> None:
    before = deal.tree()
    result = deal.run("buyer", "verify")
    assert result.refused
    assert said in result.err, result.err
    assert deal.tree() == before


def _proof_under(deal: Sale, srs: Srs, named: bytes | None = None) -> bytes:
    """A true proof of the deal's statement, whose maker may know the secrets of `srs`.

    With `named`, the context says that it is under parameters of that digest.
    """
    with Seller.opened(deal.root / "seller") as seller:
        mine = seller.need(deal.deal)
        offer = mine.offer()
        request = messages.read_request(mine.own(Kind.REQUEST), offer, mine.keys().reading)
        ciphertext = (mine.directory / "ciphertext").read_bytes()
        preimage = (mine.directory / "preimage").read_bytes()
    scheme = _Named(srs, named or srs.key.digest)
    statement = DealStatement(
        Asked(ARCHITECTURE, samples(1), request.proof_method),
        ciphertext_words(ciphertext, offer.n_blocks),
        offer.commitment,
        request.threshold,
        request.digest,
        scheme.digest,
    )
    return prove_with(scheme, statement, NETWORK, preimage, lambda *_: None)


class _Named(Zkvpd):
    """The scheme under parameters that pass for others."""

    def __init__(self, srs: Srs, named: bytes):
        super().__init__(srs)
        self.named = named

    @property
    def digest(self) -> bytes:
        return self.named


def test_delivery_under_other_parameters(set_up: Sale, other: Srs) -> None:
    assert set_up.prove().code == 0
    with Buyer.opened(set_up.root / "buyer") as buyer:
        ours = bytes.fromhex(buyer.need(set_up.deal).state.verifying_key)
    proof = _proof_under(set_up, other)
    redeliver(set_up, lambda _: (proof, other.key.digest))
    _refused(set_up, "delivery: what to verify with")
    redeliver(set_up, lambda _: (proof, ours))
    _refused(set_up, "zkvpd opening")
    passing = _proof_under(set_up, other, ours)
    redeliver(set_up, lambda _: (passing, ours))
    _refused(set_up, "zkvpd opening")

    def honest(delivery: Delivery) -> tuple[bytes, bytes]:
        return delivery.proof, delivery.parameters_digest

    redeliver(set_up, honest)
    assert set_up.run("buyer", "verify").code == 0


def test_buyer_verifies_with_its_own_key_only(set_up: Sale, other: Srs) -> None:
    assert set_up.prove().code == 0
    path = set_up.private("buyer") / "verifying.key"
    kept = path.read_bytes()
    path.write_bytes(other.key.to_bytes())
    _refused(set_up, "proof: expected our own commitment scheme, got another")
    path.write_bytes(kept[:-1])
    _refused(set_up, "not its size")
    path.write_bytes(kept)
    assert set_up.run("buyer", "verify").code == 0


@pytest.mark.parametrize("mode", [HYRAX, ZKVPD], ids=["hyrax", "zkvpd"])
def test_delivery_by_the_other_commitment(
    sale: Callable[[str], Sale], tmp_path: Path, mode: tuple[str, ...]
) -> None:
    """Replayed as it is, and with its proof in a delivery that is else honest."""
    deal = sale("sealed")
    twin = deal.copied(tmp_path / "twin")
    deal.ask_and_prove(*mode)
    twin.ask_and_prove(*(HYRAX if mode == ZKVPD else ZKVPD))
    honest = deal.message("delivery").read_bytes()
    deal.message("delivery").write_bytes(twin.message("delivery").read_bytes())
    _refused(deal, "answers another message than the one we hold")
    deal.message("delivery").write_bytes(honest)
    foreign: list[bytes] = []

    def keep(delivery: Delivery) -> tuple[bytes, bytes]:
        foreign.extend((delivery.proof, delivery.parameters_digest))
        return delivery.proof, delivery.parameters_digest

    redeliver(twin, keep)
    proof, named = foreign
    redeliver(deal, lambda _: (proof, named))
    _refused(deal, "delivery: what to verify with")
    redeliver(deal, lambda delivery: (proof, delivery.parameters_digest))
    _refused(deal, "commitment: expected")
    deal.message("delivery").write_bytes(honest)
    assert deal.run("buyer", "verify").code == 0
