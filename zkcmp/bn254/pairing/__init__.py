"""The optimal ate pairing over a tower of extensions whose formulas are recorded programs."""
