"""Tables of learning curves: configs that were drawn uniformly and trained to their end, for `make curves`.

A search is replayed on a table without training anything: what a rule had stopped and what a sampler had chosen can be
judged by what each config came to in the end. `table.py` is the format, `recordings.py` says what is recorded, and
`tables/` holds the tables.
"""
