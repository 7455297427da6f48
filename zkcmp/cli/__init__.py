"""The commands: options in, calls to `exchange`, words out.

main, entry, endings         where the command starts, and the line with which it ends
interrupts                   Ctrl-C is not lost
buyer, seller, recover       a sale between two machines; party, options and deal/ are theirs
passphrase, samples          what both are asked for: a passphrase, labelled samples
demo, chain                  a whole sale on one machine; dishonest has the acts that fail in it
model                        look at a network, quantise it, measure it
proving                      keys and proofs without a deal: groth16, setup, estimate, bench
terminal                     lines, bars, lists of commands
"""
