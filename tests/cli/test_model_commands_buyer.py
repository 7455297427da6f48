"""A buyer's test set is arranged in the shape of the network on offer, whatever the file's."""

from pathlib import Path

import numpy as np
import pytest
from deal_stages import Sale, samples

from zkcmp.exchange.buyer import Buyer


@pytest.mark.parametrize("kind", ["rows", "channels last", "two files"])
def test_request_with_arrays_of_another_shape(sale, kind: str) -> None:
    deal: Sale = sale("sealed")
    test_set = samples(77)
    path = deal.root / "own.npz"
    extra: tuple[str, ...] = ()
    if kind == "two files":
        path = deal.root / "pixels.npy"
        np.save(path, test_set.images[:, 0])
        np.save(deal.root / "numbers.npy", test_set.labels)
        extra = ("--labels", str(deal.root / "numbers.npy"))
    else:
        shape = (3, 4) if kind == "rows" else (3, 2, 2, 1)
        np.savez(path, images=test_set.images.reshape(shape), labels=test_set.labels)
    options = ("--test-set", str(path), "--accuracy", "100%", *extra)
    assert deal.run("buyer", "request", *options).code == 0
    assert _sent(deal) == test_set


def _sent(deal: Sale):
    from zkcmp.exchange.buyer.requesting import own_test_set

    with Buyer.opened(deal.root / "buyer") as buyer:
        return own_test_set(buyer.need(Path(deal.deal)))


def test_an_offer_that_cannot_be_read_is_refused_as_before(sale) -> None:
    deal: Sale = sale("sealed")
    (deal.deal / "offer.zkcmp").write_bytes(b"damaged")
    path = deal.root / "own.npz"
    np.savez(path, images=samples(77).images, labels=samples(77).labels)
    result = deal.run("buyer", "request", "--test-set", str(path), "--accuracy", "1")
    assert result.refused
    assert result.err == "zkcmp: the offer is cut off; ask the sender for the file again\n"
