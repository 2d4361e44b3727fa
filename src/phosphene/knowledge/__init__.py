"""What a network knows as a whole: atlases of its activations, and what their parts argue for."""
