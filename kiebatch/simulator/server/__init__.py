"""The simulator as a server: its application, its control, its processes."""
