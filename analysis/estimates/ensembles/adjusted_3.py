"""The ensembles of number 2, with predictions that are also adjusted: by a decision threshold or by a temperature."""

from dataclasses import replace

from sweep.analysis.estimates.ensembles import log_probabilities_2

ENSEMBLES = replace(log_probabilities_2.ENSEMBLES, is_adjusted=True)
