"""Registries of images: Harbor, Docker Hub, and any that speaks the OCI distribution API.

What belongs here: names of images and where they lead (`registry_config` and `naming` hold every difference), the protocols
(`exchange`, `distribution`, `referrers`), what each product adds to them (`harbor`, `dockerhub`), and what is left beside an image
(`attesting`, `signing`). What does not: building, looking into images, and what a finding means for a run.
"""
