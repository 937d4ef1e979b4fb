"""Images made from contexts of a checkout, found again by their content. What a container gets from an image is not here."""
