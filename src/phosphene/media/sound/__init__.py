"""Sound files: read and written a block at a time, so that length costs no memory."""
