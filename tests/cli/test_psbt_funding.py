"""A lock that another wallet signs: by a PSBT that goes there and back, or by the node's wallet."""

import base64
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from bitcoin.core import CTransaction
from deal_stages import PRICE_SAT, Sale
from funding_wallet import ADDRESS, SCRIPT, earn, sign_psbt, signed, spend_coin
from interrupted_broadcast import interrupt
from test_external_funding import locked as found_by_external_command
from test_external_funding import mine, refund, returned_sat, spend_own_coins

from bitcoin_scripts.chain import Outpoint, txid_of
from bitcoin_scripts.chain.kernel import KernelChain
from bitcoin_scripts.chain.node_wallet import FundedPsbt, SignedPsbt
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.psbt import build_draft, transaction_in
from zkcmp.exchange.buyer import Buyer
from zkcmp.exchange.buyer.funding.record import FundingRecord
from zkcmp.exchange.buyer.funding.signed_locks import SignedLocks

TIMEOUT_BLOCKS = 144
WINDOW_BLOCKS = TIMEOUT_BLOCKS - 36 - 1 - 6

Killed = Callable[[int, list[str]], bool]


@pytest.fixture
def verified(sale: Callable[[str], Sale]) -> Sale:
    """A verified deal, and another wallet with coins."""
    deal = sale("verified")
    earn(deal)
    return deal


def out(sale: Sale, name: str = "lock.psbt") -> list[str]:
    path = str(sale.root / name)
    return ["buyer", "lock", "--psbt-out", path, "--from", ADDRESS]


def drafted(sale: Sale, name: str = "lock.psbt", *options: str) -> bytes:
    result = sale.run(*out(sale, name), *options)
    assert result.code == 0, result
    assert not sale.message("lock").exists()
    return (sale.root / name).read_bytes()


def back(sale: Sale, psbt: bytes) -> list[str]:
    path = sale.root / "signed.psbt"
    path.write_bytes(psbt)
    return ["buyer", "lock", "--psbt-in", str(path)]


def locked(sale: Sale, *command: str) -> str:
    result = sale.run(*command)
    assert result.code == 0, result
    assert sale.message("lock").exists()
    return re.search(r"locked +100000 sat in ([0-9a-f]{64})", result.out)[1]


def refused(sale: Sale, *command: str) -> str:
    result = sale.run(*command)
    assert result.refused, result
    return result.err


def broadcast(sale: Sale, psbt: bytes) -> str:
    """The other wallet sends what it signed by itself."""
    from embit.finalizer import finalize_psbt
    from embit.psbt import PSBT

    tx = CTransaction.deserialize(finalize_psbt(PSBT.parse(sign_psbt(psbt))).serialize())
    with KernelChain(sale.root / "chain") as chain:
        return chain.broadcast(tx)


@pytest.mark.parametrize("ending", ["open", "refund"])
def test_there_and_back(verified: Sale, ending: str) -> None:
    psbt = drafted(verified)
    txid = locked(verified, *back(verified, sign_psbt(psbt)))
    assert txid == txid_of(transaction_in(psbt))
    mine(verified, 1)
    if ending == "open":
        assert verified.run("seller", "redeem").code == 0
        assert verified.open().code == 0
    else:
        mine(verified, TIMEOUT_BLOCKS)
        refund(verified)
        assert returned_sat(verified) > PRICE_SAT - 1000


def test_what_is_said(verified: Sale) -> None:
    result = verified.run(*out(verified))
    psbt = (verified.root / "lock.psbt").read_bytes()
    with KernelChain(verified.root / "chain") as chain:
        height = chain.height()
    assert f"to be signed as it is: transaction {txid_of(transaction_in(psbt))}" in result.out
    assert f"height {height + WINDOW_BLOCKS}, {WINDOW_BLOCKS} blocks from now" in result.out
    assert f"from height {height + TIMEOUT_BLOCKS} on" in result.out
    assert (verified.root / "lock.psbt").stat().st_mode & 0o077 == 0


def test_written_again_as_it_was(verified: Sale) -> None:
    first = drafted(verified)
    mine(verified, WINDOW_BLOCKS)
    assert drafted(verified) == first
    assert drafted(verified, "elsewhere.psbt") == first
    assert len(FundingRecord(verified.private("buyer")).load()) == 1


