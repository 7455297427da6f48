"""The hash-lock as a taproot output: the terms of `htlc`, and a key path for parties that agree.

    output = P + H("TapTweak", P, root) G      P = aggregate of both parties' shares (BIP 327)
    root   = branch of two leaves              claim: hash-lock, seller; refund: time, buyer

Spent through a leaf, it does what the P2WSH output does. Spent through its key, it looks like any
payment, and neither preimage nor terms are ever on the chain. The key path needs no interactive
signing: the party that has nothing more to get from the lock hands its *share*, a secret key made
for this one lock (`shares`), to the other, who then has both and signs alone. docs/taproot.md says
when that is safe, and for whom. The sources are BIP 340, 341, 342 and 327.
"""
