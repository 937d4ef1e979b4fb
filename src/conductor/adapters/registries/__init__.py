"""Registries of images: Harbor, Docker Hub, and any that speaks the OCI distribution API.

What belongs here: names of images and where they lead (`registry_config` and `naming` hold every difference), the protocols
(`exchange`, `distribution`), and what each product adds to them (`harbor`, `dockerhub`). What does not: building, and what a finding
means for a run.
"""
