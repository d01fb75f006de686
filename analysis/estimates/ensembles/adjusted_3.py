"""Makes ensembles as number 2 does; predictions are also tried with a decision threshold or a temperature."""

from dataclasses import replace

from sweep.analysis.estimates.ensembles import log_probabilities_2

ENSEMBLES = replace(log_probabilities_2.ENSEMBLES, is_adjusted=True)
