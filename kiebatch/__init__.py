"""kiebatch: a scene file becomes pictures, clips and sound, and nobody pays twice."""

__version__ = "0.1.0"
