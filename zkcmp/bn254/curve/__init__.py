"""Points of G1 and G2: the group law in lanes, arrays, bytes, membership of the subgroup."""
