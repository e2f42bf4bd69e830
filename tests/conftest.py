"""Settings of Hypothesis for all tests.

They set no deadlines, because a busy machine misses them, and on CI no random examples.
"""

import os

from hypothesis import settings

# Import the package before pytest imports its files one by one. Otherwise some modules would exist
# twice, and their functions could not be pickled.
import psipo_explore  # noqa: F401

# With more examples, `make test` would take longer than its five minutes.
settings.register_profile("here", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
