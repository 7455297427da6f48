"""A sale in each mode of Groth16, and requests, keys and proofs of one mode in place of another."""

from collections.abc import Callable
from pathlib import Path

import pytest
from deal_stages import Sale, samples

from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.method import Method
from zkcmp.exchange.seller import Seller

SAMPLED = ("--mode", "sampled", "--sample", "50%")
ACCEPTED = (*SAMPLED, "--accept-unsound-sampling")
OPTIONS = {
    "freivalds": ("--mode", "freivalds"),
    "full": ("--mode", "full"),
    "sampled 1/2": ACCEPTED,
}


@pytest.mark.parametrize("title", OPTIONS)
def test_sale(sale: Callable[[str], Sale], title: str) -> None:
    """Asked for, shown before it is answered, proved, verified, and said what it is worth."""
    deal = sale("sealed")
    asked = deal.request(1, *OPTIONS[title])
    assert asked.code == 0, asked.err
    assert f"mode       {title}\n" in asked.out
    before = deal.tree()
    shown = deal.run("seller", "inspect")
    assert shown.code == 0
    assert f"asked      at least 2 of 3 images right\nmode       {title}\n" in shown.out
    assert deal.tree() == before
    assert deal.run("buyer", "setup").code == 0
    assert f"mode       {title}\n" in deal.prove().out
    verified = deal.run("buyer", "verify")
    assert verified.code == 0, verified.err
    for party in ("seller", "buyer"):
        assert f"mode       {title}\n" in deal.run(party, "status").out
    is_sound = title != "sampled 1/2"
    assert ("gets at least 2 of 3 images right,\n" in verified.out) == is_sound
    for result in (asked, verified):
        assert ("the accuracy is NOT guaranteed" in result.out) != is_sound
    assert "BN254, about 100 bits" in verified.out


def test_sampling_must_be_accepted(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    before = deal.tree()
    for options, said in (
        (SAMPLED, "a seller with random weights passes at any threshold"),
        (("--mode", "sampled", "--accept-unsound-sampling"), "--sample go together"),
        (("--sample", "3%"), "--sample go together"),
        ((*ACCEPTED[:-2], "0%", ACCEPTED[-1]), "not above 0"),
        ((*ACCEPTED[:-2], "x", ACCEPTED[-1]), "is not a number"),
        (("--mode", "half"), "--mode"),
    ):
        result = deal.request(1, *options)
        assert result.refused, options
        assert said in result.err
        assert deal.tree() == before


def test_repeated_request_keeps_its_seed_and_its_mode(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    assert deal.request(1, *ACCEPTED).code == 0
    sent = deal.message("request").read_bytes()
    assert deal.request(1, *ACCEPTED).code == 0
    assert deal.message("request").read_bytes() == sent
    for options in ((), ("--mode", "full"), (*ACCEPTED[:3], "40%", ACCEPTED[-1])):
        result = deal.request(1, *options)
        assert result.refused
        assert "another test set, threshold or mode" in result.err


def test_seller_answers_its_mode_only(sale: Callable[[str], Sale]) -> None:
    deal = sale("set_up")
    before = deal.tree()
    for command in ("audit", "prove"):
        result = deal.run("seller", command, "--mode", "full")
        assert result.refused
        assert "request: mode: expected full, got freivalds" in result.err
        assert deal.tree() == before
    assert deal.run("seller", "prove", "--mode", "freivalds").code == 0


def _ask_again(deal: Sale, line: str, key: Path) -> None:
    """The buyer's request with another method, and the same key material as an answer to it."""
    offer = messages.read_offer(deal.message("offer"))
    with Seller.opened(deal.root / "seller") as seller, Buyer.opened(deal.root / "buyer") as buyer:
        reading, keys = seller.need(deal.deal).keys().reading, buyer.need(deal.deal).keys()
        request = messages.read_request(deal.message("request"), offer, reading)
        material = messages.read_key_material(
            deal.message("key-material"), offer, request, reading, key
        )
        record = {
            "reading_key": keys.reading.public_key,
            "refund_key": keys.coin_public,
            "threshold": 2,
            "method": line,
            "nonce": bytes(16),
        }
        for name in ("request", "key-material"):
            deal.message(name).unlink()
        encoded = samples(1).to_bytes()
        digest = messages.write_request(
            deal.message("request"), buyer.identity, offer, record, encoded
        )
        messages.write_key_material(
            deal.message("key-material"),
            buyer.identity,
            offer,
            digest,
            material.verifying_key_digest,
            key,
        )


@pytest.mark.parametrize(
    ("asked", "changed"),
    [
        ("freivalds", "full"),
        ("full", "freivalds"),
        ("sampled 1/2", "full"),
        ("sampled 1/2", f"sampled 1/2 {'00' * 32}"),
        ("sampled 1/2", "sampled 2/3 SEED"),
    ],
)
def test_key_of_another_mode_is_refused(
    sale: Callable[[str], Sale], tmp_path: Path, asked: str, changed: str
) -> None:
    """A changed mode, U or seed: the circuit that the seller builds is not that of the key."""
    deal = sale("sealed")
    assert deal.request(1, *OPTIONS[asked]).code == 0
    assert deal.run("buyer", "setup").code == 0
    with Buyer.opened(deal.root / "buyer") as buyer:
        method = Method.from_line(buyer.need(deal.deal).state.method)
    _ask_again(deal, changed.replace("SEED", method.seed.hex()), tmp_path / "key")
    before = deal.tree()
    result = deal.prove()
    assert result.refused
    assert "proving key" in result.err
    assert deal.tree() == before


def test_proof_of_another_mode_is_refused(sale: Callable[[str], Sale]) -> None:
    """A proof of one round where one of two was asked for, in a delivery that is else honest."""
    deal = sale("proved")
    with Seller.opened(deal.root / "seller") as seller, Buyer.opened(deal.root / "buyer") as buyer:
        mine, bought = seller.need(deal.deal), buyer.need(deal.deal)
        offer, keys = mine.offer(), bought.keys()
        request = messages.read_request(mine.own(messages.Kind.REQUEST), offer, mine.keys().reading)
        answered = bytes.fromhex(mine.state.key_material)
        honest = messages.read_delivery(
            deal.message("delivery"),
            offer,
            request.sender,
            request.digest,
            answered,
            keys.reading,
        )
        assert len(honest.proof) == 160
        deal.message("delivery").unlink()
        messages.write_delivery(
            deal.message("delivery"),
            seller.identity,
            offer,
            request,
            answered,
            honest.parameters_digest,
            honest.ciphertext,
            honest.proof[:128],
        )
    before = deal.tree()
    result = deal.run("buyer", "verify")
    assert result.refused
    assert "expected a proof of two rounds" in result.err
    assert deal.tree() == before
