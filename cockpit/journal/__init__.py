"""The disk: directories, settings, the event journal and the usage index."""
