"""Hypothesis without deadlines, which a busy machine misses, and on CI without chance."""

import os

from hypothesis import settings

import psipo_explore  # noqa: F401 - before pytest imports its files one by one: twice there, a function cannot be pickled

# make test takes five minutes at most
settings.register_profile("here", deadline=None, max_examples=25)
settings.register_profile("ci", deadline=None, max_examples=25, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
