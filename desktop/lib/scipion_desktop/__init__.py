"""What runs in the desktop container besides Scipion: the session, the probe, "Save now"."""
