"""Finds near duplicates: copies of a picture that were encoded again, resized, cropped a bit, brightened or mirrored.

There are three steps, each of which leaves fewer pairs for the next one:

1. `hashes.py` describes every image by the 63 lowest frequencies of its brightness, and hashes their signs to 64 bits.
2. `search.py` finds the pairs whose hashes differ in few bits, without comparing all pairs.
3. `likeness.py` lays the two images of a pair over each other and compares their pixels. This decides.

The hash is the perceptual hash pHash (Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions",
2010), with one change: a bit says whether a frequency is above its median over the data set instead of over the image.
If all images look alike, as X-rays do, the bits still tell them apart. It is implemented here because the package
`imagehash` hashes one Pillow image at a time, needs PyWavelets, and has neither a search nor a check on the pixels.
"""
