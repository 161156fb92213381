"""Trials: the program used as a plant would use it, with bad moments, until every row is judged.

A trial starts nodes by their command line, speaks to them over HTTP and with `xibiao import`, kills
what it must, and in the end counts in the database and runs `xibiao audit`. From the bottom up:

- `findings`          what a trial says: one JSON line for each thing it looked at
- `xibiao_command`    the command line, run to its end or killed on the way
- `stores`            where a node keeps its register; counting in it
- `node_process`      a node that is started, killed and started again; its memory
- `http_requests`     many requests side by side over kept connections
- `batch_files`       files of the demonstration generator and their side files
- `import_client`     `xibiao import` beside a running node, watched
- `import_trial`      a whole file; every identifier resolves
- `kill_trial`        the same with `kill -9` of the node or of PostgreSQL
- `side_file`, `dirty_trial`       spoilt files against what the generator says of them
- `idempotency_trial`              repeated requests and races
- `loopback_proxy`    what stands between two servers of a trial
- `redis_proxy`, `answer_history`, `redis_trial`   a Redis that stalls, vanishes and lies
- `handle_site`       a node with the prefix of the Handle trials, and clients that ask again
- `handle_fuzz_trial`              bent messages by the million over UDP and TCP
- `handle_flood`, `handle_flood_trial`                 forged sources, and real clients beside
- `handle_patience_trial`          half-sent messages, silent and lying connections
- `look_up_load`, `tally_kill_trial`   what is noted of look-ups when the node dies
- `counts_truth`, `counts_plan`, `counts_clients`   the rules stated anew; who asks what, and asks
- `counts_register`, `counts_report`, `counts_bundle`, `counts_trial`   every figure against truth
- `secondary_process`, `link_proxy`, `link_certificates`   the far end of the link, and the line
- `link_site`, `link_load`, `link_books`   node, line and secondary node; what both must hold
- `sync_outage_trial`, `sync_answers_trial`, `sync_garbage_trial`, `sync_peer_trial`   F14 to F21
- `sync_drills`       F22 and F53, which are tests
- `sync_kill_trial`, `sync_whole_trial`   sudden deaths of all three; a whole import, verified
- `sync_limits`, `fault_matrix`   what is demanded; `python -m loadtest.trials.fault_matrix F14`
- `__main__`          `python -m loadtest.trials import --rows 300000 --backend postgresql`

Invariants: the same seed makes the same files, moments and choices; every trial works in a
directory of its own; nothing that a trial starts outlives it.
"""
