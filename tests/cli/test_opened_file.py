"""What the buyer is told of a file whose doubles may not give the labels that were proved."""

import json
from collections.abc import Callable
from hashlib import sha256

import numpy as np
import pytest
from deal_stages import Sale

from zkcmp.cli.main import run
from zkcmp.model.dataset import TestSet
from zkcmp.model.layers import Dense, Flatten
from zkcmp.model.network import Architecture, Network


def cancelling() -> Network:
    """Exactly the four pixels, but by way of sums near 2^61 that doubles round."""
    layers = (Flatten(), Dense(4, 4, 2, 62), Dense(4, 4, 2, 62))
    one, far = np.eye(4, dtype=np.int64), np.full(4, 2**61 - 1)
    return Network(Architecture((1, 2, 2), 8, layers), [one, far, one, -far])


def test_an_honest_file_needs_no_caution(sale: Callable[[str], Sale]) -> None:
    result = sale("redeemed").open()
    assert "opened" in result.out
    assert "caution" not in result.out


def test_a_card_beside_the_network(sale: Callable[[str], Sale]) -> None:
    deal = sale("redeemed")
    assert deal.open().code == 0
    assert deal.open().code == 0  # again, with both files there
    (path,) = deal.root.rglob("*.onnx.json")
    model = path.with_suffix("")
    card = json.loads(path.read_bytes())
    assert card["onnx_sha256"] == sha256(model.read_bytes()).hexdigest()
    assert set(card["deal"]) == {"offer", "hash_lock"}
    assert card["input"]["largest"] > 0
    path.write_bytes(b"something else")
    refused = deal.open()
    assert refused.refused
    assert "exists and is something else; choose another --out" in refused.err


def test_weights_that_doubles_cannot_carry(
    sale: Callable[[str], Sale], monkeypatch: pytest.MonkeyPatch
) -> None:
    from zkcmp.exchange.buyer import Buyer

    network = cancelling()
    images = np.arange(24).reshape(6, 1, 2, 2)
    test_set = TestSet(images, network.predict(images))
    assert test_set.labels.tolist() == [3] * 6
    monkeypatch.setattr(Buyer, "open", lambda *_: network)
    monkeypatch.setattr("zkcmp.exchange.buyer.opening.own_test_set", lambda _: test_set)
    result = sale("redeemed").open()
    assert "0 of 6 surely" in result.out
    assert "Network.predict" in result.out


@pytest.mark.parametrize(
    "out",
    [
        "deal/bought.onnx",
        "deal/deeper/bought.onnx",
        "link/bought.onnx",
        "linked.onnx",
        "other/bought.onnx",
        "deal/../deal/bought.onnx",
    ],
)
def test_not_into_a_folder_that_a_seller_reads(sale: Callable[[str], Sale], out: str) -> None:
    """What lies there is sent to the seller's side by whatever carries the messages."""
    deal = sale("redeemed")
    for folder, seed in (("deal", 1), ("other", 2)):  # the copy moved: the new folders are noted
        assert Sale(deal.root, deal.capsys, folder=folder).request(seed).code == 0
    (deal.deal / "deeper").mkdir()
    (deal.root / "link").symlink_to(deal.deal)
    (deal.root / "linked.onnx").symlink_to(deal.deal / "bought.onnx")
    before = deal.tree()
    result = deal.run("buyer", "open", "--out", str(deal.root / out))
    assert result.refused, result
    assert "choose another --out" in result.err
    assert deal.tree() == before
    assert deal.open().code == 0


def test_nor_what_snarkjs_is_to_verify(sale: Callable[[str], Sale]) -> None:
    """The public inputs hold the test set of this deal and the ciphertext."""
    deal = sale("verified")
    inside = deal.deal / "for-snarkjs"
    assert (
        run(
            [
                "groth16",
                "export",
                "deal",
                *deal.arguments("buyer", "export")[2:],
                "--out",
                str(inside),
            ]
        )
        == 2
    )
    assert not inside.exists()


@pytest.mark.parametrize("out", [".", "/", ""])
@pytest.mark.parametrize("command", ["open", "watch"])
def test_a_directory_is_no_place_for_the_file(
    sale: Callable[[str], Sale], out: str, command: str
) -> None:
    deal = sale("redeemed")
    once = ("--once",) if command == "watch" else ()
    result = deal.run("buyer", command, "--out", out, *once)
    assert result.refused, result
    assert "exists and is no file; choose another --out" in result.err