def test_killed_anywhere_it_drafts_one_transaction(verified: Sale, killed: Killed) -> None:
    path, steps = verified.root / "lock.psbt", 0
    for step in range(1, 20):
        if not killed(step, verified.arguments(*out(verified))):
            break
        steps += 1
        record = FundingRecord(verified.private("buyer")).load()
        assert not path.exists() or path.read_bytes() == record[0].psbt
        path.unlink(missing_ok=True)
    assert steps >= 2
    assert len(FundingRecord(verified.private("buyer")).load()) == 1


def test_killed_anywhere_it_is_sent_once(verified: Sale, killed: Killed) -> None:
    psbt = sign_psbt(drafted(verified))
    steps = 0
    for step in range(1, 20):
        if not killed(step, verified.arguments(*back(verified, psbt))):
            break
        steps += 1
    assert steps >= 3
    assert locked(verified, *back(verified, psbt)) == txid_of(transaction_in(psbt))
    assert len(SignedLocks(verified.private("buyer")).load()) == 1


@pytest.mark.parametrize("when", ["before", "after"])
def test_interrupted_as_it_is_sent(verified: Sale, when: str) -> None:
    psbt = sign_psbt(drafted(verified))
    tx = interrupt(verified, when, *back(verified, psbt))
    assert [s.txid for s in SignedLocks(verified.private("buyer")).load()] == [txid_of(tx)]
    assert locked(verified, *back(verified, psbt)) == txid_of(tx)


@pytest.mark.parametrize("mined", [0, 1])
@pytest.mark.parametrize("command", [(), ("--external",)])
def test_sent_by_the_wallet_itself(verified: Sale, mined: int, command: tuple[str, ...]) -> None:
    """Its id is fixed, so the seller is told of it at once; by whichever command."""
    txid = broadcast(verified, drafted(verified))
    if mined:
        mine(verified, mined)
    assert locked(verified, "buyer", "lock", *command) == txid
    mine(verified, 1)
    assert verified.run("seller", "redeem").code == 0


class TestSignedLate:
    def test_is_not_sent(self, verified: Sale) -> None:
        psbt = sign_psbt(drafted(verified))
        mine(verified, WINDOW_BLOCKS + 1)
        journal = (verified.root / "chain" / "journal").read_bytes()
        assert "seller has too little time" in refused(verified, *back(verified, psbt))
        assert (verified.root / "chain" / "journal").read_bytes() == journal

    def test_is_drafted_anew_over_the_same_coins(self, verified: Sale) -> None:
        """However many were drafted and signed, at most one of them confirms."""
        first = drafted(verified)
        earn(verified)
        second = drafted(verified, "second.psbt")
        one, other = transaction_in(first), transaction_in(second)
        assert [i.prevout for i in one.vin] == [i.prevout for i in other.vin]
        assert one.vout[0].scriptPubKey != other.vout[0].scriptPubKey
        assert one.vout[1] == other.vout[1]
        txid = locked(verified, *back(verified, sign_psbt(second)))
        mine(verified, 1)
        with pytest.raises(SettlementError, match="already spent"):
            broadcast(verified, first)
        assert txid == txid_of(other)
        assert verified.run("seller", "redeem").code == 0

    def test_and_sent_by_the_wallet_itself_is_refunded(self, verified: Sale) -> None:
        psbt = drafted(verified)
        mine(verified, WINDOW_BLOCKS + 20)
        txid = broadcast(verified, psbt)
        for _ in range(2):
            assert f"{txid} came too late" in refused(verified, "buyer", "lock")
            assert f"{txid} came too late" in refused(verified, *out(verified, "second.psbt"))
            mine(verified, 1)
        mine(verified, TIMEOUT_BLOCKS)
        refund(verified)
        assert returned_sat(verified) > PRICE_SAT - 1000

    def test_the_earlier_one_arrives_after_the_later_was_drafted(self, verified: Sale) -> None:
        first = drafted(verified)
        mine(verified, WINDOW_BLOCKS + 1)
        second = drafted(verified, "second.psbt")
        txid = broadcast(verified, first)
        assert locked(verified, *back(verified, sign_psbt(second))) == txid
        mine(verified, 1)
        assert verified.run("seller", "redeem").code == 0


