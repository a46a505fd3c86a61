"""The commands of `python -m minibert`, one per file. Results go to stdout, progress and messages to stderr."""
