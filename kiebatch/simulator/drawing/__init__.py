"""Draws the pictures, clips and sounds that the simulator gives."""
