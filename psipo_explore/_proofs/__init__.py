"""The checks of derivations: `readings` tells what an equation means, `claims` whether it is true.

`domains` has the values that symbols can take, `identities` the algebra, and `numbers` the
arithmetic.
"""
