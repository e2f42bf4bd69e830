"""Load all that a page needs, as a side effect of being imported.

This takes some seconds, because it imports SymPy and reads a first formula.
"""

import gc

from ipykernel import ipkernel, kernelapp  # noqa: F401

from psipo_explore.app import kernel, page  # noqa: F401
from psipo_explore.views import explorer
from psipo_explore.views.kit import svg

svg.document(explorer.figure(formula="q**2"))
gc.collect()
# Without this, the garbage collector of a fork would write to all this memory, so that the system
# would have to copy it for each fork.
gc.freeze()
