"""True proofs of something else: each is made by the honest prover, and none is taken."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from deal_stages import NETWORK, Sale, samples
from forged_messages import refused_without_a_trace
from malicious import CheatingSeller, verify

from zkcmp import seal
from zkcmp.cli.dishonest import altered
from zkcmp.exchange import statement as statements
from zkcmp.exchange.proofs import DealStatement, backend
from zkcmp.exchange.statement import ciphertext_bytes

HYRAX = ("--backend", "libra", "--commitment", "hyrax")

OTHER_STATEMENTS: dict[str, Callable[[DealStatement], DealStatement]] = {
    "threshold": lambda asked: replace(asked, threshold=1),
    "request": lambda asked: replace(asked, request_digest=bytes(32)),
    "key": lambda asked: replace(asked, parameters_digest=bytes(32)),
}
REFUSAL = {"freivalds": "pairing equation", "hyrax": "proof"}


def asked_by(sale: Sale, backend_name: str) -> None:
    """From the seal to a request that waits for its answer."""
    options = HYRAX if backend_name == "hyrax" else ()
    assert sale.request(1, *options).code == 0
    assert sale.run("buyer", "setup").code == 0


@pytest.mark.parametrize("backend_name", ["freivalds", "hyrax"])
def test_of_another_statement(
    sale: Callable[[str], Sale], tmp_path: Path, backend_name: str
) -> None:
    """What it would win: the price for less accuracy, or for a proof made for somebody else."""
    deal = sale("sealed")
    asked_by(deal, backend_name)
    cheat = CheatingSeller.of(deal, tmp_path / "key")
    for name, change in OTHER_STATEMENTS.items():
        if name == "key" and backend_name == "hyrax":
            continue  # it has none
        cheat.deliver(deal, cheat.prove(change(cheat.statement)))
        said = refused_without_a_trace(deal, verify)
        assert REFUSAL[backend_name] in said, name
    cheat.deliver(deal, cheat.prove())
    assert deal.run("buyer", "verify").code == 0, "what was asked for is taken"


def test_of_an_easier_test_set(sale: Callable[[str], Sale], tmp_path: Path) -> None:
    """What it would win: a network that fails on the buyer's images passes on the seller's."""
    deal = sale("sealed")
    asked_by(deal, "hyrax")
    cheat = CheatingSeller.of(deal, tmp_path / "key")
    easier = replace(cheat.statement.asked, test_set=samples(3))
    cheat.deliver(deal, cheat.prove(replace(cheat.statement, asked=easier)))
    refused_without_a_trace(deal, verify)


def test_of_another_protocol_version(sale: Callable[[str], Sale], tmp_path: Path) -> None:
    """What it would win: the statement of an older version, whatever that one left out."""
    deal = sale("set_up")
    cheat = CheatingSeller.of(deal, tmp_path / "key")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "PROTOCOL_VERSION", statements.PROTOCOL_VERSION - 1)
        old = cheat.prove()
    cheat.deliver(deal, old)
    assert "pairing equation" in refused_without_a_trace(deal, verify)


def test_under_the_sellers_own_key(sale: Callable[[str], Sale], tmp_path: Path) -> None:
    """What it would win: whoever made a key knows its trapdoor, and proves anything with it."""
    deal = sale("set_up")
    cheat = CheatingSeller.of(deal, tmp_path / "key")
    asked = cheat.statement.asked
    own = backend(asked.method).setup(asked, tmp_path / "own")
    digest = backend(asked.method).parameters_digest(own)
    proof = cheat.prove(replace(cheat.statement, parameters_digest=digest), key=tmp_path / "own")
    cheat.deliver(deal, proof, parameters=digest)
    assert "what to verify with" in refused_without_a_trace(deal, verify)
    cheat.deliver(deal, proof)
    assert "pairing equation" in refused_without_a_trace(deal, verify)


def test_of_another_seal_of_the_same_network(sale: Callable[[str], Sale], tmp_path: Path) -> None:
    """What it would win: the coins buy the preimage of E, which does not open what was proved."""
    deal = sale("set_up")
    cheat = CheatingSeller.of(deal, tmp_path / "key")
    sealed, preimage = seal.seal(NETWORK)
    proof = cheat.prove(
        replace(cheat.statement, ciphertext=sealed.ciphertext, commitment=sealed.commitment),
        preimage=preimage,
    )
    cheat.deliver(deal, proof, ciphertext=ciphertext_bytes(sealed.ciphertext))
    assert "hash of the ciphertext" in refused_without_a_trace(deal, verify)
    cheat.deliver(deal, proof)
    assert "pairing equation" in refused_without_a_trace(deal, verify)


def test_of_another_network_than_was_offered(sale: Callable[[str], Sale], tmp_path: Path) -> None:
    """What it would win: a good network is proved, a worse one under the same key is delivered."""
    deal = sale("set_up")
    cheat = CheatingSeller.of(deal, tmp_path / "key")
    better = altered(NETWORK)
    sealed = seal.encrypt(better, cheat.preimage)
    proof = cheat.prove(replace(cheat.statement, ciphertext=sealed.ciphertext), network=better)
    cheat.deliver(deal, proof)
    assert "pairing equation" in refused_without_a_trace(deal, verify)
    cheat.deliver(deal, proof, ciphertext=ciphertext_bytes(sealed.ciphertext))
    assert "hash of the ciphertext" in refused_without_a_trace(deal, verify)
