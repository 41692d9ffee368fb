"""The blocks, in the modules in which InstructLab has them."""
