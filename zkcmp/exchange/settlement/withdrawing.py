"""A party takes coins out of its wallet: redeemed or refunded ones, or what it never locked.

    chosen → signed → on disk → sent;  repeated: sent again, or replaced by one that pays more

The same order repeated is the same withdrawal, until it is mined, and of an amount also afterwards:
a command that was killed, or whose output was lost, must not pay twice. Left alone are coins that
are not mined, those that a lock depends on (`kept`), and those of a withdrawal that the chain lost.
Whoever wants to pay an amount once more, or to spend the last instead, says so (`again`).

A directory that was put back, or made from a rescue file, can lack the record. One that the chain
has is found (`lost_withdrawals`). One that it lacks has spent the oldest coin that was free, as
every withdrawal does, so it and the next one exclude each other.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from bitcoin_scripts import fees
from bitcoin_scripts.chain import Chain, FoundOutput, Outpoint, Place
from bitcoin_scripts.errors import SettlementError
from bitcoin_scripts.fee_rates import REFUND_TARGET_BLOCKS, FeeChoice
from bitcoin_scripts.funding import oldest
from bitcoin_scripts.keys import standard_script
from bitcoin_scripts.withdrawal import build_withdrawal, choose_coins, worth_spending
from zkcmp.errors import DealError
from zkcmp.exchange import checks
from zkcmp.exchange.deal import State
from zkcmp.exchange.party import Party
from zkcmp.exchange.settlement.lost_withdrawals import find_lost_withdrawal
from zkcmp.exchange.settlement.withdrawals import Order, Withdrawal, Withdrawals, versions_of_last

Kept = Mapping[Place, str]
"""Coins that are not to be spent, and why."""


@dataclass(frozen=True)
class Withdrawn:
    """A withdrawal that the chain has; `left_sat` are spendable afterwards, `kept_sat` are not."""

    txid: str
    sent_sat: int
    fee_sat: int
    fee_sat_per_vb: int
    confirmations: int
    repeated: bool
    replaced: bool
    left_sat: int
    kept_sat: int


class WithdrawingParty(Party[State]):
    """A party that takes coins out of its wallet."""

    def withdraw(
        self,
        chain: Chain,
        address: str,
        amount_sat: int | None = None,
        fee_sat_per_vb: int | None = None,
        accept_high_fee: bool = False,
        again: bool = False,
    ) -> Withdrawn:
        """Send coins of our wallet to an address of the chain: an amount, or all.

        Repeated, it is the same withdrawal, sent again or replaced by one at a higher rate; with
        `again` it is another one. Coins that a lock depends on are left alone. Raises
        SettlementError for an address or amount that cannot be paid, DealError while an earlier
        withdrawal for the same order could still be mined and cannot be sent.
        """
        choice = FeeChoice(fee_sat_per_vb, accept_high_fee)
        return _withdraw(self, chain, address, amount_sat, choice, self.kept_coins(chain), again)

    def kept_coins(self, chain: Chain) -> Kept:
        """What `withdraw` leaves alone; nothing, for a party that locks no coins."""
        return {}


def _withdraw(
    party: Party[Any],
    chain: Chain,
    address: str,
    amount_sat: int | None,
    choice: FeeChoice,
    kept: Kept,
    again: bool,
) -> Withdrawn:
    """Send `amount_sat`, or all, to an address of the chain, unless that was done."""
    if amount_sat is not None and amount_sat < 1:
        raise SettlementError("an amount is at least 1 sat; raise --amount-sat")
    order = Order(chain.name, standard_script(address, chain.name), amount_sat)
    if order.destination == party.wallet_script:
        raise SettlementError(f"{address.strip()} is this wallet's own address; name another one")
    record = Withdrawals(party.home.path)
    versions = [] if again else _versions(party, chain, record, order)
    known = [each for each in versions if chain.get_transaction(each.txid) is not None]
    spendable = {coin.place: coin for coin in chain.find_spendable(party.wallet_script)}
    if known:
        done = known[-1]
        if not chain.confirmations(done.txid):
            return _push(party, chain, versions, done, choice, kept)
        free = _free(party, chain, kept, spendable)
        if amount_sat is not None or not worth_spending(free, _rate(chain, choice)):
            return _withdrawn(party, chain, done, kept, repeated=True)
    elif versions and all(coin.place in spendable for coin in versions[-1].coins):
        _refuse_kept(versions[-1], kept)
        return _push(party, chain, versions, None, choice, kept)
    elif versions and amount_sat is not None:
        _refuse_uncertain(chain, versions[-1])
    coins, rate = _free(party, chain, kept, spendable, again), _rate(chain, choice)
    if not coins:
        raise _nothing(party, chain, kept, spendable)
    first = _oldest(coins, rate)
    chosen = choose_coins(coins, order.destination, amount_sat, party.coin_secret, rate, first)
    signed = _sign(party, order, tuple(chosen), rate)
    chain.broadcast(signed.transaction)
    return _withdrawn(party, chain, signed, kept)


def _versions(
    party: Party[Any], chain: Chain, record: Withdrawals, order: Order
) -> list[Withdrawal]:
    """Every version of the order that is known, oldest first: from the record, else the chain."""
    versions = versions_of_last(record.load(), order)
    if versions or order.amount_sat is None:
        return versions
    lost = find_lost_withdrawal(party, chain, order)
    if lost is None:
        return []
    record.add(lost)
    return [lost]


def _push(
    party: Party[Any],
    chain: Chain,
    versions: list[Withdrawal],
    waiting: Withdrawal | None,
    choice: FeeChoice,
    kept: Kept,
) -> Withdrawn:
    """Send the last version, or one at the higher rate that the user says, in its place."""
    current = waiting or versions[-1]
    wanted = choice.sat_per_vb or 0
    if wanted > current.sat_per_vb:
        current = _sign(party, current.order, current.coins, wanted)
    if current is not waiting:
        chain.broadcast(current.transaction)
    replaced = waiting is not None and current is not waiting
    return _withdrawn(party, chain, current, kept, True, replaced)


def _sign(party: Party[Any], order: Order, coins: tuple[Outpoint, ...], rate: int) -> Withdrawal:
    """A version of the order at this rate, on disk."""
    places = tuple(Outpoint(coin.txid, coin.vout, coin.amount_sat) for coin in coins)
    tx = build_withdrawal(places, order.destination, order.amount_sat, party.coin_secret, rate)
    signed = Withdrawal(order, places, tx)
    Withdrawals(party.home.path).add(signed)
    return signed


def _rate(chain: Chain, choice: FeeChoice) -> int:
    """What the user says, else what the chain estimates, held below the ceiling."""
    wanted = choice.wanted(chain, REFUND_TARGET_BLOCKS)
    return choice.most(wanted) if choice.follows else wanted


def _free(
    party: Party[Any],
    chain: Chain,
    kept: Kept,
    spendable: Mapping[Place, FoundOutput],
    again: bool = False,
) -> list[FoundOutput]:
    """Coins that nothing depends on: no lock, and no withdrawal that can be sent again."""
    taken = set(kept)
    for earlier in [] if again else Withdrawals(party.home.path).load():
        places = {coin.place for coin in earlier.coins}
        if earlier.order.chain == chain.name and places <= set(spendable):
            taken |= places
    return [coin for place, coin in spendable.items() if place not in taken]


def _oldest(coins: list[FoundOutput], rate: int) -> FoundOutput:
    """The coin that every withdrawal spends, whatever its rate, as long as any is worth that.

    Of few satoshi, which anybody can send, some are worth their fee at one rate and not at another.
    """
    always = worth_spending(coins, fees.CEILING_SAT_PER_VB)
    return oldest(always or worth_spending(coins, rate) or coins)


def _nothing(
    party: Party[Any], chain: Chain, kept: Kept, spendable: Mapping[Place, FoundOutput]
) -> DealError:
    """Why there is no coin to take."""
    reasons = sorted({kept[place] for place in spendable if place in kept})
    if reasons:
        return DealError(reasons[0])
    address = party.wallet_address(chain.name)
    if spendable:
        return DealError(
            f"the coins at {address} are of withdrawals that the chain does not have; repeat "
            "those, or say --again to spend them here instead"
        )
    return DealError(f"no spendable coins at {address}; those that wait are so once they are mined")


def _refuse_kept(earlier: Withdrawal, kept: Kept) -> None:
    for coin in earlier.coins:
        if coin.place in kept:
            raise DealError(kept[coin.place])


def _refuse_uncertain(chain: Chain, earlier: Withdrawal) -> None:
    """Raise DealError while an earlier payment of the same amount could still be mined."""
    needed = checks.default_confirmations(chain.name, earlier.sent_sat)
    for coin in earlier.coins:
        spend = chain.find_spend(coin)
        if spend is not None:
            txid = Withdrawal(earlier.order, earlier.coins, spend).txid
            if chain.confirmations(txid) >= needed:
                return
    raise DealError(
        f"the chain at hand lacks the withdrawal {earlier.txid} and coins of it, and can have it "
        "later; repeat this then, or say --again if the amount is to be paid in any case"
    )


def _withdrawn(
    party: Party[Any],
    chain: Chain,
    done: Withdrawal,
    kept: Kept,
    repeated: bool = False,
    replaced: bool = False,
) -> Withdrawn:
    coins = chain.find_spendable(party.wallet_script)
    held = sum(coin.amount_sat for coin in coins if coin.place in kept)
    return Withdrawn(
        done.txid,
        done.sent_sat,
        done.fee_sat,
        done.sat_per_vb,
        chain.confirmations(done.txid),
        repeated,
        replaced,
        sum(coin.amount_sat for coin in coins) - held,
        held,
    )
