"""A worker, the process in which Ray trains trials: its orders from the driver, and its reports."""
