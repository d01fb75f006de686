"""A worker: the process in which Ray trains trials, what the driver asks of it, and what it reports."""
