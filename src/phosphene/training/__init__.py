"""Training: networks that learn from labelled pictures, and Boltzmann machines that learn from any."""
