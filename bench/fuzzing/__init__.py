"""The kinds of input that `bench.fuzz` makes: texts, files, and what hosts send."""
