"""Components at both ends of the InstructLab workflow: a taxonomy in, training data out."""
