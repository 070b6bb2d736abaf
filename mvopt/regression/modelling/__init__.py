"""What a model is, alone or put together from others, and how it finds its first guess."""
