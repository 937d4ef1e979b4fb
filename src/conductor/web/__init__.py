"""The pages and addresses of a server: deliveries of forges, the REST API, health, metrics.

What belongs here: HTTP, and who may ask for what. What does not: any deed itself (`operations`), and where things are kept (`adapters`).

Law: nothing is global; an application is made of a service. Without a token nobody is told anything but that the server lives, and what
its API looks like; a forge speaks by its signature.
"""
