"""What a party keeps for itself: files that survive a crash, keys under a passphrase."""
