"""A camera's pictures: what is seen in them, and a dream on them, live.

capture    frames of a device, a stream or a file, tried again when they fail
choice     the network and the target of a live dream where nothing else is asked for
eye        sees and dreams at the same time, each as fast as it can
live       a dream that goes on from frame to frame
things     words for what it was shown: means of a network's features, kept in a file
"""
