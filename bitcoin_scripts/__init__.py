"""The on-chain half of a sale: a hash-locked P2WSH output, its claim, its refund, and the chain.

Knows nothing of provers or models. Addresses, scripts, transactions and signature hashes are
python-bitcoinlib's; whether a spend is valid is decided by Bitcoin Core's consensus code
(`chain.consensus`), never by python-bitcoinlib's `VerifyScript`, which does not know witnesses.
"""
