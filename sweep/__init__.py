"""A distributed hyperparameter search for image classifiers, as it is imported.

The packages are folders of the checkout, which links stand for here; installed, they lie in this one.
"""
