"""What `zkcmp buyer lock` does in each of its ways, and what it says."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, cast

from zkcmp.cli.terminal.console import count, say, typed
from zkcmp.errors import DealError

if TYPE_CHECKING:
    from bitcoin_scripts.chain import Chain
    from zkcmp.exchange.buyer import Buyer, Drafted, Locked, Payable
    from zkcmp.exchange.buyer.funding.psbt_draft import WalletChain

LOCK_TARGET_BLOCKS = 6
"""How soon a lock should be mined, where the chain estimates fees."""


def lock_rate(chain: "Chain", fee: int | None, accept_high_fee: bool) -> int:
    """sat/vB: what the user says, else what the chain estimates, held below the ceiling."""
    from bitcoin_scripts.fee_rates import FeeChoice

    choice = FeeChoice(fee, accept_high_fee)
    wanted = choice.wanted(chain, LOCK_TARGET_BLOCKS)
    return choice.most(wanted)


def wallet_of(chain: "Chain") -> "WalletChain":
    """The chain, if it has a wallet. Raises DealError."""
    if not hasattr(chain, "fund_psbt"):
        raise DealError("a wallet is a node's: say --node or --node-conf, and --wallet")
    return cast("WalletChain", chain)


def write_psbt(
    buyer: "Buyer",
    deal: Path,
    chain: "Chain",
    out: Path,
    source: str,
    rate: int,
    abandon: bool,
) -> "Drafted | Locked":
    """Draft the lock over coins at the address `source`, or the node's, and write the PSBT."""
    from zkcmp.exchange.buyer import Locked
    from zkcmp.exchange.private.store import PRIVATE_FILE, write_atomic

    if not out.absolute().parent.is_dir() or (out.exists() and not out.is_file()):
        raise DealError(f"{out} cannot be written; choose another --psbt-out")
    buyer.check_unshared(out, deal)
    if source:
        from bitcoin_scripts.keys import script_of_address

        script = script_of_address(source, chain.name)
        drafted = buyer.draft_from_script(deal, chain, script, rate, abandon)
    else:
        drafted = buyer.draft_from_node(deal, wallet_of(chain), rate, abandon)
    if isinstance(drafted, Locked):
        return drafted
    psbt = drafted.begun.psbt
    if out.exists() and out.read_bytes() != psbt:
        raise DealError(f"{out} exists and is something else; choose another --psbt-out")
    write_atomic(out, psbt, PRIVATE_FILE)
    return drafted


def read_signed(path: Path) -> bytes:
    """What a wallet exported, of bounded size."""
    from bitcoin_scripts.psbt import MAX_PSBT_BYTES

    if not path.is_file():
        raise DealError(f"{path} is not a file; --psbt-in is what the wallet exported")
    with path.open("rb") as file:
        data = file.read(2 * MAX_PSBT_BYTES + 1)
    if len(data) > 2 * MAX_PSBT_BYTES:
        raise DealError(f"{path} is too long for a PSBT; --psbt-in is what the wallet exported")
    return data


def begun(directory: Path, options: str) -> str:
    """How the funding of the deal in this private directory was begun, and how it goes on.

    options: those that name the deal in the next command.
    """
    from zkcmp.errors import DecodeError
    from zkcmp.exchange.buyer.funding.record import FundingRecord, Way

    try:
        current = FundingRecord(directory).current()
    except DecodeError as error:
        return str(error)
    if not current:
        return ""
    until = f"up to height {current[-1].pay_until}"
    if current[-1].way is Way.EXTERNAL:
        return f"a payment was asked for, {until}; next: zkcmp buyer lock --external {options}"
    return (
        f"a lock was drafted for another wallet to sign, {until}; next: zkcmp buyer lock "
        f"{options} --psbt-in FILE, or --wallet NAME"
    )


def say_locked(locked: "Locked", deal: Path) -> None:
    """What was locked, and what each party does next about the deal in this folder."""
    done = "already locked" if locked.repeated else "locked"
    say(f"{done}     {locked.outpoint.amount_sat} sat in {locked.outpoint.txid}")
    say(f"refund     possible from height {locked.timeout_height} on")
    depth = count(locked.confirmations, "confirmation")
    say(f"depth      {depth} (embedded chain: `zkcmp chain mine`)")
    for other in locked.others:
        say(f"caution    {other.output.amount_sat} sat more were paid, in {other.output.txid}:")
        say(f"           `zkcmp buyer refund` returns them from height {other.htlc.timeout_height}")
        say("           on, unless the seller takes them too; pay nothing more")
    say("next       give the folder to the seller, who runs `zkcmp seller watch`; we run")
    say(f"           `zkcmp buyer watch --deal {typed(deal)} --out FILE`, which waits for the key")


def say_drafted(drafted: "Drafted", out: Path, height: int) -> None:
    draft, begun = drafted.draft, drafted.begun
    again = " again, as it was" if drafted.repeated else ""
    say(
        f"drafted    {draft.lock.amount_sat} sat into the hash-lock, fee {draft.fee_sat} sat{again}"
    )
    say(f"written    {out}, to be signed as it is: transaction {draft.txid}")
    say(f"until      height {begun.pay_until}, {begun.pay_until - height} blocks from now; sent")
    say("           later, the seller has too little time, and it is to be written anew")
    say(f"refund     possible from height {begun.timeout_height} on")
    say("next       sign it, then `zkcmp buyer lock --psbt-in SIGNED`")


def say_payable(payable: "Payable") -> None:
    begun, waiting = payable.begun, payable.waiting
    if waiting is not None:
        say(f"found      {waiting.amount_sat} sat in {waiting.txid}, not mined yet; pay no more")
        say("next       repeat this command when it is mined; then the seller is told")
        return
    from bitcoin_scripts.payment_uri import payment_uri, terminal_qr

    uri = payment_uri(payable.address, payable.amount_sat, "zkcmp")
    say(f"pay        exactly {payable.amount_sat} sat, in one payment, to {payable.address}")
    say(f"uri        {uri}")
    if sys.stdout.isatty():
        say(terminal_qr(uri))
    say(f"until      height {begun.pay_until}, {payable.blocks_left} blocks from now; after that")
    say("           do NOT pay: the seller would have too little time")
    say(f"refund     possible from height {begun.timeout_height} on, whatever was paid")
    say("caution    pay once: the seller can take everything that is paid there")
    if payable.repeated:
        say("           It was asked for before: if it was paid then, do not pay again")
    say("next       repeat this command when it is mined: it finds the payment by itself")
