"""What can be measured of a picture: spectrum, dimensions, likeness to itself, colour fringes, symmetry, clipping.

Free of torch; a picture is an array h w 3, sRGB in [0, 1].
"""
