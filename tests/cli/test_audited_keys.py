"""The seller proves only with a key that it audited, and with the copy that it audited."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deal_stages import NETWORK, Sale, samples

from circuits.freivalds.statement import build
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.seller import Seller
from zkcmp.groth16 import ProvingKey, setup
from zkcmp.groth16.key_file import create_key_file
from zkcmp.groth16.keys import section_names


def test_audit_then_prove(sale: Callable[[str], Sale]) -> None:
    deal = sale("set_up")
    shared = {path.name: path.read_bytes() for path in deal.deal.iterdir()}
    first = deal.run("seller", "audit")
    assert first.code == 0
    assert "next       `zkcmp seller prove --deal " in first.out
    assert "audited; next: zkcmp seller prove" in deal.run("seller", "status").out
    again = deal.run("seller", "audit")
    assert again.code == 0
    assert "already audited" in again.out
    # the buyer learns nothing from it
    assert {path.name: path.read_bytes() for path in deal.deal.iterdir()} == shared
    assert deal.prove().code == 0
    assert deal.run("buyer", "verify").code == 0
    assert "already audited" in deal.run("seller", "audit").out


def test_audit_too_early(sale: Callable[[str], Sale]) -> None:
    deal = sale("requested")
    before = deal.tree()
    result = deal.run("seller", "audit")
    assert result.refused
    assert "zkcmp buyer setup" in result.err
    assert deal.tree() == before


def _proves_not(deal: Sale, said: str) -> None:
    before = deal.tree()
    for command in ("prove", "audit"):
        result = deal.run("seller", command)
        assert result.refused
        assert said in result.err
        assert deal.tree() == before
    assert not deal.message("delivery").exists()


def test_key_that_was_changed_after_the_audit(sale: Callable[[str], Sale]) -> None:
    deal = sale("set_up")
    assert deal.run("seller", "audit").code == 0
    path = deal.private("seller") / "proving.key"
    audited = path.read_bytes()
    offset = ProvingKey.open(path).file.sections["l_query"].offset
    path.write_bytes(audited[:offset] + bytes([audited[offset] ^ 1]) + audited[offset + 1 :])
    _proves_not(deal, "section l_query is damaged")
    setup(build(NETWORK.architecture, samples(1)).r1cs, path)
    _proves_not(deal, "the one that was audited")
    path.unlink()
    _proves_not(deal, "cannot read the proving key")
    path.write_bytes(audited)
    assert deal.prove().code == 0


def test_binding_without_an_audit_proves_nothing(sale: Callable[[str], Sale]) -> None:
    deal = sale("set_up")
    assert deal.run("seller", "audit").code == 0
    with Seller.opened(deal.root / "seller") as seller:
        bound = seller.need(deal.deal)
        bound.state.audited = ""
        bound.save()
    _proves_not(deal, "the one that was audited")


def _send_key(deal: Sale, path: Path) -> None:
    """Key material with another proving key inside, encrypted and signed by the buyer."""
    offer = messages.read_offer(deal.message("offer"))
    with Seller.opened(deal.root / "seller") as seller, Buyer.opened(deal.root / "buyer") as buyer:
        reading = seller.need(deal.deal).keys().reading
        request = messages.read_request(deal.message("request"), offer, reading)
        announced = ProvingKey.open(path).verifying_key.digest
        deal.message("key-material").unlink()
        messages.write_key_material(
            deal.message("key-material"), buyer.identity, offer, request.digest, announced, path
        )


def _with_swapped_points(key: ProvingKey, path: Path, name: str) -> None:
    """A key in which two points of one section changed places; every point is still a point."""
    names = section_names(key.shape)
    with create_key_file(path, key.shape, len(names)) as writer:
        for section in names:
            points = np.frombuffer(key.file.bytes(section), np.uint8)
            if section == name:
                points = points.reshape(-1, 64).copy()
                points[[5, 6]] = points[[6, 5]]
            writer.section(section, [points])


@pytest.mark.parametrize("section", ["a_query", "l_query", "h_query", "tau_g1"])
def test_crafted_key_is_stopped_before_anything_leaves_the_seller(
    sale: Callable[[str], Sale], tmp_path: Path, section: str
) -> None:
    """With such a key, whether a proof appears depends on the weights (test_setup_attack.py)."""
    deal = sale("set_up")
    honest = setup(build(NETWORK.architecture, samples(1)).r1cs, tmp_path / "honest")
    _with_swapped_points(honest, tmp_path / "crafted", section)
    crafted = ProvingKey.open(tmp_path / "crafted")
    crafted.check_points()
    _send_key(deal, tmp_path / "crafted")
    _proves_not(deal, f"proving key {section}[")
    # nothing was bound to it, so an honest key is still welcome
    _send_key(deal, tmp_path / "honest")
    assert deal.prove().code == 0


def test_key_without_powers_is_refused(sale: Callable[[str], Sale], tmp_path: Path) -> None:
    deal = sale("set_up")
    key = setup(build(NETWORK.architecture, samples(1)).r1cs, tmp_path / "key")
    names = section_names(key.shape, powers=False)
    with create_key_file(tmp_path / "short", key.shape, len(names)) as writer:
        for section in names:
            writer.section(section, [key.file.bytes(section)])
    _send_key(deal, tmp_path / "short")
    _proves_not(deal, "cannot be audited")
