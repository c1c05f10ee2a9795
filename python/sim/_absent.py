# Stands where a module of the unix port would be that a board has not.
