"""Load all that a page needs and let every view compute ahead, as a side effect of being imported.

A server for many visitors forks them from a process that has imported this. Otherwise, each visitor
would compute the same.
"""

import gc

from psipo_explore._bars import with_bar_in_terminal
from psipo_explore.app import loaded  # noqa: F401
from psipo_explore.app.phone import parts_of
from psipo_explore.views import VIEWS

for view in VIEWS.values():
    view.compute_ahead(with_bar_in_terminal)
    parts_of(view.name, **view.built_for(view.values({})))
gc.freeze()