class TestBadPsbt:
    def test_nothing_was_drafted(self, verified: Sale) -> None:
        other = elsewhere(verified)
        assert "nothing was drafted" in refused(verified, *back(verified, sign_psbt(other)))
        assert not SignedLocks(verified.private("buyer")).load()

    def test_of_another_transaction(self, verified: Sale) -> None:
        drafted(verified)
        said = refused(verified, *back(verified, sign_psbt(elsewhere(verified))))
        assert "not what `zkcmp buyer lock --psbt-out` wrote" in said
        assert not SignedLocks(verified.private("buyer")).load()

    def test_not_signed(self, verified: Sale) -> None:
        psbt = drafted(verified)
        assert "input 0 is not signed" in refused(verified, *back(verified, psbt))
        assert not SignedLocks(verified.private("buyer")).load()
        assert locked(verified, *back(verified, sign_psbt(psbt)))

    @pytest.mark.parametrize("data", [b"", b"\xff" * 100, b"cHNidP8=", bytes(3 << 20)])
    def test_no_psbt(self, verified: Sale, data: bytes) -> None:
        drafted(verified)
        assert "PSBT" in refused(verified, *back(verified, data))

    def test_no_file(self, verified: Sale) -> None:
        missing = str(verified.root / "missing")
        assert "not a file" in refused(verified, "buyer", "lock", "--psbt-in", missing)


def elsewhere(sale: Sale) -> bytes:
    """A PSBT of the wallet that pays somebody else."""
    from bitcoin_scripts.keys import public_key

    htlc = Htlc(bytes(32), *(public_key(bytes(31) + bytes([k])) for k in (1, 2)), 500)
    with KernelChain(sale.root / "chain") as chain:
        return build_draft(chain.find_spendable(SCRIPT), htlc, PRICE_SAT, SCRIPT, 2)


class TestBadPlace:
    def test_in_the_deal_folder(self, verified: Sale) -> None:
        path = str(verified.deal / "lock.psbt")
        said = refused(verified, "buyer", "lock", "--psbt-out", path, "--from", ADDRESS)
        assert "which the other side reads" in said
        assert not FundingRecord(verified.private("buyer")).load()

    def test_over_another_file(self, verified: Sale) -> None:
        path = verified.root / "lock.psbt"
        path.write_text("something else")
        assert "is something else" in refused(verified, *out(verified))
        assert path.read_text() == "something else"
        assert drafted(verified, "free.psbt")

    def test_in_no_directory(self, verified: Sale) -> None:
        assert "cannot be written" in refused(verified, *out(verified, "missing/lock.psbt"))
        assert not FundingRecord(verified.private("buyer")).load()


class TestSource:
    @pytest.mark.parametrize(
        "address", ["", "bcrt1qqqqq", "tb1q" + ADDRESS[5:], "1BoatSLRHtKNngkdXEeobR76b53LETtpyT"]
    )
    def test_that_is_no_address_here(self, verified: Sale, address: str) -> None:
        path = str(verified.root / "lock.psbt")
        said = refused(verified, "buyer", "lock", "--psbt-out", path, "--from", address)
        assert "not a witness address on regtest" in said or "a wallet is a node's" in said

    def test_without_coins(self, sale: Callable[[str], Sale]) -> None:
        deal = sale("verified")
        assert "no spendable coins at the address" in refused(deal, *out(deal))
        assert not FundingRecord(deal.private("buyer")).load()

    def test_that_cannot_sign_for_one_key(self, verified: Sale) -> None:
        """A script hash says nothing of the keys behind it."""
        from bitcoin_scripts.keys import bech32_address, public_key

        htlc = Htlc(bytes(32), *(public_key(bytes(31) + bytes([k])) for k in (1, 2)), 500)
        script = bytes(htlc.script_pubkey)
        with KernelChain(verified.root / "chain") as chain:
            chain.mine(1, script)
            chain.mine(100, b"\x51")
        address = bech32_address(script, "regtest")
        path = str(verified.root / "lock.psbt")
        said = refused(verified, "buyer", "lock", "--psbt-out", path, "--from", address)
        assert "only coins of one key" in said


