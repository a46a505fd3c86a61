"""The course as a site that opens from files, without a server or a network: `build.py` makes it, with Sphinx."""
