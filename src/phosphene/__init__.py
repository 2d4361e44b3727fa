"""DeepDream done properly."""
