"""The course as a static web site: lessons, live pictures, the reference, notation and search.

It needs no server and no Python, and asks for nothing from elsewhere. Sphinx builds it from the
lessons themselves, which are run at each build, and from the pages in docs/. The lecture becomes
slides, for which Sphinx is not run.
"""
