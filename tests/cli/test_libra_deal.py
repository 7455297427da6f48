"""A sale by the Libra backend: no key material, and proofs of tens of thousands of bytes."""

from collections.abc import Callable

import pytest
from changed_deliveries import redeliver
from deal_stages import Sale

HYRAX = ("--backend", "libra", "--commitment", "hyrax")


def test_sale(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    asked = deal.request(1, *HYRAX)
    assert asked.code == 0, asked.err
    assert "mode       libra hyrax\nbuyer" in asked.out
    assert deal.request(1, "--backend", "libra").code == 0
    assert "next: zkcmp buyer verify" in deal.run("buyer", "status").out
    setup = deal.run("buyer", "setup")
    assert setup.code == 0
    assert "nothing is to be done" in setup.out
    assert not deal.message("key-material").exists()
    assert "mode       libra hyrax" in deal.run("seller", "inspect").out
    assert "nothing is to be audited" in deal.run("seller", "audit").out
    assert "request accepted; next: zkcmp seller prove" in deal.run("seller", "status").out
    proved = deal.prove()
    assert proved.code == 0, proved.err
    assert "mode       libra hyrax" in proved.out
    assert "already proved" in deal.prove().out
    verified = deal.run("buyer", "verify")
    assert verified.code == 0, verified.err
    assert "gets at least 2 of 3 images right,\n" in verified.out
    assert "statistical error: at most 2^-2" in verified.out
    assert deal.run("buyer", "lock").code == 0
    assert deal.run("chain", "mine", "1").code == 0
    assert deal.run("seller", "redeem").code == 0
    assert deal.open().code == 0
    exported = deal.run("buyer", "export", "--out", str(deal.root / "files"))
    assert "nothing but this program verifies proofs of libra" in exported.out
    assert "verify_standalone" not in exported.out


def test_options_that_do_not_go_together(sale: Callable[[str], Sale]) -> None:
    deal = sale("sealed")
    before = deal.tree()
    for options, said in (
        ((*HYRAX, "--mode", "full"), "--mode and --sample go with --backend groth16"),
        (("--commitment", "hyrax"), "--commitment goes with --backend libra"),
        (("--backend", "libra", "--commitment", "kzg"), "--commitment"),
    ):
        result = deal.request(1, *options)
        assert result.refused
        assert said in result.err
        assert deal.tree() == before


def test_damaged_proofs(sale: Callable[[str], Sale]) -> None:
    """Cut anywhere, lengthened, or with two of its elements exchanged."""
    deal = sale("sealed")
    deal.ask_and_prove(*HYRAX)

    def swapped(proof: bytes) -> bytes:
        at = 16 + int.from_bytes(proof[12:16], "little")
        return proof[:at] + proof[at + 32 : at + 64] + proof[at : at + 32] + proof[at + 64 :]

    changes: list[Callable[[bytes], bytes]] = [
        lambda proof: proof[:-1],
        lambda proof: proof[: len(proof) // 2],
        lambda proof: proof[:40],
        lambda proof: proof + b"\0",
        lambda proof: b"x" + proof[1:],
        lambda proof: proof[:128],
        swapped,
    ]
    for change in changes:
        redeliver(deal, lambda honest, c=change: (c(honest.proof), honest.parameters_digest))
        before = deal.tree()
        assert deal.run("buyer", "verify").refused
        assert deal.tree() == before
    redeliver(deal, lambda honest: (honest.proof, bytes(32)))
    result = deal.run("buyer", "verify")
    assert result.refused
    assert "what to verify with" in result.err
    redeliver(deal, lambda honest: (honest.proof, honest.parameters_digest))
    assert deal.run("buyer", "verify").code == 0


@pytest.mark.parametrize("mode", [HYRAX, ("--mode", "freivalds")], ids=["libra", "freivalds"])
def test_delivery_of_the_other_backend(
    sale: Callable[[str], Sale], tmp_path, mode: tuple[str, ...]
) -> None:
    """The same seal and the same buyer, asked twice from copies of one state: none is replayed."""
    deal = sale("sealed")
    other = HYRAX if mode != HYRAX else ("--mode", "freivalds")
    twin = deal.copied(tmp_path / "twin")
    deal.ask_and_prove(*mode)
    twin.ask_and_prove(*other)
    deal.message("delivery").write_bytes(twin.message("delivery").read_bytes())
    before = deal.tree()
    result = deal.run("buyer", "verify")
    assert result.refused
    assert "answers another message than the one we hold" in result.err
    assert deal.tree() == before
