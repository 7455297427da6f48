"""A lock that another wallet signs: the node's at once, or any, by a PSBT that goes there and back.

    draft → on disk → handed out → signed, the very same transaction → on disk → broadcast

A draft that is signed too late is drafted anew with a fresh timeout, and is otherwise the same: it
spends the same coins, so at most one of a deal's drafts confirms. Of an address, it is always the
oldest coin among them, so that this holds for a draft that our directory has forgotten, too. A
node's wallet chooses by itself, so it is made to note each deal's coin beside the address of the
lock, and to spend that coin again when our directory lacks the draft. What a wallet drafts or signs
is taken only after `bitcoin_scripts.psbt` has checked it.
"""

import re
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from bitcoin_scripts.chain import Chain, Outpoint, spent_place, txid_of
from bitcoin_scripts.chain.node_wallet import FundedPsbt, SignedPsbt
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.htlc import Htlc
from bitcoin_scripts.psbt import (
    Draft,
    build_draft,
    check_draft_rate,
    read_draft,
    signed_transaction,
    transaction_in,
    with_terms,
)
from zkcmp.errors import DealError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer.funding.kept_coins import free_coins, kept_coins
from zkcmp.exchange.buyer.funding.outputs import terms
from zkcmp.exchange.buyer.funding.record import Begun, FundingRecord, Way
from zkcmp.exchange.buyer.funding.signed_locks import SignedLock, SignedLocks
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.messages.contents import Offer
from zkcmp.exchange.party import Deal, Party

_NOTE = re.compile(r"zkcmp lock ([0-9a-f]{32}) ([0-9]{1,9}) ([0-9a-f]{64}):([0-9]{1,5})")


class WalletChain(Chain, Protocol):
    """A chain whose node has a wallet, as `RpcChain`."""

    def fund_psbt(
        self,
        script_pubkey: bytes,
        amount_sat: int,
        fee_sat_per_vb: int | None,
        coins: Sequence[Outpoint] = (),
    ) -> FundedPsbt:
        """A transaction that pays the script from coins of the wallet, which stay reserved.

        It spends `coins` in any case.
        """

    def sign_psbt(self, psbt: str) -> SignedPsbt:
        """The transaction with the wallet's signatures."""

    def note(self, script_pubkey: bytes, line: str) -> None:
        """Keep a line beside a script in the wallet."""

    def notes(self) -> list[str]:
        """Every line that the wallet keeps."""

    def reserve(self, coins: Sequence[Outpoint]) -> None:
        """Keep coins of the wallet from other transactions, until it is told otherwise."""

    def release(self, coins: list[Outpoint]) -> None:
        """End the reservation of coins."""


@dataclass(frozen=True)
class Drafted:
    """A draft and the terms that it pays to."""

    begun: Begun
    draft: Draft
    repeated: bool


Fund = Callable[[Htlc], Draft]
"""Drafts a lock to these terms."""


def from_node(
    buyer: Party[BuyerState],
    chain: WalletChain,
    deal: Deal[BuyerState],
    offer: Offer,
    fee_sat_per_vb: int,
) -> Fund:
    """Coins and change of the node's wallet, whose reservation ends if the draft is refused.

    Where the wallet has noted a draft of this deal that our record lacks, its coin is among them.
    Coins of other deals' locks are reserved anew: a wallet forgets that when its node restarts.
    """

    def fund(htlc: Htlc) -> Draft:
        script = bytes(htlc.script_pubkey)
        kept = kept_coins(buyer, chain, deal.directory)
        chain.reserve([Outpoint(*place, 0) for place in kept])
        noted = forgotten_coins(deal, offer, chain)
        again = [coin for coin, since in noted.items() if chain.find_spend(coin, since) is None]
        psbt = b64decode(chain.fund_psbt(script, offer.price_sat, fee_sat_per_vb, again).psbt)
        try:
            draft = _checked(psbt, htlc, offer, chain, fee_sat_per_vb)
            coin = coins_in(psbt)[0]
            place = f"{htlc.timeout_height} {coin.txid}:{coin.vout}"
            chain.note(script, f"zkcmp lock {deal.directory.name} {place}")
        except SettlementError:
            chain.release(coins_in(psbt))
            raise
        return draft

    return fund


def forgotten_coins(
    deal: Deal[BuyerState], offer: Offer, chain: WalletChain
) -> dict[Outpoint, int]:
    """A coin of each draft of this deal that the wallet has noted and our record lacks.

    And the block from which on its spend has to be looked for: the draft can be of long ago.
    """
    known = {begun.timeout_height for begun in FundingRecord(deal.directory).load()}
    coins: dict[Outpoint, int] = {}
    for match in filter(None, map(_NOTE.fullmatch, chain.notes())):
        name, timeout_height, txid, vout = match.groups()
        if name == deal.directory.name and int(timeout_height) not in known:
            coin = Outpoint(txid, int(vout), 0)
            since = checks.first_height(int(timeout_height), offer, chain)
            coins[coin] = min(since, coins.get(coin, since))
    return coins


