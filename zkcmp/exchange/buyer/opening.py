"""The buyer reads the key off the chain, opens the seal and has the network."""

from pathlib import Path

from bitcoin_scripts.chain import Chain
from bitcoin_scripts.preimage import extract_preimage
from zkcmp import seal as sealing
from zkcmp.errors import DealError
from zkcmp.exchange import checks
from zkcmp.exchange.buyer.locking import need_lock
from zkcmp.exchange.buyer.requesting import own_test_set
from zkcmp.exchange.buyer.verifying import read_delivery
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.envelope import Kind
from zkcmp.exchange.party import Deal, Party
from zkcmp.exchange.statement import ciphertext_words
from zkcmp.exchange.store import PRIVATE_FILE, write_atomic
from zkcmp.model.network import Network


def open_network(
    buyer: Party[BuyerState], deal: Deal[BuyerState], chain: Chain, out: Path
) -> Network:
    """The network that was bought, written to `out`. Needs a claim, but no confirmation of it."""
    from zkcmp.model.onnx_io import export_onnx

    offer = deal.offer()
    htlc, outpoint = need_lock(deal, chain)
    spend = chain.find_spend(outpoint)
    if spend is None:
        raise DealError(
            "the seller has not redeemed yet (`zkcmp seller redeem`), so the key is unknown; "
            f"from height {htlc.timeout_height} on, `zkcmp buyer refund` returns the coins"
        )
    preimage = extract_preimage(spend, htlc)
    if preimage is None:
        raise DealError("the lock was refunded, so no key was published; the deal is over")
    delivery = read_delivery(buyer, deal, offer, deal.own(Kind.DELIVERY))
    words = ciphertext_words(delivery.ciphertext, offer.n_blocks)
    network = sealing.open_seal(preimage, words, offer.commitment, checks.check_offer(offer))
    _write(out, export_onnx(network))
    deal.state.opened = str(out.absolute())
    deal.save()
    return network


def surely_labelled(deal: Deal[BuyerState], network: Network) -> tuple[int, int]:
    """On how many of our test images doubles surely give the proved label, of how many."""
    from zkcmp.model.double_rounding import stable_in_double

    test_set = own_test_set(deal)
    return int(stable_in_double(network, test_set.images).sum()), len(test_set)


def _write(out: Path, data: bytes) -> None:
    if out.exists():
        if out.is_file() and out.read_bytes() == data:
            return
        raise DealError(f"{out} exists and is something else; choose another --out")
    write_atomic(out, data, PRIVATE_FILE)
