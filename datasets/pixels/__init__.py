"""The decoded images of a data set: read once, checked, kept as uint8 in memory, and cached for the next start."""
