"""The exchange: what a seller and a buyer do with messages, proofs and coins.

private/      what a party keeps for itself
messages/     what the parties send each other
method        how a deal is proved, the buyer's choice
statement     what is proved, and deal, what a party knows of a sale
proofs/       the methods' provers and verifiers
costs/        what they would cost
party         a party's directory with its deals; checks, what is refused, and why
settlement/   coins in and out of a wallet
rescue        a party's directory in one file
seller/, buyer/   a step of each, in the order of docs/protocol.md
"""
