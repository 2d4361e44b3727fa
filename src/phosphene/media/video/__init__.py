"""Video in and out. `docs/video-formats.md` has the tables of what is read and written."""
