"""Components that bring datasets into a pipeline and together."""
