"""The supervisor process, and the commands that start it and speak to it."""
