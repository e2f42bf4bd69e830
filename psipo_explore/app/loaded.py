"""Import this to have loaded all that a page needs. It takes some seconds, SymPy and a first
formula included.
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
# a fork that collects garbage would else write to all this memory, and share none of it
gc.freeze()
