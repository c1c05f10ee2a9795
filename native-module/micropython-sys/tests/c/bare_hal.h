// The bare board has no hardware layer.