class TestOneWayAtATime:
    def test_own_coins_are_not_sent_beside_a_draft(self, verified: Sale) -> None:
        drafted(verified)
        journal = (verified.root / "chain" / "journal").read_bytes()
        for command in (("buyer", "lock"), ("buyer", "lock", "--external")):
            assert "drafted for another wallet to sign" in refused(verified, *command)
        assert (verified.root / "chain" / "journal").read_bytes() == journal

    def test_nothing_is_drafted_beside_own_coins(self, verified: Sale) -> None:
        tx = interrupt(verified, "before", "buyer", "lock")
        assert "of our own wallet is signed" in refused(verified, *out(verified))
        assert "of our own wallet" in refused(verified, *out(verified), "--abandon")
        assert not (verified.root / "lock.psbt").exists()
        spend_own_coins(verified, tx)
        mine(verified, 1)
        assert drafted(verified)

    def test_nothing_is_drafted_beside_an_external_payment(self, verified: Sale) -> None:
        assert verified.run("buyer", "lock", "--external").code == 0
        assert "could still come" in refused(verified, *out(verified))
        psbt = drafted(verified, "lock.psbt", "--abandon")
        assert locked(verified, *back(verified, sign_psbt(psbt)))

    @pytest.mark.parametrize("signed", [False, True])
    def test_a_draft_ends_when_its_coins_are_spent(self, verified: Sale, signed: bool) -> None:
        psbt = drafted(verified)
        if signed:
            interrupt(verified, "before", *back(verified, sign_psbt(psbt)))
        spend_coin(verified, transaction_in(psbt))
        assert verified.run("buyer", "lock").code == 0
        assert txid_of(transaction_in(psbt)) != found_by_external_command(verified)

    def test_a_draft_whose_spend_could_vanish_goes_on(self, verified: Sale) -> None:
        psbt = drafted(verified)
        txid = spend_coin(verified, transaction_in(psbt))
        with KernelChain(verified.root / "chain") as chain:
            chain.reorganise(1)
        said = refused(verified, "buyer", "lock")
        assert f"{txid} spends coins" in said
        assert "0 of 1 confirmations" in said

    def test_a_draft_is_given_up_by_its_owner_alone_and_unsigned(self, verified: Sale) -> None:
        psbt = drafted(verified)
        external = ("buyer", "lock", "--external")
        assert "if it was never signed add --abandon" in refused(verified, *external)
        interrupt(verified, "before", *back(verified, sign_psbt(psbt)))
        for options in ((), ("--abandon",)):
            said = refused(verified, *external, *options)
            assert "to yourself" in said
            assert "--abandon" not in said

    def test_given_up_unsigned(self, verified: Sale) -> None:
        psbt = drafted(verified)
        assert verified.run("buyer", "lock", "--external", "--abandon").code == 0
        said = refused(verified, *back(verified, sign_psbt(psbt)))
        assert "could still come" in said
        txid = broadcast(verified, psbt)
        mine(verified, 1)
        assert found_by_external_command(verified) == txid, "and is found if it comes all the same"


class NodeWallet:
    """What `RpcChain` adds to a chain, over the coins of the other wallet."""

    wallet = "spending"
    released: list[Outpoint]
    reserved: set[tuple[str, int]]
    lines: list[str]
    last_is_free = False

    def fund_psbt(
        self: KernelChain,
        script_pubkey: bytes,
        amount_sat: int,
        fee_sat_per_vb: int | None,
        coins: Sequence[Outpoint] = (),
    ) -> FundedPsbt:
        deal = Paying(script_pubkey)
        places = {(coin.txid, coin.vout) for coin in coins}
        found = [
            coin
            for coin in self.find_spendable(SCRIPT)
            if (coin.txid, coin.vout) not in NodeWallet.reserved
        ]
        if places:
            found = [coin for coin in found if (coin.txid, coin.vout) in places]
        psbt = build_draft(
            found[-1:] if NodeWallet.last_is_free else found,
            deal,
            amount_sat,
            SCRIPT,
            fee_sat_per_vb or 2,
        )
        return FundedPsbt(base64.b64encode(psbt).decode(), 0, 1)

    def sign_psbt(self: KernelChain, psbt: str) -> SignedPsbt:
        return SignedPsbt(base64.b64encode(sign_psbt(base64.b64decode(psbt))).decode(), True)

    def note(self: KernelChain, script_pubkey: bytes, line: str) -> None:
        NodeWallet.lines.append(line)

    def notes(self: KernelChain) -> list[str]:
        return ["rent", "zkcmp lock nonsense", *NodeWallet.lines]

    def reserve(self: KernelChain, coins: Sequence[Outpoint]) -> None:
        NodeWallet.reserved = {(coin.txid, coin.vout) for coin in coins}

    def release(self: KernelChain, coins: list[Outpoint]) -> None:
        NodeWallet.released += coins


