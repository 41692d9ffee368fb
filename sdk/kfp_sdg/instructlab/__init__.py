"""The InstructLab workflow: from a taxonomy to mixed training data and evaluation data.

This package knows no KFP and no terminal. What machines of the house read goes in Arrow tables;
what InstructLab's tools read is written under their names and in their shapes.
"""
