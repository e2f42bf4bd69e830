"""`psipo app`: the explorer and every view on one web page, for an audience without Python.

`page.ipynb` shows the widget of `page`; `server` serves that notebook, and nothing else, by Voilà (the extra `app`).
"""
