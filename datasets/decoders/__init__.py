"""How image files become pixels, by number: what is decoded, converted and resized by which rule.

What was ever published stays as it is, in a file of its own, for other pixels would be other data to a sweep that goes
on. Importing this imports no image library.
"""

NEWEST = 1
