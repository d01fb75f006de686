"""A first look at a data set: what was read, as what, and what would be trained on."""
