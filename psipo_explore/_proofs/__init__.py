"""How a derivation is checked: `readings` says what an equation means, `claims` whether it is true.

`domains` has the values that symbols can take, `identities` the algebra, `numbers` the arithmetic.
"""
