"""Compose files become a `Stack`, and every key of them is accounted for.

What belongs here: reading the compose files of a checkout and working out what they ask for. What does not: any engine. The files are
the phases, in this order:

    reader       the only way to a file, confined to the checkout
    node         a value that knows where it was written, through all that follows
    check        keys that Compose does not know (the keys are in `schema`)
    interpolate  `${X:-default}` (the grammar is in `template`, `.env` files in `dotenv`)
    extend       `extends`, and `include`
    normalise    short forms become long ones
    merge        several files become one
    unsupported  what is refused, and why
    to_stack     nodes become the domain's values (`service`, and a module for each family of attributes)
    account      what became of every key

Law: pure but for the reader. Nothing of this process or this machine (environment, home, absolute paths) comes into a stack, so the
same checkout and the same arguments always give the same stack.
"""
