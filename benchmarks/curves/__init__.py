"""Tables of learning curves of configs that were drawn uniformly and trained to their end, for `make curves`.

A search can be replayed on a table without training. Stopped trials and samplers' choices can then be judged by the
final value of each config. `table.py` has the format, `recordings.py` says what is recorded, and `tables/` holds the
tables.
"""
