"""What goes into an image: the context as `.dockerignore` leaves it, its content key and archive, the lines of a Dockerfile.

Every builder reads it here, so that all work out the same key.
"""
