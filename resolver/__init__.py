"""Answering look-ups: one path from an identifier to ready bytes, and the HTTP face in front of it.

Which module to open for which question:

- In which order are memory, Redis and the database asked, and why is that fresh?
  `lookup`
- How does a resolver learn that a record changed?
  `log_follower`
- What is an answer, and what does Redis hold of it?
  `resolution`, `rendering`
- How are answers kept in the process, and what may they cost?
  `memory_cache`
- What happens when Redis is slow, down, emptied or full of lies?
  `redis_cache`, `redis_reads`
- What does a scanned code show as JSON?
  `scan_json`
- What does a Handle client get over HTTP?
  `handle.json_values`, `handle.json_structures`
- Which URL means which look-up, and what is written back?
  `http_faces`, `http_replies`
- Who gets JSON, who a page, and where does a record send people?
  `http_negotiation`, `handle.proxy`
- How is a look-up answered before the ASGI application sees it?
  `http_front`, `http_cycle`, `front`
- And a registration?
  `http_early`
- How is HTTP spoken over TLS, and what becomes of client certificates?
  `tls_protocol`, `tls_context`
- Who is cut off for being too slow, too large or too many?
  `http_deadlines`
- Which look-ups were there, and who asked?
  `tally`
- What do operators see of the caches?
  `lookup_counts`

A cache that is down, empty or forged makes an answer slower, never wrong. Nothing here writes to
the register; the only thing known of it is `lookup.LookupStore`.
"""
