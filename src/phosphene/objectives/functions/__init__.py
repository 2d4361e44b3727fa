"""Objectives with arguments, one file each. A file that is added here registers itself; nothing else lists them."""
