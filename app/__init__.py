"""The composition root: the one place that imports everything and that nothing imports.

`components.py` is the explicit list of what exists, `registry.py` checks it and is what all
generated files are made from, `handlers_server.py` and `edge_server.py` are the two servers,
`__main__.py` the command line.
"""