def coin_of(tx: CTransaction) -> str:
    """The transaction of the coin that a lock spends first."""
    return str(tx.vin[0].prevout.hash[::-1].hex())


class Paying:
    """As much of terms as a wallet knows."""

    def __init__(self, script_pubkey: bytes):
        self.script_pubkey = script_pubkey


@pytest.fixture
def node(verified: Sale, monkeypatch: pytest.MonkeyPatch) -> Sale:
    """The chain at hand has a wallet."""
    NodeWallet.released, NodeWallet.lines, NodeWallet.last_is_free = [], [], False
    NodeWallet.reserved = set()
    monkeypatch.setattr(KernelChain, "wallet", NodeWallet.wallet, raising=False)
    for name in ("fund_psbt", "sign_psbt", "note", "notes", "reserve", "release"):
        monkeypatch.setattr(KernelChain, name, getattr(NodeWallet, name), raising=False)
    return verified


class TestNodeWallet:
    def test_signs_and_pays(self, node: Sale) -> None:
        txid = locked(node, "buyer", "lock")
        with KernelChain(node.root / "chain") as chain:
            spent = {o.spent_by for o in chain.find_output(SCRIPT)}
        assert txid in spent, "the node's coins"
        mine(node, 1)
        assert node.run("seller", "redeem").code == 0

    @pytest.mark.parametrize("when", ["before", "after"])
    def test_interrupted_as_it_is_sent(self, node: Sale, when: str) -> None:
        tx = interrupt(node, when, "buyer", "lock")
        assert [s.txid for s in SignedLocks(node.private("buyer")).load()] == [txid_of(tx)]
        assert locked(node, "buyer", "lock") == txid_of(tx)

    def test_interrupted_and_sent_much_later(self, node: Sale) -> None:
        tx = interrupt(node, "before", "buyer", "lock")
        mine(node, WINDOW_BLOCKS + 1)
        txid = locked(node, "buyer", "lock")
        assert txid != txid_of(tx)
        mine(node, 1)
        with KernelChain(node.root / "chain") as chain, pytest.raises(SettlementError):
            chain.broadcast(tx)
        assert node.run("seller", "redeem").code == 0

    def test_for_another_wallet_to_sign(self, node: Sale) -> None:
        path = node.root / "lock.psbt"
        assert node.run("buyer", "lock", "--psbt-out", str(path)).code == 0
        assert locked(node, *back(node, sign_psbt(path.read_bytes())))

    def test_without_the_keys(self, node: Sale, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(KernelChain, "sign_psbt", lambda chain, psbt: SignedPsbt(psbt, False))
        assert "does not have all keys" in refused(node, "buyer", "lock")
        assert not SignedLocks(node.private("buyer")).load()
        path = node.root / "lock.psbt"
        assert node.run("buyer", "lock", "--psbt-out", str(path)).code == 0
        assert locked(node, *back(node, sign_psbt(path.read_bytes())))

    @pytest.mark.parametrize("sent", [True, False])
    def test_whose_draft_the_directory_has_forgotten(self, node: Sale, sent: bool) -> None:
        """The wallet knows which coin it was, and would rather spend another one."""
        node.keep("buyer")
        first = interrupt(node, "after" if sent else "before", "buyer", "lock")
        node.put_back("buyer")
        NodeWallet.last_is_free = True
        mine(node, 1)
        txid = locked(node, "buyer", "lock")
        mine(node, 1)
        assert (txid == txid_of(first)) is sent
        if not sent:
            with KernelChain(node.root / "chain") as chain, pytest.raises(SettlementError):
                chain.broadcast(first)
        assert node.run("seller", "redeem").code == 0

    def test_whose_node_forgot_what_it_reserved(self, node: Sale) -> None:
        """A restart ends reservations; the draft of another deal still needs its coin."""
        path = node.root / "lock.psbt"
        assert node.run("buyer", "lock", "--psbt-out", str(path)).code == 0
        other = Sale(node.root, folder="other").private("buyer")
        (node.private("buyer") / "funding").rename(other / "funding")  # as if that deal had it
        NodeWallet.lines = []
        assert node.run("buyer", "lock").code == 0
        (lock,) = SignedLocks(node.private("buyer")).load()
        spent = transaction_in(path.read_bytes()).vin[0].prevout
        assert (spent.hash[::-1].hex(), spent.n) not in lock.coins

    @pytest.mark.parametrize("lost", ["lock", "draft"])
    def test_that_noted_what_was_mined_long_ago(
        self, node: Sale, monkeypatch: pytest.MonkeyPatch, lost: str
    ) -> None:
        """The lock of a forgotten draft, or what took its coin; a node looks back so far only."""
        node.keep("buyer")
        first = interrupt(node, "after" if lost == "lock" else "before", "buyer", "lock")
        if lost == "draft":
            with KernelChain(node.root / "chain") as chain:
                coins = chain.find_spendable(SCRIPT)
                tx = signed([c for c in coins if c.txid == coin_of(first)], [])
                chain.broadcast(tx)
        node.put_back("buyer")
        mine(node, 2 * TIMEOUT_BLOCKS + 3)
        everywhere = KernelChain.find_spend

        def since(self: KernelChain, outpoint: Outpoint, since_height: int = 0) -> Any:
            spend = everywhere(self, outpoint)
            mined = self.height() + 1 - self.confirmations(txid_of(spend)) if spend else 0
            return spend if mined >= since_height else None

        monkeypatch.setattr(KernelChain, "find_spend", since)
        txid = locked(node, "buyer", "lock")
        assert (txid == txid_of(first)) is (lost == "lock")

    @pytest.mark.parametrize("cheat", ["amount", "script"])
    def test_that_drafts_something_else(
        self, node: Sale, monkeypatch: pytest.MonkeyPatch, cheat: str
    ) -> None:
        """Refused before it is signed, and its coins are free again."""

        def fund(
            chain: KernelChain,
            script: bytes,
            amount_sat: int,
            rate: int | None,
            coins: Sequence[Outpoint],
        ) -> FundedPsbt:
            paid = Paying(SCRIPT if cheat == "script" else script)
            amount = amount_sat if cheat == "script" else amount_sat - 1
            psbt = build_draft(chain.find_spendable(SCRIPT), paid, amount, SCRIPT, 2)
            return FundedPsbt(base64.b64encode(psbt).decode(), 0, 1)

        monkeypatch.setattr(KernelChain, "fund_psbt", fund)
        refused(node, "buyer", "lock")
        assert len(NodeWallet.released) == 1
        assert not FundingRecord(node.private("buyer")).load()

    def test_that_signs_something_else(self, node: Sale, monkeypatch: pytest.MonkeyPatch) -> None:
        def sign(chain: KernelChain, psbt: str) -> SignedPsbt:
            other = build_draft(chain.find_spendable(SCRIPT), Paying(SCRIPT), 777, SCRIPT, 2)
            return SignedPsbt(base64.b64encode(sign_psbt(other)).decode(), True)

        monkeypatch.setattr(KernelChain, "sign_psbt", sign)
        refused(node, "buyer", "lock")
        assert not SignedLocks(node.private("buyer")).load()
        assert not node.message("lock").exists()


def test_a_recovered_deal_begins_nothing(verified: Sale) -> None:
    """What it was made of can be older than a lock that was sent since."""
    with Buyer.opened(verified.root / "buyer") as buyer:
        directory: Path = buyer.need(verified.deal).directory
    (directory / "recovered").write_bytes(b"")
    for command in (("buyer", "lock", "--external"), tuple(out(verified))):
        refused(verified, *command)
    assert not FundingRecord(directory).load()
