"""The search: spaces, samplers and pruners, the driver that runs trials on Ray, and the check of a sweep's folder."""
