"""Data sets: finding out their form, listing, reading and checking their images, augmentation, and submissions."""
