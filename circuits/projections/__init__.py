"""Checks of layers on sums over the images, in two rounds."""
