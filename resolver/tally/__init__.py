"""Noting look-ups: every answered one leaves an event in a file of this process.

- Who notes what, and what is lost with a killed process?       `tally`
- How do files begin, end, stay within bounds, fail?            `spool_files`
- How does an HTTP client become bytes, once?                   `web_clients`
- What is noted of a look-up that ended in an error?            `outcomes`

A face notes a look-up when its answer is handed to the socket: three pieces of bytes that are there
already, the channel, the subject (kept with the answer) and the client (kept with the connection).
What an event holds is said in `node.domain.resolution_event`; who counts them, and what counts, is
not known here.
"""
