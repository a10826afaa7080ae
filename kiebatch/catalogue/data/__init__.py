"""The facts about models, as files."""
