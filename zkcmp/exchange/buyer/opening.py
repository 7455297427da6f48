"""The buyer reads the key off the chain, opens the seal and has the network."""

from pathlib import Path

from bitcoin_scripts.chain import Chain
from zkcmp import seal as sealing
from zkcmp.errors import DealError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer import known_key, seen_claim
from zkcmp.exchange.buyer.locking import need_lock
from zkcmp.exchange.buyer.requesting import has_test_set, own_test_set
from zkcmp.exchange.buyer.verifying import read_delivery
from zkcmp.exchange.checks import NotYet
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.party import Deal, Party
from zkcmp.exchange.private.store import PRIVATE_FILE, write_atomic
from zkcmp.exchange.statement import ciphertext_words
from zkcmp.model.architecture import Architecture
from zkcmp.model.network import Network


def open_network(
    buyer: Party[BuyerState], deal: Deal[BuyerState], chain: Chain, out: Path
) -> Network:
    """The network that was bought, written to `out`, and what it is to `out`.json.

    Needs a claim, but no confirmation of it.

    Once a claim was seen, the chain is not needed any more, nor the claim. Raises NotYet before.
    """
    from zkcmp.model.network_card import network_card
    from zkcmp.model.onnx import export_onnx

    offer = deal.offer()
    check_out(out)
    preimage = known_key.search(deal, chain)
    if preimage is None:
        raise _unknown(deal, chain)
    delivery = read_delivery(buyer, deal, offer, deal.own(Kind.DELIVERY))
    words = ciphertext_words(delivery.ciphertext, offer.n_blocks)
    # whether its terms are acceptable was asked before the payment: now nothing may stand between
    architecture = Architecture.from_bytes(offer.architecture)
    network = sealing.open_seal(preimage, words, offer.commitment, architecture)
    model = export_onnx(network)
    bought = {"offer": deal.state.offer, "hash_lock": offer.commitment.hex()}
    _write({out: model, card_path(out): network_card(network, model, bought)})
    deal.state.opened = str(out.absolute())
    deal.save()
    return network


def card_path(out: Path) -> Path:
    """Where the card of a network in `out` is."""
    return out.with_name(f"{out.name}.json")


def check_out(out: Path) -> None:
    """Raise DealError when nothing could be written to `out`."""
    _check_no_other(out)
    _check_no_other(card_path(out))
    if not out.absolute().parent.is_dir():
        raise DealError(f"{out.absolute().parent} is not a directory; choose another --out")


def _check_no_other(path: Path) -> None:
    if path.exists() and not path.is_file():
        raise DealError(f"{path} exists and is no file; choose another --out")


def _unknown(deal: Deal[BuyerState], chain: Chain) -> DealError:
    """Why no key is known."""
    htlc, outpoint = need_lock(deal, chain)
    since = checks.our_first_height(htlc.timeout_height, deal.offer())
    spend = chain.find_spend(outpoint, since)
    if spend is not None and seen_claim.keep(deal, spend) is not None:
        return NotYet("the seller redeems just now; repeat this")
    if spend is not None:
        return DealError("the lock was refunded, so no key was published; the deal is over")
    return NotYet(
        "the seller has not redeemed yet (`zkcmp seller redeem`), so the key is unknown; "
        f"from height {htlc.timeout_height} on, `zkcmp buyer refund` returns the coins"
    )


def surely_labelled(deal: Deal[BuyerState], network: Network) -> tuple[int, int]:
    """On how many of our test images doubles surely give the proved label, of how many.

    Of none, where a rescue file left the test set out.
    """
    from zkcmp.model.double_rounding import stable_in_double

    if not has_test_set(deal):
        return 0, 0
    test_set = own_test_set(deal)
    return int(stable_in_double(network, test_set.images).sum()), len(test_set)


def _write(files: dict[Path, bytes]) -> None:
    """All of them, unless one is there and is something else."""
    missing = [path for path in files if not path.exists()]
    for path, data in files.items():
        if path not in missing and not (path.is_file() and path.read_bytes() == data):
            raise DealError(f"{path} exists and is something else; choose another --out")
    for path in missing:
        write_atomic(path, files[path], PRIVATE_FILE)
