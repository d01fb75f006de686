"""The sections of a report: each file computes the sentences, figures and tables of one of them."""
