"""DeepDream done properly.

photo, noise --> canvas --> transforms --> net ----------> objective --> score (maximised)
                   ^                       runs only to    an expression   |
                   |                       the deepest     over layers     | autograd, to the image only
                   |                       layer needed                    v
                   +------- step <------- gradient shaping (Laplacian, normalise, blur)
loops:   ascent in octaves in tiles; each is a generator of steps
recipe:  everything above as one JSON text, carried inside every file that is written
"""

from __future__ import annotations

__version__ = "0.1.0"
