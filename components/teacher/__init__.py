"""Components around a teacher on KServe: start it, look whether it can do the work, stop it."""
