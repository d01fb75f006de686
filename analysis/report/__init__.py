"""The report of a sweep: its page, its Markdown, its figures, and the status screen."""
