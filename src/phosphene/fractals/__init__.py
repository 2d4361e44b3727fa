"""Pictures of functions of the plane that are applied again and again: the language, the arithmetic, the colours.

    formula -> graph of real operations -> program over arrays -> escape, settling, orbits -> colours

Free of torch; arrays are NumPy's.
"""
