"""The catalogue's facts as data files, and what is generated from them."""
