"""The command line: turn what was typed into one call below, and print for people.

This package never knows how anything works.
"""
