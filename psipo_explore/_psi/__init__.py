"""How a typed or a given function becomes a Ψ."""
