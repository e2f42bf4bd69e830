"""`psipo app`: the explorer and every view on one web page, for an audience without Python.

`server` uses Voilà (the extra `app`) to serve only the notebook `page.ipynb`, which shows the
widget of `page`. `phone` is its panel for a narrow window. `links` turns the query of an address
into a view with its values and back, and `browser` carries it between browser and kernel. `door`
decides who is let in, `crowd` gives places and pages in order of arrival, `processes` starts the
process behind each page, and `kernel` runs in it, with `loaded` imported.
"""
