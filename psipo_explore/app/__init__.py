"""`psipo app`: the explorer and every view on one web page, for an audience without Python.

`page.ipynb` shows the widget of `page`; `server` serves that notebook, and nothing else, by Voilà
(the extra `app`). `door` says who is let in, `crowd` gives places and pages in order of arrival,
`processes` starts what is behind a page, and `kernel` is what runs there, with `loaded` in its
memory.
"""
