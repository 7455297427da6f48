"""How commands talk to whoever typed them: lines, bars, lists of commands, word of a long wait."""