def from_script(
    buyer: Party[BuyerState],
    chain: Chain,
    deal: Deal[BuyerState],
    offer: Offer,
    script_pubkey: bytes,
    fee_sat_per_vb: int,
) -> Fund:
    """Coins that the chain has at one script, to which the change goes back.

    None that the lock of another deal needs.
    """

    def fund(htlc: Htlc) -> Draft:
        utxos = free_coins(buyer, deal, chain, chain.find_spendable(script_pubkey))
        if not utxos:
            raise DealError(
                "there are no spendable coins at the address of --from; send some there"
            )
        made_by = [chain.get_transaction(txid) for txid in sorted({coin.txid for coin in utxos})]
        parents = [tx for tx in made_by if tx is not None]
        psbt = build_draft(utxos, htlc, offer.price_sat, script_pubkey, fee_sat_per_vb, parents)
        return _checked(psbt, htlc, offer, chain, fee_sat_per_vb)

    return fund


def begin(deal: Deal[BuyerState], offer: Offer, chain: Chain, fund: Fund) -> Drafted:
    """The draft that was begun, if it can still be sent; else a new one, on disk."""
    record, height = FundingRecord(deal.directory), chain.height()
    current = record.current()
    if current and height <= current[-1].pay_until:
        return Drafted(current[-1], _recorded(deal, offer, current[-1]), True)
    fresh = Begun.at(Way.DRAFT, height, offer)
    htlc = terms(deal, offer, fresh.timeout_height)
    if current:
        old = terms(deal, offer, current[-1].timeout_height)
        draft = read_draft(with_terms(current[-1].psbt, old, htlc), htlc, offer.price_sat, height)
    else:
        draft = fund(htlc)
    begun = Begun.at(Way.DRAFT, height, offer, draft.psbt)
    record.add(begun)
    return Drafted(begun, draft, False)


def sign_by_node(deal: Deal[BuyerState], chain: WalletChain, drafted: Drafted) -> SignedLock:
    """The lock as the node's wallet signs it, on disk. Raises DealError where it has no keys."""
    answer = chain.sign_psbt(b64encode(drafted.begun.psbt).decode("ascii"))
    if not answer.complete:
        raise DealError(
            "the node's wallet does not have all keys of its coins; `zkcmp buyer lock --psbt-out "
            "FILE` writes the transaction for the wallet that does"
        )
    return _keep(deal, drafted.begun, drafted.draft, b64decode(answer.psbt))


def take_signed(deal: Deal[BuyerState], offer: Offer, chain: Chain, data: bytes) -> SignedLock:
    """The lock that `data` holds signed, on disk, if it is one that was drafted here."""
    current = FundingRecord(deal.directory).current()
    if not current or current[-1].way is not Way.DRAFT:
        raise DealError(
            "nothing was drafted for this deal; `zkcmp buyer lock --psbt-out` does that"
        )
    txid = txid_of(transaction_in(data))
    for begun in current:
        draft = _recorded(deal, offer, begun)
        if draft.txid == txid:
            break
    else:
        raise DealError(
            f"this is transaction {txid}, which is not what `zkcmp buyer lock --psbt-out` wrote; "
            "sign that, with no change to fee, coins or outputs"
        )
    if chain.height() > begun.pay_until:
        raise DealError(
            f"this transaction had to be sent up to height {begun.pay_until}: later, the seller "
            "has too little time; `zkcmp buyer lock --psbt-out` writes it anew, over the same coins"
        )
    return _keep(deal, begun, draft, data)


def drafted_ids(deal: Deal[BuyerState]) -> set[str]:
    """Ids of all drafts of this deal; nobody can change them."""
    offer, drafts = deal.offer(), FundingRecord(deal.directory).load()
    return {_recorded(deal, offer, begun).txid for begun in drafts if begun.way is Way.DRAFT}


def _recorded(deal: Deal[BuyerState], offer: Offer, begun: Begun) -> Draft:
    htlc = terms(deal, offer, begun.timeout_height)
    return read_draft(begun.psbt, htlc, offer.price_sat, begun.begun_height)


def _checked(psbt: bytes, htlc: Htlc, offer: Offer, chain: Chain, fee_sat_per_vb: int) -> Draft:
    draft = read_draft(psbt, htlc, offer.price_sat, chain.height())
    check_draft_rate(draft, fee_sat_per_vb)
    return draft


def _keep(deal: Deal[BuyerState], begun: Begun, draft: Draft, data: bytes) -> SignedLock:
    record = SignedLocks(deal.directory)
    signed = SignedLock(begun.timeout_height, signed_transaction(draft, data))
    if all(earlier.txid != signed.txid for earlier in record.load()):
        record.add(signed)
    return signed


def coins_in(psbt: bytes) -> list[Outpoint]:
    """What the transaction in a PSBT, or by itself, spends; nothing where there is none."""
    try:
        inputs = transaction_in(psbt).vin
    except SettlementError:
        return []
    return [Outpoint(*spent_place(tx_input), 0) for tx_input in inputs]
