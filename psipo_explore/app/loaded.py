"""Load all that a page needs, as a side effect of being imported.

This takes some seconds, because it imports SymPy, reads a first formula and lets every view compute
ahead.
"""

import gc

from ipykernel import ipkernel, kernelapp  # noqa: F401

from psipo_explore._bars import with_bar_in_terminal
from psipo_explore.app import kernel, page  # noqa: F401
from psipo_explore.views import VIEWS, explorer
from psipo_explore.views.kit import svg

svg.document(explorer.figure(formula="q**2"))
for view in VIEWS.values():
    view.compute_ahead(with_bar_in_terminal)
gc.collect()
# Without this, the garbage collector of a fork would write to all this memory, so that the system
# would have to copy it for each fork.
gc.freeze()
