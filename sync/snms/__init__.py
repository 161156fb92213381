"""The link to a secondary node that speaks the SNMS interface: REST over HTTPS, records alone.

- Which requests are there, and what do they look like?            `calls`, `answers`
- How does one of them travel, bounded in size and time?           `channel`, `transport`
- What is kept of each of them as evidence?                        `exchange_book`
- Who are we there, and how long does that hold?                   `login`, `session_token`
- What does a Chinese sentence mean for us?                        `messages`
- What does a change of the log become there?                      `operations`
- What does a template become, and which index has an attribute?   `template_form`, `publication`
- How does a batch end when nobody knows what became of it?        `delivery`, `batch_size`
- How is all of it a `Link`?                                       `link`

Invariants: nothing counts as taken without a positive answer or a read that shows it; what must not
leave the plant is not here to begin with; no password, token or hash of a password is written down.
"""
