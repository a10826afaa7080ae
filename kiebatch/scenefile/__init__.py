"""A YAML or Markdown file becomes a checked Project, and back."""
