"""The buyer makes the keys of the proof system, so that nobody else can forge a proof for them."""

from collections.abc import Sequence
from pathlib import Path

from zkcmp.exchange import checks
from zkcmp.exchange.buyer.requesting import own_method, own_test_set
from zkcmp.exchange.deal import BuyerState
from zkcmp.exchange.messages import contents as messages
from zkcmp.exchange.messages.envelope import Kind
from zkcmp.exchange.party import Deal, Party, refuse_foreign
from zkcmp.exchange.private.store import remove_half, replacing, write_atomic
from zkcmp.progress import Progress


def send(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    progress: Progress,
    ceremony: Path | None,
    ours: Sequence[bytes],
) -> int:
    """Make the keys unless that was done, and publish the proving key; the message's size."""
    if not own_method(deal).has_key_material:
        return 0
    if not deal.state.key_material:
        _make_keys(buyer, deal, progress, ceremony, ours)
    if deal.state.delivery:
        return 0  # answered: the key material has served and is gone
    return deal.publish(Kind.KEY_MATERIAL).stat().st_size


def _make_keys(
    buyer: Party[BuyerState],
    deal: Deal[BuyerState],
    progress: Progress,
    ceremony: Path | None,
    ours: Sequence[bytes],
) -> None:
    from zkcmp.exchange.costs.forecast import (
        CLOSE_OTHERS,
        require_setup_memory,
        require_setup_room,
    )
    from zkcmp.exchange.proofs import Asked, backend

    state, offer = deal.state, deal.offer()
    asked = Asked(checks.check_offer(offer), own_test_set(deal), own_method(deal))
    prover = backend(asked.method)
    sizes = asked.architecture, asked.n_images, asked.method
    require_setup_memory(*sizes, buyer.force, CLOSE_OTHERS)
    for half in (deal.directory / "proving.key", deal.own(Kind.KEY_MATERIAL)):
        remove_half(half)  # of a setup that was killed
    require_setup_room(asked, deal.directory, deal.folder, buyer.force)
    refuse_foreign(deal.folder, Kind.KEY_MATERIAL)
    with replacing(deal.directory / "proving.key") as proving_key:
        if ceremony is None:
            verifying_key = prover.setup(asked, proving_key, progress)
        else:
            verifying_key = prover.take_ceremony(asked, ceremony, ours, proving_key, progress)
        parameters_digest = prover.parameters_digest(verifying_key)
        write_atomic(deal.directory / "verifying.key", verifying_key)
        with replacing(deal.own(Kind.KEY_MATERIAL)) as path:
            digest = messages.write_key_material(
                path,
                buyer.identity,
                offer,
                bytes.fromhex(state.request),
                parameters_digest,
                proving_key,
                progress,
            )
    (deal.directory / "proving.key").unlink()
    state.verifying_key = parameters_digest.hex()
    state.key_material = digest.hex()
    deal.save()
