"""A network is sold end to end from Python, on the embedded regtest chain: read it as a notebook.

    python experiments/walkthrough.py

Editors that know `# %%` cells run it cell by cell. Both parties are played here, each in a
directory of its own; they share the deal folder and the chain, and nothing else.
"""

# %% The data: the seller's own samples, and a test set that only the buyer has.
import tempfile
from pathlib import Path

import numpy as np

import zkcmp
from zkcmp.model.data_files import digits_onnx, load_digits_test

digits = load_digits_test()
images, labels = digits.images, digits.labels  # (360, 1, 8, 8) integers from 0 to 16; (360,)
calibration, secret_test = slice(0, 240), slice(240, 360)
place = Path(tempfile.mkdtemp(prefix="zkcmp-walkthrough-"))

# %% The seller quantises its trained network: as few bits as keep the accuracy.
network = zkcmp.quantize(digits_onnx(), images[calibration], labels[calibration], max_drop="0.5%")
widths = {spec.name: spec.bits for spec in network.architecture.tensors()}
print("bits:", ", ".join(f"{name} {bits}" for name, bits in widths.items()))

# %% What a proof would cost, before anything is sealed.
for cost in zkcmp.api.costs(network, n_images=120):
    print(f"{cost.method.title}: prove {cost.prove_s:.1f} s, proof {cost.proof_bytes} bytes")

# %% The seller seals the weights under a fresh key: the offer.
seller = zkcmp.Seller(place / "seller")
buyer = zkcmp.Buyer(place / "buyer")
deal = place / "deal"
offer = seller.seal(deal, network, price_sat=250_000)
print(f"offer: {offer.price_sat} sat, hash-lock {offer.commitment.hex()[:16]}…")

# %% The buyer looks at it, and asks: at least 95 % of 120 images, which are spent from now on.
fingerprint, _ = buyer.inspect(deal)
assert fingerprint == seller.fingerprint  # compared by another channel
buyer.request(
    deal,
    images[secret_test],
    labels[secret_test],
    accuracy="95%",
    seller=fingerprint,
    method="libra hyrax",
)

# %% The seller sees how many images and what threshold, and proves.
asked = seller.inspect(deal)
print(f"asked: at least {asked.threshold} of {asked.n_images} right, by {asked.method.title}")
proved = seller.prove(deal, buyer=buyer.fingerprint)
print(f"proved in {proved.proof_bytes} bytes; these weights answered {proved.answered} request")

# %% The buyer verifies. From here on it knows that the sealed network is worth the price.
verified = buyer.verify(deal)
print(f"verified: at least {verified.threshold} of {verified.n_images}; {verified.soundness}")

# %% Payment against the key, on the chain.
with zkcmp.regtest(place / "chain") as chain:
    chain.mine(101, buyer.wallet_script)  # coins for the buyer
    locked = buyer.lock(deal, chain)
    chain.mine(1, buyer.wallet_script)
    print(f"locked: {locked.outpoint.amount_sat} sat until block {locked.timeout_height}")
    redeemed = seller.redeem(deal, chain)
    chain.mine(1, buyer.wallet_script)
    print(f"redeemed: transaction {redeemed.txid[:16]}… published the key")
    bought = buyer.open(deal, chain, place / "bought.onnx")

# %% What was bought is exactly what was sealed.
assert bought == network
right = int(np.sum(bought.predict(images[secret_test]) == labels[secret_test]))
assert right >= verified.threshold
print(f"bought: {right} of 120 right; the network is in {place / 'bought.onnx'}")
