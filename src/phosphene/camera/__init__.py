"""A camera's pictures: what is seen in them, and a dream on them, live.

capture    frames of a device, a stream or a file, tried again when they fail
live       a dream that goes on from frame to frame
things     words for what it was shown: means of a network's features, kept in a file
"""
