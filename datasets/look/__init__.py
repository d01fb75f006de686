"""Shows a data set to the user: how it was read, what it holds, and what would be trained on."""
